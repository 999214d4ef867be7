//! One ownership of the tunnel: beats both ways, settings one way, wishes for streams the other.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use super::streams::Streams;
use super::{Link, hello, usable};
use crate::core::tunnel_state::SocksAccess;
use crate::core::wire::{Message, Session};

/// Between beats.
const BEAT: Duration = Duration::from_secs(2);
/// A tunnel that says nothing for so long is dead.
const DEAD: Duration = Duration::from_secs(6);
/// Wishes for streams that have yet to be read; the tunnel puts more callers into one wish if it has to wait.
const WISHES: usize = 64;

impl Link {
    /// Owns the tunnel until the connection breaks, or the tunnel is reached elsewhere, or until `stop`; answers why.
    pub(super) async fn keep(
        &self,
        access: &SocksAccess,
        mut control: TcpStream,
        session: Session,
        stop: &CancellationToken,
    ) -> io::Error {
        let (from, to) = control.split();
        // From the tunnel to those who make streams.
        let (wishes_tx, wishes) = mpsc::channel(WISHES);
        let streams = Streams::new(self.clone(), access.clone(), session);
        let mut tunnel = self.tunnel.clone();
        let ended = tokio::select! {
            heard = listen(from, wishes_tx) => heard,
            told = self.tell(to, stop) => told,
            () = streams.keep(wishes) => Ok(()),
            _ = tunnel.wait_for(|state| usable(state) != Some(access)) => Ok(()),
        };
        let gone = || io::Error::other("the tunnel is gone, or to be reached elsewhere");
        ended.err().unwrap_or_else(gone)
    }

    /// Sends settings whenever they change, and beats; says good-bye at the end.
    async fn tell(
        &self,
        mut to: impl AsyncWrite + Unpin,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let mut intercepting = self.intercepting.clone();
        intercepting.mark_changed();
        let mut beats = interval(BEAT);
        loop {
            let message = tokio::select! {
                biased;
                () = stop.cancelled() => Message::Farewell,
                Ok(()) = intercepting.changed() => Message::Settings {
                    intercepting: *intercepting.borrow_and_update(),
                    internal_egress: self.internal_egress,
                },
                _ = beats.tick() => Message::Beat,
            };
            timeout(DEAD, to.write_all(&message.encode())).await??;
            if message == Message::Farewell {
                return Ok(());
            }
        }
    }
}

/// Passes on wishes until the tunnel says nothing any more.
async fn listen(mut from: impl AsyncRead + Unpin, wishes: mpsc::Sender<u16>) -> io::Result<()> {
    loop {
        let message = timeout(DEAD, hello::read(&mut from)).await??;
        if let Message::Want { streams } = message
            && wishes.send(streams).await.is_err()
        {
            return Ok(());
        }
    }
}
