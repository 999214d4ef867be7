//! Questions for the world's resolvers.
//!
//! Servers are asked in their order. The next one is asked if one does not answer, or says SERVFAIL or REFUSED;
//! any other answer is final, as in Docker's own forwarding. Nothing is cached: whoever answers has a cache.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{DnsRequestOptions, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use tokio::sync::Semaphore;
use tokio::time;

use super::policy::ForwardPolicy;
use super::reply::Reply;
use crate::core::resolve::{self, Answer, Source, Status};

/// The longest that a question waits for an answer. Resolvers ask again after 5 seconds (the C library, c-ares).
const DEADLINE: Duration = Duration::from_secs(4);
/// Questions under way at a time; further ones find nothing. A loop through another resolver ends here.
const MAX_QUESTIONS: usize = 256;
/// How many of the system's servers are asked: the C library's and Docker's limit.
const MAX_SYSTEM_SERVERS: usize = 3;
/// For how long the system's servers are taken to be the same. They change with every network that a laptop joins.
const SYSTEM_SERVERS_LAST: Duration = Duration::from_secs(5);

/// One server, with the connections to it.
type Server = NameServerPool<TokioRuntimeProvider>;

/// Asks other servers, as the policy says. Copies share limit and connections.
#[derive(Clone)]
pub struct Forwarder {
    policy: ForwardPolicy,
    /// Where dockline's own DNS listens: never asked.
    own: SocketAddr,
    deadline: Duration,
    slots: Arc<Semaphore>,
    servers: Arc<Mutex<Servers>>,
}

/// Whom to ask.
#[derive(Default)]
struct Servers {
    addresses: Vec<SocketAddr>,
    asked: Arc<[Server]>,
    known_since: Option<Instant>,
}

impl Forwarder {
    /// Asks whom `policy` says, but never `own`, where this dockline answers itself.
    pub fn new(policy: ForwardPolicy, own: SocketAddr) -> Self {
        let forwarder = Self {
            policy,
            own,
            deadline: DEADLINE,
            slots: Arc::new(Semaphore::new(MAX_QUESTIONS)),
            servers: Arc::default(),
        };
        if forwarder.policy != ForwardPolicy::None && forwarder.servers().is_empty() {
            tracing::warn!("no DNS server to ask for public names");
        }
        forwarder
    }

    /// The same with connections of its own: they live on the runtime that first uses them, and end with it.
    pub(super) fn apart(&self) -> Self {
        Self {
            servers: Arc::default(),
            ..self.clone()
        }
    }

    #[cfg(test)]
    pub(super) fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self.apart()
    }

    /// The world's answer for the addresses of `name`, which is taken as absolute.
    pub async fn resolve(&self, name: &str, wanted: resolve::RecordType) -> Answer {
        let Ok(mut name) = Name::from_str_relaxed(name) else {
            return Answer::empty(Status::NotFound);
        };
        name.set_fqdn(true);
        let record_type = match wanted {
            resolve::RecordType::A | resolve::RecordType::Other => RecordType::A,
            resolve::RecordType::Aaaa => RecordType::AAAA,
        };
        let mut answer = self.ask_for_answer(Query::query(name, record_type)).await;
        if wanted == resolve::RecordType::Other && answer.status == Status::Found {
            answer = Answer::empty(Status::NoData);
        }
        answer
    }

    /// The world's answer for the names of `address`.
    pub async fn reverse(&self, address: IpAddr) -> Answer {
        let query = Query::query(Name::from(address), RecordType::PTR);
        self.ask_for_answer(query).await
    }

    async fn ask_for_answer(&self, query: Query) -> Answer {
        match self.ask(&query).await {
            Some(reply) => to_answer(&reply, query.query_type()),
            None => Answer::empty(Status::NotFound),
        }
    }

    /// Asks; nothing if nobody is to be asked, or nobody answers in time.
    pub(super) async fn ask(&self, query: &Query) -> Option<Reply> {
        let Ok(_slot) = self.slots.try_acquire() else {
            tracing::debug!("too many forwarded DNS questions at a time");
            return None;
        };
        let servers = self.servers();
        let asking = async {
            for server in servers.iter() {
                let reply = ask_server(server, query).await;
                if reply.is_some() {
                    return reply;
                }
            }
            None
        };
        time::timeout(self.deadline, asking).await.ok().flatten()
    }

    fn servers(&self) -> Arc<[Server]> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |since: Instant| since.elapsed() < SYSTEM_SERVERS_LAST;
        if !servers.known_since.is_some_and(fresh) {
            servers.known_since = Some(Instant::now());
            let addresses = self.addresses();
            if addresses != servers.addresses {
                // So that the last one has its turn even if the others are silent.
                let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
                let share = self.deadline / count.max(1);
                let asked = addresses
                    .iter()
                    .filter_map(|address| server(*address, share).ok());
                servers.asked = asked.collect();
                servers.addresses = addresses;
            }
        }
        Arc::clone(&servers.asked)
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let mut addresses = match &self.policy {
            ForwardPolicy::System => system_servers(),
            ForwardPolicy::None => Vec::new(),
            ForwardPolicy::Servers(addresses) => addresses.clone(),
        };
        let own = reached_at(self.own);
        addresses.retain(|address| reached_at(*address) != own);
        addresses
    }
}

/// The address by which this host is reached if it is given as "any".
fn reached_at(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip().to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn system_servers() -> Vec<SocketAddr> {
    let (config, _) = match read_system_conf() {
        Ok(config) => config,
        Err(error) => {
            tracing::debug!(%error, "the system's DNS servers are unknown");
            return Vec::new();
        }
    };
    let servers = config.name_servers().iter().filter_map(|server| {
        let port = server.connections.first()?.port;
        Some(SocketAddr::new(server.ip, port))
    });
    servers.take(MAX_SYSTEM_SERVERS).collect()
}

fn server(address: SocketAddr, timeout: Duration) -> Result<Server, NetError> {
    let mut config = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut config.connections {
        connection.port = address.port();
    }
    let mut options = ResolverOpts::default();
    options.timeout = timeout;
    let context = PoolContext::new(options, TlsConfig::new()?);
    let provider = TokioRuntimeProvider::new();
    Ok(NameServerPool::from_config(
        [config],
        Arc::new(context),
        provider,
    ))
}

async fn ask_server(server: &Server, query: &Query) -> Option<Reply> {
    let asked = server.lookup(query.clone(), DnsRequestOptions::default());
    match asked.first_answer().await {
        Ok(response) => {
            let message = response.into_message();
            let code = message.metadata.response_code;
            let understood = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
            understood.then(|| Reply::passed_on(code, message.answers, message.authorities))
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(NoRecords {
            response_code,
            authorities,
            ..
        }))) => {
            let authority = authorities
                .iter()
                .flat_map(|records| records.iter().cloned());
            Some(Reply::passed_on(response_code, Vec::new(), authority))
        }
        Err(error) => {
            tracing::debug!(%error, "no answer from a DNS server");
            None
        }
    }
}

fn to_answer(reply: &Reply, wanted: RecordType) -> Answer {
    let records = reply.answers.iter();
    let records = records.filter(|record: &&Record| record.record_type() == wanted);
    let mut answer = Answer::empty(Status::NoData);
    for record in records {
        answer.addresses.extend(record.data.ip_addr());
        if let RData::PTR(name) = &record.data {
            let name = name.to_ascii();
            answer.names.push(name.trim_end_matches('.').to_owned());
        }
    }
    if !answer.addresses.is_empty() || !answer.names.is_empty() {
        answer.status = Status::Found;
        answer.sources.push(Source::Forwarded);
    } else if reply.code == ResponseCode::NXDomain {
        answer.status = Status::NotFound;
    }
    answer
}

#[cfg(test)]
mod tests;
