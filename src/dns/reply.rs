//! The core's answers in DNS's words.

use std::sync::LazyLock;

use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Edns, Message, Metadata, OpCode, ResponseCode};
use hickory_server::proto::rr::rdata::{PTR, SOA};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::proto::serialize::binary::BinEncoder;
use hickory_server::server::Request;
use hickory_server::zone_handler::MessageResponseBuilder;

use crate::core::resolve::{Answer, Status};

/// Containers come and go, and their addresses are used again at once.
const TTL: u32 = 0;
/// The largest datagram sent, whatever the asker would take: hickory's own buffers are no larger.
const MAX_DATAGRAM: u16 = 4096;
/// What a datagram holds if the asker does not say (RFC 1035).
const PLAIN_DATAGRAM: u16 = 512;

/// The name that answers go by.
static SERVER_NAME: LazyLock<Name> =
    LazyLock::new(|| Name::from_ascii("dockline.").unwrap_or_else(|_| Name::root()));

/// An answer on its way out.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: ResponseCode,
    /// Whether this server is the one to know.
    pub(super) authoritative: bool,
    pub(super) answers: Vec<Record>,
    /// The SOA record of an answer without data.
    pub(super) authority: Vec<Record>,
}

impl Reply {
    /// What the map says about `owner`, whose spelling is kept.
    pub(super) fn from_map(answer: &Answer, owner: &Name) -> Self {
        let record = |data| Record::from_rdata(owner.clone(), TTL, data);
        let addresses = answer.addresses.iter().map(|a| RData::from(*a));
        let answers: Vec<_> = addresses.chain(pointers(answer)).map(record).collect();
        let code = match answer.status {
            Status::Found | Status::NoData => ResponseCode::NoError,
            Status::NotFound | Status::Forward => ResponseCode::NXDomain,
        };
        let negative = answers.is_empty();
        Self {
            code,
            authoritative: true,
            answers,
            authority: negative.then(soa).into_iter().collect(),
        }
    }

    /// A name of the world that nobody knows or could be asked for.
    pub(super) fn unknown() -> Self {
        Self {
            code: ResponseCode::NXDomain,
            authoritative: false,
            answers: Vec::new(),
            authority: vec![soa()],
        }
    }

    /// What another server said. Its SOA record says how long it holds that there is nothing.
    pub(super) fn passed_on(
        code: ResponseCode,
        answers: Vec<Record>,
        authority: impl IntoIterator<Item = Record>,
    ) -> Self {
        let is_soa = |record: &Record| record.record_type() == RecordType::SOA;
        let mut authority: Vec<_> = authority.into_iter().filter(is_soa).collect();
        if answers.is_empty() && authority.is_empty() {
            authority.push(soa());
        }
        Self {
            code,
            authoritative: false,
            answers,
            authority,
        }
    }

    /// The same for `owner`, who may stand for `asked`: an asker takes records of the name in its question alone.
    pub(super) fn renamed(mut self, asked: &Name, owner: &Name) -> Self {
        if asked == owner {
            return self;
        }
        let records = self.answers.iter_mut();
        for record in records.filter(|record| record.name == *asked) {
            record.name = owner.clone();
        }
        if self.answers.is_empty() {
            // That of another name's zone says nothing of this one.
            self.authority = vec![soa()];
        }
        self
    }

    /// A question that makes no sense here.
    pub(super) fn error(code: ResponseCode) -> Self {
        Self {
            code,
            authoritative: false,
            answers: Vec::new(),
            authority: Vec::new(),
        }
    }

    /// The bytes that answer `request`.
    pub(super) fn encode(mut self, request: &Request) -> Option<Vec<u8>> {
        let edns = request.edns.as_ref().map(edns);
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = self.code;
        metadata.authoritative = self.authoritative;
        metadata.recursion_available = true;
        let (bytes, whole) = self.write(request, metadata, edns.as_ref())?;
        if whole || request.protocol() == Protocol::Tcp {
            return Some(bytes);
        }
        // Part of an answer is of no use in a datagram, and would leave no room for the OPT record.
        metadata.truncation = true;
        self.answers.clear();
        self.authority.clear();
        let (bytes, _) = self.write(request, metadata, edns.as_ref())?;
        Some(bytes)
    }

    /// Writes everything down, and tells whether there was room.
    fn write(
        &self,
        request: &Request,
        metadata: Metadata,
        edns: Option<&Edns>,
    ) -> Option<(Vec<u8>, bool)> {
        let response = MessageResponseBuilder::new(&request.queries, edns).build(
            metadata,
            &self.answers,
            &self.authority,
            [],
            [],
        );
        let mut bytes = Vec::with_capacity(PLAIN_DATAGRAM.into());
        let mut encoder = BinEncoder::new(&mut bytes);
        encoder.set_max_size(match request.protocol() {
            Protocol::Udp => edns.map_or(PLAIN_DATAGRAM, Edns::max_payload),
            _ => u16::MAX,
        });
        match response.destructive_emit(&mut encoder) {
            Ok(header) => Some((bytes, !header.truncation)),
            Err(error) => {
                tracing::debug!(%error, "DNS answer not written");
                None
            }
        }
    }
}

/// Names that DNS cannot express have no record: labels end at 63 bytes, container names do not.
fn pointers(answer: &Answer) -> impl Iterator<Item = RData> {
    let names = answer.names.iter();
    let names = names.filter_map(|name| Name::from_ascii(format!("{name}.")).ok());
    names.map(|name| RData::PTR(PTR(name)))
}

/// The SOA record of answers without data. It is the root's, because names on networks have any form, and nothing
/// that it says is to be remembered.
fn soa() -> Record {
    let soa = SOA::new(SERVER_NAME.clone(), Name::root(), 1, 0, 0, 0, TTL);
    Record::from_rdata(Name::root(), TTL, RData::SOA(soa))
}

/// The OPT record of an answer. Its size also limits the datagram.
fn edns(asked: &Edns) -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(asked.max_payload().min(MAX_DATAGRAM));
    edns
}

/// The bytes that answer what cannot be read.
pub(super) fn malformed(id: u16) -> Option<Vec<u8>> {
    let message = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
    message.to_vec().ok()
}
