//! From a question to its reply: here, or from the world's resolvers.

use std::sync::Arc;

use hickory_server::proto::op::{OpCode, Query, ResponseCode};
use hickory_server::proto::rr::{DNSClass, Name, RecordType};
use hickory_server::server::Request;
use ipnet::IpNet;
use tokio::sync::watch;

use super::forward::Forwarder;
use super::reply::Reply;
use crate::core::map::NetworkMap;
use crate::core::resolve::{self, Answer, Scope, Status};

/// Answers requests, from the map of the moment.
#[derive(Clone)]
pub(super) struct Handler {
    /// From the watcher.
    map: watch::Receiver<Arc<NetworkMap>>,
    forwarder: Forwarder,
}

impl Handler {
    pub(super) fn new(map: watch::Receiver<Arc<NetworkMap>>, forwarder: Forwarder) -> Self {
        Self { map, forwarder }
    }

    /// The reply to a request, whoever has it.
    pub(super) async fn reply(&self, request: &Request) -> Reply {
        match self.known(request) {
            Ok(reply) => reply,
            Err(outward) => self.forwarded(*outward).await,
        }
    }

    /// The reply to a request, or what the world's resolvers are to be asked for it.
    pub(super) fn known(&self, request: &Request) -> Result<Reply, Box<Outward>> {
        let query = match question(request) {
            Ok(query) => query,
            Err(code) => return Ok(Reply::error(code)),
        };
        let map = Arc::clone(&self.map.borrow());
        ask_map(&map, query).map(|answer| Reply::from_map(&answer, query.name()))
    }

    /// The reply of the world's resolvers.
    pub(super) async fn forwarded(&self, outward: Outward) -> Reply {
        let Outward { query, owner } = outward;
        let reply = self.forwarder.ask(&query).await;
        let reply = reply.unwrap_or_else(Reply::unknown);
        match owner {
            Some(owner) => reply.renamed(query.name(), &owner),
            None => reply,
        }
    }
}

/// A question for the world's resolvers.
pub(super) struct Outward {
    query: Query,
    /// The name that was asked for, if it stands for another.
    owner: Option<Name>,
}

/// The one question of a request that can be answered at all.
fn question(request: &Request) -> Result<&Query, ResponseCode> {
    if request.metadata.op_code != OpCode::Query {
        return Err(ResponseCode::NotImp);
    }
    if request.version() != 0 {
        return Err(ResponseCode::BADVERS);
    }
    let [query] = request.queries.queries() else {
        return Err(ResponseCode::FormErr);
    };
    let transfer = matches!(query.query_type(), RecordType::AXFR | RecordType::IXFR);
    if query.query_class() != DNSClass::IN || transfer {
        return Err(ResponseCode::NotImp);
    }
    Ok(query.original())
}

fn ask_map(map: &NetworkMap, query: &Query) -> Result<Answer, Box<Outward>> {
    if let Ok(range) = query.name().parse_arpa_name() {
        let answer = ask_map_reverse(map, range, query.query_type());
        return known_or(answer, || query.clone().into());
    }
    let wanted = match query.query_type() {
        RecordType::A => resolve::RecordType::A,
        RecordType::AAAA => resolve::RecordType::Aaaa,
        _ => resolve::RecordType::Other,
    };
    let name = query.name().to_ascii();
    match resolve::narrow(map, &Scope::Merged, &name) {
        None => {
            let answer = resolve::resolve(map, &Scope::Merged, &name, wanted);
            known_or(answer, || query.clone().into())
        }
        Some((scope, inner)) => {
            let answer = resolve::resolve(map, &scope, inner, wanted);
            // What is no name any more, having lost its end, is nobody's.
            let Ok(inner) = Name::from_ascii(format!("{inner}.")) else {
                return Ok(Answer::not_found());
            };
            known_or(answer, || Outward {
                query: Query::query(inner, query.query_type()),
                owner: Some(query.name().clone()),
            })
        }
    }
}

fn known_or(answer: Answer, outward: impl FnOnce() -> Outward) -> Result<Answer, Box<Outward>> {
    if answer.status == Status::Forward {
        return Err(Box::new(outward()));
    }
    Ok(answer)
}

impl From<Query> for Outward {
    fn from(query: Query) -> Self {
        Self { query, owner: None }
    }
}

/// The name under `arpa` of an address, or of a range of them, which has no pointer.
fn ask_map_reverse(map: &NetworkMap, range: IpNet, wanted: RecordType) -> Answer {
    if range.prefix_len() < range.max_prefix_len() {
        return Answer::empty(if resolve::is_local_range(map, range) {
            Status::NotFound
        } else {
            Status::Forward
        });
    }
    let answer = resolve::reverse(map, &Scope::Merged, range.addr());
    if answer.status == Status::Found && wanted != RecordType::PTR {
        return Answer::empty(Status::NoData);
    }
    answer
}
