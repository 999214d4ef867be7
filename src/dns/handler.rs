//! From a question to its reply: here, or from the world's resolvers.

use std::sync::Arc;
use std::time::Instant;

use hickory_server::proto::op::{OpCode, Query, ResponseCode};
use hickory_server::proto::rr::{DNSClass, Name, RecordType};
use hickory_server::server::Request;
use ipnet::IpNet;

use super::View;
use super::forward::Forwarder;
use super::reply::Reply;
use crate::core::map::NetworkMap;
use crate::core::resolve::{self, Answer, Lookup, Scope, Status};
use crate::core::route::{self, Resolvers, ThisHost};

/// Answers requests, from the map of the moment.
#[derive(Clone)]
pub(super) struct Handler {
    view: View,
    forwarder: Forwarder,
}

impl Handler {
    pub(super) fn new(view: View, forwarder: Forwarder) -> Self {
        Self { view, forwarder }
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
        let map = Arc::clone(&self.view.map.borrow());
        let here = || ThisHost {
            own: &self.view.own,
            has_engine: self.view.tunnel.borrow().engine_is_here,
            internal_egress: self.view.internal_egress,
        };
        ask_map(&map, query, here).map(|answer| Reply::from_map(&answer, query.name()))
    }

    /// Counts an answer to a question that came at `since`; without a request it was none that could be read.
    pub(super) fn count(&self, request: Option<&Request>, code: ResponseCode, since: Instant) {
        let queries = request.map(|request| request.queries.queries());
        let query = queries.and_then(<[_]>::first);
        let qtype = query.map(|query| query.query_type().into());
        let counts = &self.view.counts.dns;
        counts.answered(qtype, code.into(), since.elapsed());
    }

    /// The reply of the world's resolvers.
    pub(super) async fn forwarded(&self, outward: Outward) -> Reply {
        let Outward {
            names,
            record_type,
            resolvers,
            owner,
            otherwise,
        } = outward;
        let asked = self.forwarder.ask(&names, record_type, &resolvers).await;
        let is_there = |reply: &Reply| reply.code == ResponseCode::NoError;
        match (asked, otherwise) {
            (Some((name, reply)), None) => reply.renamed(&name, &owner),
            (Some((name, reply)), Some(_)) if is_there(&reply) => reply.renamed(&name, &owner),
            (_, Some(known)) => Reply::from_map(&known, &owner),
            (None, None) => Reply::unknown(),
        }
    }
}

/// A question for the world's resolvers.
pub(super) struct Outward {
    /// What may be meant.
    names: Vec<Name>,
    record_type: RecordType,
    resolvers: Resolvers,
    /// The name that was asked for.
    owner: Name,
    /// What is known here, in case that none of them is there.
    otherwise: Option<Answer>,
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

fn ask_map<'h>(
    map: &NetworkMap,
    query: &Query,
    here: impl FnOnce() -> ThisHost<'h>,
) -> Result<Answer, Box<Outward>> {
    if let Ok(range) = query.name().parse_arpa_name() {
        let answer = ask_map_reverse(map, range, query.query_type());
        return known_or_asked(answer, query);
    }
    let wanted = match query.query_type() {
        RecordType::A => resolve::RecordType::A,
        RecordType::AAAA => resolve::RecordType::Aaaa,
        _ => resolve::RecordType::Other,
    };
    let name = query.name().to_ascii();
    let Some((scope, inner)) = resolve::narrow(map, &Scope::Merged, &name) else {
        let answer = resolve::resolve(map, &Scope::Merged, &name, wanted);
        return known_or_asked(answer, query);
    };
    let Lookup { world, known } = resolve::lookup(map, &scope, inner, &[wanted]);
    // What is no name any more, having lost its end, is nobody's.
    let names = world.iter().map(|name| format!("{name}."));
    let names: Vec<_> = names.filter_map(|n| Name::from_ascii(n).ok()).collect();
    let resolved = |name: &str| resolve::resolve(map, &scope, name, wanted);
    if names.is_empty() {
        let name = known.as_deref().unwrap_or(inner);
        let answer = resolved(name);
        return Ok(match answer.status {
            Status::Forward => Answer::not_found(),
            Status::Found | Status::NoData | Status::NotFound => answer,
        });
    }
    Err(Box::new(Outward {
        names,
        record_type: query.query_type(),
        resolvers: route::resolvers(map, &scope, here()),
        owner: query.name().clone(),
        otherwise: known.as_deref().map(resolved),
    }))
}

fn known_or_asked(answer: Answer, query: &Query) -> Result<Answer, Box<Outward>> {
    if answer.status != Status::Forward {
        return Ok(answer);
    }
    Err(Box::new(Outward {
        names: vec![query.name().clone()],
        record_type: query.query_type(),
        resolvers: Resolvers::System,
        owner: query.name().clone(),
        otherwise: None,
    }))
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
