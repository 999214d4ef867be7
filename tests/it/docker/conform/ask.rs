//! Many questions to Docker's resolver at a time, from inside a container.
//!
//! The upstream server of every container is this file's own, so that nothing leaves the machine and that it can be
//! told what the resolver knew from what it passed on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_server::proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_server::proto::rr::rdata::PTR;
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use super::inside::Sockets;

/// What the upstream server answers to everything.
const MARKER_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
const MARKER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77);
const MARKER_NAME: &str = "forwarded.";
/// Questions under way at a time: engine 20.10 drops what goes beyond 100.
const WINDOW: usize = 48;
/// A datagram may be lost, and a busy engine may be late.
const TRY_AGAIN: Duration = Duration::from_secs(3);
const TRIES: u32 = 4;

/// What one name, or one address, is to a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// These addresses or names.
    Found(BTreeSet<String>),
    /// It exists, without such a record.
    NoData,
    /// Somebody else is asked.
    Elsewhere,
    /// No answer came.
    Silence,
}

/// A question as it goes over the wire.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) wanted: RecordType,
}

#[derive(Debug)]
struct Sent {
    at: Instant,
    tries: u32,
}

/// Asks everything; the verdicts are in the order of the questions.
pub(super) async fn ask(sockets: Sockets, questions: &[Question]) -> Vec<Verdict> {
    let asker = UdpSocket::from_std(sockets.asker).unwrap();
    let upstream = UdpSocket::from_std(sockets.upstream).unwrap();
    tokio::select! {
        verdicts = ask_all(&asker, questions) => verdicts,
        () = serve_upstream(&upstream) => unreachable!("it serves for ever"),
    }
}

async fn ask_all(asker: &UdpSocket, questions: &[Question]) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Silence; questions.len()];
    let mut waiting: BTreeMap<usize, Sent> = BTreeMap::new();
    let mut next = 0;
    let mut buffer = [0; 4096];
    while next < questions.len() || !waiting.is_empty() {
        while waiting.len() < WINDOW && next < questions.len() {
            send(asker, next, &questions[next]).await;
            waiting.insert(
                next,
                Sent {
                    at: Instant::now(),
                    tries: 1,
                },
            );
            next += 1;
        }
        let tick = Duration::from_millis(200);
        // A refused datagram, told by the next call, is as good as a lost one.
        if let Ok(Ok(length)) = tokio::time::timeout(tick, asker.recv(&mut buffer)).await
            && let Ok(answer) = Message::from_vec(&buffer[..length])
        {
            let number = usize::from(answer.metadata.id);
            if waiting.remove(&number).is_some() {
                verdicts[number] = verdict(&answer);
            }
        }
        for number in overdue(&mut waiting) {
            send(asker, number, &questions[number]).await;
        }
    }
    verdicts
}

/// Those that are to be asked once more. Those that were asked often enough are given up.
fn overdue(waiting: &mut BTreeMap<usize, Sent>) -> Vec<usize> {
    waiting.retain(|_, sent| sent.tries < TRIES || sent.at.elapsed() < TRY_AGAIN);
    let late = waiting
        .iter_mut()
        .filter(|(_, sent)| sent.at.elapsed() >= TRY_AGAIN);
    late.map(|(number, sent)| {
        *sent = Sent {
            at: Instant::now(),
            tries: sent.tries + 1,
        };
        *number
    })
    .collect()
}

async fn send(asker: &UdpSocket, number: usize, question: &Question) {
    let id = u16::try_from(number).expect("fewer questions than ids");
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(question.name.clone(), question.wanted));
    // What is not sent is sent again.
    let _ = asker.send(&message.to_vec().unwrap()).await;
}

fn verdict(answer: &Message) -> Verdict {
    let data = answer.answers.iter().map(|record| match &record.data {
        RData::PTR(PTR(name)) => name.to_ascii(),
        data => data.to_string(),
    });
    let found: BTreeSet<String> = data.collect();
    let markers = [
        MARKER_V4.to_string(),
        MARKER_V6.to_string(),
        MARKER_NAME.to_owned(),
    ];
    // A container on internal networks alone has nobody to ask: the engine says that it failed.
    if answer.metadata.response_code != ResponseCode::NoError
        || markers.iter().any(|marker| found.contains(marker))
    {
        return Verdict::Elsewhere;
    }
    if found.is_empty() {
        return Verdict::NoData;
    }
    let bare = |text: String| text.trim_end_matches('.').to_owned();
    Verdict::Found(found.into_iter().map(bare).collect())
}

async fn serve_upstream(socket: &UdpSocket) {
    let mut buffer = [0; 4096];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        if let Ok(question) = Message::from_vec(&buffer[..length]) {
            reply(socket, from, &question).await;
        }
    }
}

async fn reply(socket: &UdpSocket, to: SocketAddr, question: &Message) {
    let Some(query) = question.queries.first() else {
        return;
    };
    let data = match query.query_type() {
        RecordType::A => RData::from(std::net::IpAddr::V4(MARKER_V4)),
        RecordType::AAAA => RData::from(std::net::IpAddr::V6(MARKER_V6)),
        _ => RData::PTR(PTR(Name::from_ascii(MARKER_NAME).unwrap())),
    };
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    answer.add_answer(Record::from_rdata(query.name().clone(), 0, data));
    let _ = socket.send_to(&answer.to_vec().unwrap(), to).await;
}
