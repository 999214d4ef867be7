//! The TCP side. hickory's own accept loop has no limit, ends for good when a caller hangs up early on macOS, and
//! lets a forwarded question hold up those behind it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use hickory_server::net;
use hickory_server::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_server::net::xfer::{BufDnsStreamHandle, DnsStreamHandle, Protocol};
use hickory_server::proto::op::{MessageType, SerialMessage};
use hickory_server::server::{Request, ResponseHandle, TimeoutStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handler::Handler;
use super::reply;

/// Connections at a time; others wait to be accepted.
const MAX_CONNECTIONS: usize = 128;
/// Questions of one connection at a time; the next ones are not read before.
const MAX_QUESTIONS: usize = 32;
/// A connection that asks nothing for so long is closed (RFC 7766 asks for a few seconds). Longer than any answer
/// takes.
const IDLE: Duration = Duration::from_secs(10);
/// The pause after a failed accept, most likely for want of file descriptors: trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts and answers until `stop`.
pub(super) async fn serve(listener: TcpListener, handler: Handler, stop: &CancellationToken) {
    let connections = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let accepting = async {
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = connection(stream, peer, handler.clone(), slot);
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

/// Answers one connection, each question as soon as its answer is there (RFC 7766 lets answers overtake).
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    handler: Handler,
    _slot: OwnedSemaphorePermit,
) {
    // Else answers to questions asked together wait for one another's acknowledgement.
    let _ = stream.set_nodelay(true);
    let stream = AsyncIoTokioAsStd(stream);
    let (stream, answers) = net::tcp::TcpStream::from_stream(stream, peer);
    let mut questions = TimeoutStream::new(stream, IDLE);
    let mut answering = JoinSet::new();
    while let Some(Ok(question)) = questions.next().await {
        while answering.try_join_next().is_some() {}
        if answering.len() >= MAX_QUESTIONS {
            answering.join_next().await;
        }
        answering.spawn(answer(question, peer, handler.clone(), answers.clone()));
    }
}

async fn answer(
    question: SerialMessage,
    peer: SocketAddr,
    handler: Handler,
    mut answers: BufDnsStreamHandle,
) {
    let (bytes, _) = question.into_parts();
    let id = bytes.first_chunk().map(|id| u16::from_be_bytes(*id));
    let Ok(request) = Request::from_bytes(bytes, peer, Protocol::Tcp) else {
        if let Some(bytes) = id.and_then(reply::malformed) {
            // Fails if the connection is gone, and nobody waits.
            let _ = answers.send(SerialMessage::new(bytes, peer));
        }
        return;
    };
    if request.metadata.message_type == MessageType::Query {
        let answers = ResponseHandle::new(peer, answers, Protocol::Tcp);
        handler.answer(&request, answers).await;
    }
}
