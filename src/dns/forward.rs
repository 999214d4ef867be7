//! Questions for the world's resolvers.
//!
//! This host's servers are asked, or those that a container was given. They are asked in their order. The next one is
//! asked if one does not answer, or says SERVFAIL or REFUSED; any other answer is final, as in Docker's own forwarding.
//! Nothing is cached: whoever answers has a cache.

mod servers;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::sync::Semaphore;
use tokio::time;

pub use self::servers::Dial;
use self::servers::{Server, Silent, ask, ask_own, server};
use super::policy::ForwardPolicy;
use super::reply::Reply;
use crate::core::resolve::{self, Answer, Source, Status};
use crate::core::route::Resolvers;

/// The longest that a question waits for an answer. Resolvers ask again after 5 seconds (the C library, c-ares).
const DEADLINE: Duration = Duration::from_secs(4);
/// Questions under way at a time; further ones find nothing. A loop through another resolver ends here.
const MAX_QUESTIONS: usize = 256;
/// How many of the system's servers are asked: the C library's and Docker's limit.
const MAX_SYSTEM_SERVERS: usize = 3;
/// For how long the system's servers are taken to be the same. They change with every network that a laptop joins.
const SYSTEM_SERVERS_LAST: Duration = Duration::from_secs(5);

/// Asks other servers, as the policy says. Copies share limit and connections.
#[derive(Clone)]
pub struct Forwarder {
    policy: ForwardPolicy,
    /// Where dockline's own DNS listens: never asked.
    own: SocketAddr,
    /// To the servers of containers that are in a network.
    dial: Dial,
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
    /// Asks whom `policy` says, but never `own`, where this dockline answers itself. Servers in networks are reached by
    /// `dial`.
    pub fn new(policy: ForwardPolicy, own: SocketAddr, dial: Dial) -> Self {
        let forwarder = Self {
            policy,
            own,
            dial,
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

    /// The world's answer for the addresses of the first of these names that is there. They are taken as absolute.
    pub async fn resolve(
        &self,
        names: &[String],
        wanted: &[resolve::RecordType],
        resolvers: &Resolvers,
    ) -> Answer {
        let names: Vec<_> = names.iter().filter_map(|name| absolute(name)).collect();
        let asking = wanted.iter().map(|wanted| {
            let record_type = match wanted {
                resolve::RecordType::A => RecordType::A,
                resolve::RecordType::Aaaa => RecordType::AAAA,
                // Has no addresses, whatever it has.
                resolve::RecordType::Other => RecordType::TXT,
            };
            self.ask_for_answer(&names, record_type, resolvers)
        });
        let answers = join_all(asking).await.into_iter();
        let answer = answers.reduce(|mut all, answer| {
            all.merge(answer);
            all
        });
        answer.unwrap_or_else(Answer::not_found)
    }

    /// The world's answer for the names of `address`.
    pub async fn reverse(&self, address: IpAddr, resolvers: &Resolvers) -> Answer {
        let name = Name::from(address);
        self.ask_for_answer(&[name], RecordType::PTR, resolvers)
            .await
    }

    async fn ask_for_answer(
        &self,
        names: &[Name],
        record_type: RecordType,
        resolvers: &Resolvers,
    ) -> Answer {
        match self.ask(names, record_type, resolvers).await {
            Some((_, reply)) => to_answer(&reply, record_type),
            None => Answer::not_found(),
        }
    }

    /// Asks for these names until one is there: for which one there is an answer, and which. Nothing if nobody is to be
    /// asked, or nobody answers in time.
    pub(super) async fn ask(
        &self,
        names: &[Name],
        record_type: RecordType,
        resolvers: &Resolvers,
    ) -> Option<(Name, Reply)> {
        let Ok(_slot) = self.slots.try_acquire() else {
            tracing::debug!("too many forwarded DNS questions at a time");
            return None;
        };
        let (mut said, mut silent) = (None, Silent::default());
        let asking = async {
            for name in names {
                let query = Query::query(name.clone(), record_type);
                let Some(reply) = self.ask_servers(&query, resolvers, &mut silent).await else {
                    continue;
                };
                let is_there = reply.code == ResponseCode::NoError;
                said = Some((name.clone(), reply));
                if is_there {
                    break;
                }
            }
        };
        // What was said before the deadline counts.
        let _ = time::timeout(self.deadline, asking).await;
        said
    }

    async fn ask_servers(
        &self,
        query: &Query,
        resolvers: &Resolvers,
        silent: &mut Silent,
    ) -> Option<Reply> {
        match resolvers {
            Resolvers::System => {
                let servers = self.servers();
                let share = share(self.deadline, servers.len());
                for (at, server) in servers.iter().enumerate() {
                    let reply = silent.listen(at, share, ask(server, query)).await;
                    if reply.is_some() {
                        return reply;
                    }
                }
            }
            Resolvers::Own(_) if self.policy == ForwardPolicy::None => {}
            Resolvers::Own(servers) => {
                let share = share(self.deadline, servers.len());
                for (at, server) in servers.iter().enumerate() {
                    let asked = ask_own(server, query, &self.dial, share);
                    let reply = silent.listen(at, share, asked).await;
                    if reply.is_some() {
                        return reply;
                    }
                }
            }
        }
        None
    }

    fn servers(&self) -> Arc<[Server]> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |since: Instant| since.elapsed() < SYSTEM_SERVERS_LAST;
        if !servers.known_since.is_some_and(fresh) {
            servers.known_since = Some(Instant::now());
            let addresses = self.addresses();
            if addresses != servers.addresses {
                let share = share(self.deadline, addresses.len());
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

/// The time for one of so many, so that the last one has its turn even if the others are silent.
fn share(time: Duration, count: usize) -> Duration {
    time / u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_str_relaxed(name).ok()?;
    name.set_fqdn(true);
    Some(name)
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
