//! The tunnel's end of the link: who owns the tunnel, and the streams by which callers are handed on to the owner.
//!
//! dockline makes all connections, since nothing can be sure to reach it: one to own the tunnel by, and a few more that are
//! *parked* here until a caller comes. Whether a connection is a caller's way to dockline is known only once dockline has
//! said so: until then the caller can still be served without it.

mod control;
mod talk;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::relay::tunnel;
use crate::secret::Secret;
use crate::socks::Client;
use crate::wire::{Message, Session};

/// For a caller to be taken by dockline, before it is served without.
const TAKING: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    state: Mutex<State>,
    /// Of parked streams.
    most: usize,
    /// Which version of the protocol is spoken.
    version: u8,
}

#[derive(Debug, Default)]
struct State {
    ownership: Option<Ownership>,
    /// What the last owner said; it holds until there is another.
    internal_egress: bool,
}

/// What there is while somebody owns the tunnel.
#[derive(Debug)]
struct Ownership {
    session: Session,
    owner: String,
    intercepting: bool,
    parked: VecDeque<TcpStream>,
    waiting: VecDeque<oneshot::Sender<TcpStream>>,
    /// How many streams were asked for in all; whoever owns the tunnel is told of each.
    wanted: watch::Sender<u64>,
    /// Changes when the owner is dead, and what it was handed must not look as if it had ended well.
    cut: watch::Sender<()>,
}

/// A way for one caller to whoever owns the tunnel.
#[derive(Debug)]
pub(crate) struct HandedOn {
    stream: TcpStream,
    cut: watch::Receiver<()>,
}

impl HandedOn {
    /// Carries the caller's bytes until both sides have ended, or until the owner is dead.
    pub(crate) async fn carry(self, caller: TcpStream) {
        let Self { stream, mut cut } = self;
        let owner_died = async {
            if cut.changed().await.is_err() {
                // It said good-bye, and finishes what it has begun.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = tunnel(caller, stream, Bytes::new(), Bytes::new()) => {}
            () = owner_died => {}
        }
    }
}

impl Link {
    /// Keeps at most so many streams parked.
    pub(crate) fn new(most: usize, version: u8) -> Self {
        Self {
            state: Mutex::default(),
            most,
            version,
        }
    }

    /// Whether callers on internal networks may get out, as far as anybody has said.
    pub(crate) fn internal_egress(&self) -> bool {
        self.state().internal_egress
    }

    /// Ends the ownership, if there is one: the tunnel stops. What was handed on may finish.
    pub(crate) fn end(&self) {
        self.state().ownership = None;
    }

    /// Serves a connection that began as the link's do.
    pub(crate) async fn serve(&self, mut client: Client, secret: &Secret, deadline: Instant) {
        let met = timeout_at(
            deadline,
            talk::meet(&mut client, secret.key(), self.version),
        )
        .await;
        // Whoever does not know the secret is told nothing.
        let Ok(Ok(wish)) = met else { return };
        match wish {
            Message::Control { owner } => self.control(client, owner).await,
            Message::Stream { session } => self.park(client, session).await,
            Message::Probe => {
                let owner = self.state().ownership.as_ref().map(|o| o.owner.clone());
                let session = Session::default();
                answer(client, &Message::Granted { session, owner }).await;
            }
            _ => answer(client, &Message::Refused).await,
        }
    }

    /// Finds a way for a caller to whoever owns the tunnel. Nothing if nobody does, or not in time.
    pub(crate) async fn hand_on(&self, caller: SocketAddr, local: SocketAddr) -> Option<HandedOn> {
        let announced = Message::Caller { caller, local }.encode();
        let taken = async {
            loop {
                let mut way = self.take().await?;
                // One that is dead does not mean that the next is.
                if announce(&mut way.stream, &announced).await.is_ok() {
                    return Some(way);
                }
            }
        };
        timeout(TAKING, taken).await.ok()?
    }

    /// A stream that was parked, or the next that is.
    async fn take(&self) -> Option<HandedOn> {
        let (stream_rx, cut) = {
            let mut state = self.state();
            let ownership = state.ownership.as_mut().filter(|o| o.intercepting)?;
            let cut = ownership.cut.subscribe();
            while let Some(stream) = ownership.parked.pop_front() {
                if is_open(&stream) {
                    return Some(HandedOn { stream, cut });
                }
            }
            // Those that gave up waiting make room; of the others there are no more than callers.
            ownership.waiting.retain(|waiting| !waiting.is_closed());
            // From whoever parks the next stream to this caller.
            let (stream_tx, stream_rx) = oneshot::channel();
            ownership.waiting.push_back(stream_tx);
            ownership.wanted.send_modify(|wanted| *wanted += 1);
            (stream_rx, cut)
        };
        let stream = stream_rx.await.ok()?;
        Some(HandedOn { stream, cut })
    }

    /// Keeps a stream until a caller comes.
    async fn park(&self, client: Client, session: Session) {
        let granted = Message::Granted {
            session,
            owner: None,
        };
        if !self.has_room(session) {
            return answer(client, &Message::Refused).await;
        }
        // Nothing is to be said on it before a caller has come.
        if !client.buffer().is_empty() {
            return;
        }
        let mut client = client;
        if client.write_all(&granted.encode()).await.is_err() {
            return;
        }
        if let Ok(stream) = client.into_inner().release().await {
            self.hand_out(stream, session);
        }
    }

    fn has_room(&self, session: Session) -> bool {
        let state = self.state();
        let ownership = state.ownership.as_ref();
        ownership.is_some_and(|o| o.session == session && o.parked.len() < self.most)
    }

    /// To the caller that waits longest, or to be parked.
    fn hand_out(&self, mut stream: TcpStream, session: Session) {
        let mut state = self.state();
        let Some(ownership) = state.ownership.as_mut() else {
            return;
        };
        if ownership.session != session {
            return;
        }
        while let Some(waiting) = ownership.waiting.pop_front() {
            match waiting.send(stream) {
                Ok(()) => return,
                Err(back) => stream = back,
            }
        }
        ownership.parked.push_back(stream);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole even if a holder panicked: every change to it is complete before anything can fail.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the owner who calls, and waits until it has taken the caller.
async fn announce(stream: &mut TcpStream, caller: &[u8]) -> io::Result<()> {
    stream.write_all(caller).await?;
    match talk::read(stream).await? {
        Message::Taken => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Whether nothing has come yet from the other end, not even its end.
fn is_open(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0]);
    read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Says the last that there is to say. The message is far smaller than the socket's buffer.
async fn answer(mut client: Client, message: &Message) {
    // Who is gone need not be told.
    let _ = client.write_all(&message.encode()).await;
    let _ = client.into_inner().release().await;
}
