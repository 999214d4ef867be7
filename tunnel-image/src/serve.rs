//! Accepts connections within bounds and owns their tasks. What happens on a connection is left to `socks` and `entry`.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// After a failed accept: most often no file or memory is left, and trying again at once would only burn the processor.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Accepts until `stop` and serves each client, at most `capacity` at a time; more wait in the kernel's queue.
///
/// Answers the connections that are still open; dropping them ends them.
pub(crate) async fn serve<Served>(
    listeners: Vec<TcpListener>,
    client: impl Fn(TcpStream) -> Served,
    capacity: usize,
    stop: impl Future<Output = ()>,
) -> JoinSet<()>
where
    Served: Future<Output = ()> + Send + 'static,
{
    let mut open = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return open,
            Some(_) = open.join_next() => {}
            accepted = poll_fn(|cx| poll_accept(&listeners, cx)), if open.len() < capacity => match accepted {
                Ok(stream) => {
                    open.spawn(client(stream));
                }
                Err(_) => sleep(BACK_OFF).await,
            },
        }
    }
}

fn poll_accept(listeners: &[TcpListener], cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
    for listener in listeners {
        if let Poll::Ready(accepted) = listener.poll_accept(cx) {
            return Poll::Ready(accepted.map(|(client, _)| client));
        }
    }
    Poll::Pending
}

#[cfg(test)]
mod tests;
