//! How connections come in: within bounds, until told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// After a failed accept: most often no file or memory is left, and trying again at once would only burn the processor.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Accepts that fail, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Trouble(bool);

impl Trouble {
    /// One did not fail.
    pub(crate) fn ends(&mut self) {
        self.0 = false;
    }

    /// One failed, for `whose` clients: says so, and lets some time pass.
    pub(crate) async fn goes_on(&mut self, whose: &str, error: &io::Error) {
        if self.is_news() {
            warn!(%error, "{whose} cannot accept connections");
        }
        sleep(BACK_OFF).await;
    }

    /// It is said once, and not ten times a second for as long as it lasts.
    fn is_news(&mut self) -> bool {
        !std::mem::replace(&mut self.0, true)
    }
}

/// A place among so many, held for as long as somebody is served.
pub(crate) type Place = OwnedSemaphorePermit;

/// Takes what a channel brings, at most `capacity` at a time, until `stop`.
pub(crate) async fn receive<T>(
    mut arrivals: mpsc::Receiver<T>,
    capacity: usize,
    stop: &CancellationToken,
    mut begin: impl FnMut(T, Place),
) {
    let places = Arc::new(Semaphore::new(capacity));
    let mut next = async || {
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        Some((arrivals.recv().await?, place))
    };
    while let Some(Some((arrival, place))) = stop.run_until_cancelled(next()).await {
        begin(arrival, place);
    }
}

/// Accepts connections for `whose`, at most `capacity` at a time, until `stop`.
pub(crate) async fn accept(
    listener: TcpListener,
    whose: &str,
    capacity: usize,
    stop: &CancellationToken,
    mut begin: impl FnMut(TcpStream, SocketAddr, Place),
) {
    let places = Arc::new(Semaphore::new(capacity));
    let next = async || {
        let place = Arc::clone(&places).acquire_owned().await;
        let place = place.map_err(io::Error::other)?;
        let (stream, peer) = listener.accept().await?;
        Ok::<_, io::Error>((stream, peer, place))
    };
    let mut trouble = Trouble::default();
    while let Some(accepted) = stop.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, peer, place)) => {
                trouble.ends();
                begin(stream, peer, place);
            }
            Err(error) => trouble.goes_on(whose, &error).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_said_once_for_as_long_as_it_lasts() {
        let mut trouble = Trouble::default();
        let said: Vec<bool> = (0..3).map(|_| trouble.is_news()).collect();
        assert_eq!(said, [true, false, false]);
        trouble.ends();
        assert!(trouble.is_news());
    }
}
