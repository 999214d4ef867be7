//! The UDP side. What the map knows is answered where it is read; only a question for the world's resolvers gets a
//! task. hickory's own loop has a task, a queue and a second buffer for every question, which together cost as much
//! as the answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{MessageType, ResponseCode};
use hickory_server::server::Request;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::handler::Handler;
use super::reply::{self, Reply};

/// What is read of a datagram: more than any question has.
const MAX_QUESTION: usize = 4096;
/// A message's header (RFC 1035). What is shorter gets no answer.
const HEADER: usize = 12;

/// Answers until the socket is no longer usable.
pub(super) async fn serve(socket: UdpSocket, handler: &Handler) -> io::Error {
    let socket = Arc::new(socket);
    let mut buffer = vec![0; MAX_QUESTION];
    // As many as the forwarder takes at a time, and those that it has just refused.
    let mut forwarding = JoinSet::new();
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) if is_final(&error) => return error,
            Err(error) => {
                tracing::debug!(%error, "DNS question not received");
                continue;
            }
        };
        let since = Instant::now();
        if length < HEADER || !can_be_answered(peer) {
            continue;
        }
        let Some(request) = read(&socket, &buffer[..length], peer, handler).await else {
            continue;
        };
        let outward = match handler.known(&request) {
            Ok(reply) => {
                handler.count(Some(&request), reply.code, since);
                answer(&socket, &request, reply).await;
                continue;
            }
            Err(outward) => outward,
        };
        while forwarding.try_join_next().is_some() {}
        let (socket, handler) = (Arc::clone(&socket), handler.clone());
        forwarding.spawn(async move {
            let reply = handler.forwarded(*outward).await;
            handler.count(Some(&request), reply.code, since);
            answer(&socket, &request, reply).await;
        });
    }
}

/// The question of a datagram. What cannot be read is answered here; answers are nobody's question.
async fn read(
    socket: &UdpSocket,
    bytes: &[u8],
    peer: SocketAddr,
    handler: &Handler,
) -> Option<Request> {
    let since = Instant::now();
    let Ok(request) = Request::from_bytes(bytes.to_vec(), peer, Protocol::Udp) else {
        let id = u16::from_be_bytes([bytes[0], bytes[1]]);
        send(socket, &reply::malformed(id)?, peer).await;
        handler.count(None, ResponseCode::FormErr, since);
        return None;
    };
    let is_question = request.metadata.message_type == MessageType::Query;
    is_question.then_some(request)
}

async fn answer(socket: &UdpSocket, request: &Request, reply: Reply) {
    if let Some(bytes) = reply.encode(request) {
        send(socket, &bytes, request.src()).await;
    }
}

async fn send(socket: &UdpSocket, bytes: &[u8], peer: SocketAddr) {
    if let Err(error) = socket.send_to(bytes, peer).await {
        tracing::debug!(%error, "DNS answer not sent");
    }
}

/// Not an address from which anybody asks, and one to which an answer may go astray.
fn can_be_answered(peer: SocketAddr) -> bool {
    peer.port() != 0 && !peer.ip().is_unspecified()
}

/// Other errors are about one datagram, or pass.
fn is_final(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotConnected | io::ErrorKind::ConnectionAborted
    )
}
