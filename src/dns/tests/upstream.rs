//! A server of public names whose answers the tests know.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::{CNAME, PTR, SOA, TXT};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::sync::watch;

use super::super::reply::Reply;
use super::super::{Dial, Dns, ForwardPolicy};

/// For those who ask no server in any network.
pub(in crate::dns) fn no_tunnel() -> Dial {
    Arc::new(|_| Box::pin(async { Err(io::ErrorKind::NotConnected.into()) }))
}

/// A running server; ends when dropped.
pub(in crate::dns) struct Upstream {
    pub(in crate::dns) address: SocketAddr,
    /// The names asked for, from the server's tasks to the test.
    asked: watch::Receiver<Vec<String>>,
    _server: Server<Script>,
}

impl Upstream {
    /// Answers by what the name says; `failing` ones say `SERVFAIL` whatever they are asked.
    pub(in crate::dns) fn start(failing: bool) -> Self {
        let Dns { udp, tcp, address } = Dns::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let (asked_tx, asked) = watch::channel(Vec::new());
        let mut server = Server::new(Script { failing, asked_tx });
        server.register_socket(tokio::net::UdpSocket::from_std(udp).unwrap());
        let tcp = tokio::net::TcpListener::from_std(tcp).unwrap();
        server.register_listener(tcp, Duration::from_secs(10), 32);
        Self {
            address,
            asked,
            _server: server,
        }
    }

    pub(in crate::dns) fn policy(&self) -> ForwardPolicy {
        ForwardPolicy::Servers(vec![self.address])
    }

    /// The names asked for so far, with their types.
    pub(in crate::dns) fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }

    /// Waits until somebody has asked for `question`.
    pub(in crate::dns) async fn was_asked(&mut self, question: &str) {
        let asked = |asked: &Vec<String>| asked.iter().any(|one| one == question);
        self.asked.wait_for(asked).await.unwrap();
    }
}

struct Script {
    failing: bool,
    asked_tx: watch::Sender<Vec<String>>,
}

#[async_trait::async_trait]
impl RequestHandler for Script {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        handle: R,
    ) -> ResponseInfo {
        let query = request.queries.queries()[0].original().clone();
        let question = format!("{} {}", query.name().to_ascii(), query.query_type());
        self.asked_tx.send_modify(|asked| asked.push(question));
        let reply = if self.failing {
            Reply::error(ResponseCode::ServFail)
        } else {
            reply(query.name(), query.query_type()).await
        };
        send(&reply, request, handle).await
    }
}

async fn send(reply: &Reply, request: &Request, mut handle: impl ResponseHandler) -> ResponseInfo {
    let mut metadata = Metadata::response_from_request(&request.metadata);
    metadata.response_code = reply.code;
    metadata.recursion_available = true;
    let response = MessageResponseBuilder::new(&request.queries, request.edns.as_ref());
    let response = response.build(metadata, &reply.answers, &reply.authority, [], []);
    handle.send_response(response).await.unwrap()
}

async fn reply(name: &Name, wanted: RecordType) -> Reply {
    let soa = SOA::new(name.clone(), name.clone(), 7, 0, 0, 0, 900);
    let soa = Record::from_rdata(name.base_name(), 900, RData::SOA(soa));
    let found = |records| Reply::passed_on(ResponseCode::NoError, records, []);
    let record = |name: &Name, ttl, data| Record::from_rdata(name.clone(), ttl, data);
    let address = RData::A("192.0.2.80".parse().unwrap());
    let cdn: Name = "cdn.example.net.".parse().unwrap();
    let cname = record(name, 300, RData::CNAME(CNAME(cdn.clone())));
    match (name.to_lowercase().to_ascii().as_str(), wanted) {
        ("www.example.com.", RecordType::A) => found(vec![cname, record(&cdn, 60, address)]),
        ("www.example.com.", _) => Reply::passed_on(ResponseCode::NoError, vec![cname], [soa]),
        ("big.example.com.", RecordType::TXT) => {
            let text = |n: usize| RData::TXT(TXT::new(vec![format!("{n:0>200}")]));
            found((0..20).map(|n| record(name, 5, text(n))).collect())
        }
        ("8.8.8.8.in-addr.arpa.", RecordType::PTR) => {
            let pointer = RData::PTR(PTR("dns.example.org.".parse().unwrap()));
            found(vec![record(name, 60, pointer)])
        }
        ("empty.example.com.", _) => Reply::passed_on(ResponseCode::NoError, vec![], [soa]),
        ("fails.example.com.", _) => Reply::error(ResponseCode::ServFail),
        ("refused.example.com.", _) => Reply::error(ResponseCode::Refused),
        ("silent.example.com.", _) => std::future::pending().await,
        _ => Reply::passed_on(ResponseCode::NXDomain, vec![], [soa]),
    }
}
