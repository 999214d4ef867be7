//! The TCP side. hickory's own accept loop has no limit, ends for good when a caller hangs up early on macOS, and
//! lets a forwarded question hold up those behind it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use hickory_server::net;
use hickory_server::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_server::net::xfer::{BufDnsStreamHandle, DnsStreamHandle, Protocol};
use hickory_server::proto::op::{MessageType, ResponseCode, SerialMessage};
use hickory_server::server::{Request, TimeoutStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handler::Handler;
use super::reply;

/// Connections at a time. For one more, the one that has been idle for longest makes room; while none is idle, it waits.
pub(super) const MAX_CONNECTIONS: usize = 128;
/// Questions of one connection at a time; the next ones are not read before.
const MAX_QUESTIONS: usize = 32;
/// A connection that asks nothing for so long is closed (RFC 7766 asks for a few seconds). Longer than any answer
/// takes.
const IDLE: Duration = Duration::from_secs(10);
/// The pause after a failed accept, most likely for want of file descriptors: trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The places of connections.
struct Places {
    free: Arc<Semaphore>,
    /// Idle connections wait on it for being asked to leave, and are asked in the order in which they began to wait.
    wanted: Notify,
}

impl Places {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(count)),
            wanted: Notify::new(),
        })
    }

    /// Takes a place, if need be that of an idle connection: whoever holds all places shall not keep others out.
    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        if self.free.available_permits() == 0 {
            self.wanted.notify_one();
        }
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        // If one became free while none was idle, the next idle one need not leave.
        let _ = self.wanted.notified().now_or_never();
        place
    }
}

/// Accepts and answers until `stop`.
pub(super) async fn serve(listener: TcpListener, handler: Handler, stop: &CancellationToken) {
    let connections = TaskTracker::new();
    let places = Places::new(MAX_CONNECTIONS);
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let Some(place) = places.take().await else {
                        return;
                    };
                    let places = Arc::clone(&places);
                    let connection = connection(stream, peer, handler.clone(), places, place);
                    connections.spawn(stop.clone().run_until_cancelled_owned(connection));
                }
                Err(error) => {
                    tracing::debug!(%error, "DNS connection not accepted");
                    time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepting).await;
    connections.close();
    connections.wait().await;
}

/// Answers one connection, each question as soon as its answer is there (RFC 7766 lets answers overtake), until it has
/// been idle for too long or another one needs its place.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    handler: Handler,
    places: Arc<Places>,
    _place: OwnedSemaphorePermit,
) {
    // Else answers to questions asked together wait for one another's acknowledgement.
    let _ = stream.set_nodelay(true);
    let stream = AsyncIoTokioAsStd(stream);
    let (stream, answers) = net::tcp::TcpStream::from_stream(stream, peer);
    let mut questions = TimeoutStream::new(stream, IDLE);
    let mut answering = JoinSet::new();
    loop {
        let has_room = answering.len() < MAX_QUESTIONS;
        let is_idle = answering.is_empty();
        let question = tokio::select! {
            biased;
            // First, because it also sends the answers.
            question = questions.next(), if has_room => question,
            Some(_) = answering.join_next() => continue,
            () = places.wanted.notified(), if is_idle => return,
        };
        let Some(Ok(question)) = question else {
            return;
        };
        answering.spawn(answer(question, peer, handler.clone(), answers.clone()));
    }
}

async fn answer(
    question: SerialMessage,
    peer: SocketAddr,
    handler: Handler,
    mut answers: BufDnsStreamHandle,
) {
    let since = Instant::now();
    let (bytes, _) = question.into_parts();
    let id = bytes.first_chunk().map(|id| u16::from_be_bytes(*id));
    let Ok(request) = Request::from_bytes(bytes, peer, Protocol::Tcp) else {
        if let Some(bytes) = id.and_then(reply::malformed) {
            // Fails if the connection is gone, and nobody waits.
            let _ = answers.send(SerialMessage::new(bytes, peer));
            handler.count(None, ResponseCode::FormErr, since);
        }
        return;
    };
    if request.metadata.message_type == MessageType::Query {
        let reply = handler.reply(&request).await;
        handler.count(Some(&request), reply.code, since);
        if let Some(bytes) = reply.encode(&request) {
            let _ = answers.send(SerialMessage::new(bytes, peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_has_been_idle_for_longest_makes_room() {
        let places = Places::new(2);
        let (first, second) = (places.take().await, places.take().await);
        let mut taking = Box::pin(places.take());
        let mut first_idle = Box::pin(places.wanted.notified());
        let mut second_idle = Box::pin(places.wanted.notified());
        assert!((&mut first_idle).now_or_never().is_none());
        assert!((&mut second_idle).now_or_never().is_none());

        assert!((&mut taking).now_or_never().is_none());
        assert!((&mut first_idle).now_or_never().is_some());
        assert!((&mut second_idle).now_or_never().is_none());
        drop(first);
        assert!(taking.await.is_some());
        drop(second);
    }

    #[tokio::test]
    async fn nobody_leaves_for_a_place_that_became_free() {
        let places = Places::new(1);
        let busy = places.take().await;
        let mut taking = Box::pin(places.take());
        assert!((&mut taking).now_or_never().is_none());
        drop(busy);
        assert!(taking.await.is_some());
        assert!(places.wanted.notified().now_or_never().is_none());
    }
}
