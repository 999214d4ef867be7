//! The connection by which somebody owns the tunnel: settings one way, wishes for streams the other, and a beat both ways.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{interval, timeout};

use super::{Link, Ownership, answer, talk};
use crate::socks::Client;
use crate::wire::{Message, Session};

/// Between beats.
const BEAT: Duration = Duration::from_secs(2);
/// An owner that says nothing for so long is dead.
const DEAD: Duration = Duration::from_secs(6);

/// Owns the tunnel for as long as it is held.
struct Claim<'a> {
    link: &'a Link,
    session: Session,
    /// How many streams were asked for in all.
    wanted: watch::Receiver<u64>,
    /// Whether the owner has said that it leaves.
    farewell: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // Parked streams close, and callers that wait for one learn that none will come.
        let mut state = self.link.state();
        let ended = state.ownership.take_if(|o| o.session == self.session);
        drop(state);
        if let Some(ownership) = ended.filter(|_| !self.farewell) {
            ownership.cut.send_replace(());
        }
    }
}

impl Link {
    /// Lets `owner` own the tunnel until the connection ends, unless somebody else does.
    pub(super) async fn control(&self, mut client: Client, owner: String) {
        let mut claim = match self.claim(owner) {
            Ok(claim) => claim,
            Err(refusal) => return answer(client, &refusal).await,
        };
        let granted = Message::Granted {
            session: claim.session,
            owner: None,
        };
        if client.write_all(&granted.encode()).await.is_err() {
            return;
        }
        let early = client.buffer().to_vec();
        let Ok(mut stream) = client.into_inner().release().await else {
            return;
        };
        let (from, to) = stream.split();
        let mut wanted = claim.wanted.clone();
        tokio::select! {
            said = self.listen(early.as_slice().chain(from)) => claim.farewell = said == Said::Farewell,
            // Ends as well when the tunnel stops.
            _ = tell(to, &mut wanted) => {}
        }
    }

    fn claim(&self, owner: String) -> Result<Claim<'_>, Message> {
        let mut state = self.state();
        if let Some(ownership) = &state.ownership {
            let owner = ownership.owner.clone();
            return Err(Message::Busy { owner });
        }
        let mut session = Session::default();
        getrandom::fill(&mut session).map_err(|_| Message::Refused)?;
        let (wanted_tx, wanted) = watch::channel(0);
        state.ownership = Some(Ownership {
            session,
            owner,
            // Nobody is handed on before the owner has asked for it.
            intercepting: false,
            parked: std::collections::VecDeque::new(),
            waiting: std::collections::VecDeque::new(),
            wanted: wanted_tx,
            cut: watch::Sender::new(()),
        });
        Ok(Claim {
            link: self,
            session,
            wanted,
            farewell: false,
        })
    }

    /// Does as the owner says until it leaves, or says nothing any more.
    async fn listen(&self, mut from: impl AsyncRead + Unpin) -> Said {
        while let Ok(Ok(message)) = timeout(DEAD, talk::read(&mut from)).await {
            match message {
                Message::Settings {
                    intercepting,
                    internal_egress,
                } => {
                    let mut state = self.state();
                    state.internal_egress = internal_egress;
                    if let Some(ownership) = &mut state.ownership {
                        ownership.intercepting = intercepting;
                    }
                }
                Message::Farewell => return Said::Farewell,
                _ => {}
            }
        }
        Said::Nothing
    }
}

/// How an owner's last words were.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Farewell,
    Nothing,
}

/// Sends beats and wishes for streams, until the owner does not take them.
async fn tell(
    mut to: impl AsyncWrite + Unpin,
    wanted: &mut watch::Receiver<u64>,
) -> io::Result<()> {
    let mut beats = interval(BEAT);
    let mut told = 0;
    loop {
        let message = tokio::select! {
            _ = beats.tick() => Message::Beat,
            changed = wanted.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let all = *wanted.borrow_and_update();
                let streams = u16::try_from(all - told).unwrap_or(u16::MAX);
                told = all;
                Message::Want { streams }
            }
        };
        timeout(DEAD, to.write_all(&message.encode())).await??;
    }
}
