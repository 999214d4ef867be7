//! Plain mode: the entry as a forward proxy without dockline, so that containers which use it live on.
//!
//! A caller gets no further than it would without a proxy. Its network is the one on which it called; names are asked for
//! on that network and else in public; what is found is held against all networks that the tunnel is on:
//!
//! | the address is | |
//! |---|---|
//! | on the caller's network | reached, unless it is the tunnel itself |
//! | on another network of the tunnel, its home, loopback | refused |
//! | anywhere else | reached, if the caller's network leads out |
//!
//! A network leads out if the tunnel has the alias `open.NAME` on it, which dockline gives it on every network that is not
//! internal. So it is the engine that remembers it, and a tunnel that was started again without dockline still knows.

// dockline does the same when it is there, with the very files.
#[path = "../../src/proxy/forwarding.rs"]
mod forwarding;
#[path = "../../src/proxy/headers.rs"]
mod headers;
mod http;
mod origin;
mod place;
#[path = "../../src/proxy/provisional.rs"]
mod provisional;
mod reply;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use crate::dial::{Failure, connect};
use crate::link::Link;
use crate::names::Names;
use place::{Place, Verdict};
use reply::Refusal;

pub(crate) use http::Conversation;

/// For finding the addresses of a destination and trying them, together.
const DEADLINE: Duration = Duration::from_secs(15);
/// For the name of one of the tunnel's own addresses.
const OWN_NAME: Duration = Duration::from_secs(2);

/// What all callers in plain mode share.
#[derive(Debug)]
pub(crate) struct Plain {
    /// Ends when the tunnel is told to: callers then get the answer that they wait for, and no other.
    pub(crate) going: watch::Receiver<()>,
    /// The tunnel's own name on every network.
    pub(crate) name: String,
    /// Its addresses on the home network, which leads out.
    pub(crate) home: Vec<IpAddr>,
    pub(crate) names: Arc<Names>,
    pub(crate) link: Arc<Link>,
}

/// What the tunnel's name servers call the network that an address of the tunnel is on.
#[derive(Debug, PartialEq, Eq)]
enum Network {
    Named(String),
    /// The engine's default network, which has no names and always leads out.
    Default,
    /// They do not say.
    Unknown,
}

impl Plain {
    /// Serves one caller to the end.
    pub(crate) async fn serve(self: Arc<Self>, stream: TcpStream, caller: IpAddr, local: IpAddr) {
        let neighbours = Place::now().is_ok_and(|place| place.are_neighbours(local, caller));
        // Whoever sends to an address of another network than its own gets no word: Docker would not let it through.
        if neighbours {
            Conversation::run(self, stream, local).await;
        }
    }

    /// Opens a connection for a caller that called at `local`.
    async fn open(&self, local: IpAddr, host: &str, port: u16) -> Result<TcpStream, Refusal> {
        let deadline = Instant::now() + DEADLINE;
        let what = format!("{host}:{port}");
        let found = timeout_at(deadline, self.permitted(local, host)).await;
        let late = |_| Refusal::failed(&what, Failure::TimedOut);
        let addresses = found.map_err(late)??;
        let addresses: Vec<_> = addresses
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect();
        let stream = connect(&addresses, deadline).await;
        let stream = stream.map_err(|failure| Refusal::failed(&what, failure))?;
        // Only who connects to itself has one address at both ends.
        match (stream.local_addr(), stream.peer_addr()) {
            (Ok(own), Ok(peer)) if own.ip() != peer.ip() => Ok(stream),
            _ => Err(Refusal::forbidden(&what, "that is the tunnel itself")),
        }
    }

    /// The addresses of a host that the caller may reach; not empty.
    async fn permitted(&self, local: IpAddr, host: &str) -> Result<Vec<IpAddr>, Refusal> {
        let network = self.network(local).await;
        let found = self.addresses(&network, local, host).await?;
        let place = Place::now().map_err(|_| Refusal::failed(host, Failure::Other))?;
        let mut permitted = Vec::new();
        let mut refusal = None;
        let mut leads_out = None;
        for address in found {
            let why_not = match place.judge(local, address) {
                Verdict::Inside => None,
                Verdict::Forbidden(why) => Some(why),
                Verdict::Outside => {
                    let known = match leads_out {
                        Some(known) => known,
                        None => self.leads_out(&network, local).await,
                    };
                    leads_out = Some(known);
                    let why = "it is outside, and the caller's network is internal, or not known to lead out \
                               until dockline runs again";
                    (!known).then_some(why)
                }
            };
            match why_not {
                None => permitted.push(address),
                Some(why) => refusal = refusal.or(Some(Refusal::forbidden(host, why))),
            }
        }
        match refusal {
            Some(refusal) if permitted.is_empty() => Err(refusal),
            _ => Ok(permitted),
        }
    }

    /// The addresses of a host, as the caller's network has them or else the world; not empty.
    async fn addresses(
        &self,
        network: &Network,
        local: IpAddr,
        host: &str,
    ) -> Result<Vec<IpAddr>, Refusal> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![address.to_canonical()]);
        }
        let name = host.trim_end_matches('.');
        let here = async {
            let Network::Named(network) = network else {
                return Vec::new();
            };
            let found = self.names.exactly(&format!("{name}.{network}")).await;
            let place = Place::now();
            // Servers that answer for every name there is shall not answer for those of containers.
            let on_network = |ip: &IpAddr| {
                place
                    .as_ref()
                    .is_ok_and(|p| p.judge(local, *ip) == Verdict::Inside)
            };
            found
                .unwrap_or_default()
                .into_iter()
                .filter(on_network)
                .collect()
        };
        let outside = async {
            // Such a name never leaves the machine.
            if !name.contains('.') {
                return Vec::new();
            }
            self.names.exactly(name).await.unwrap_or_default()
        };
        let (here, outside) = tokio::join!(here, outside);
        match if here.is_empty() { outside } else { here } {
            none if none.is_empty() => Err(Refusal::failed(host, Failure::NoSuchName)),
            found => Ok(found),
        }
    }

    async fn network(&self, local: IpAddr) -> Network {
        if self.home.contains(&local) {
            return Network::Default;
        }
        // The engine's server knows the tunnel's own addresses without asking anybody.
        let Ok(Ok(found)) = timeout(OWN_NAME, self.names.reverse(local)).await else {
            return Network::Unknown;
        };
        let ours = found.iter().find_map(|name| network_of(&self.name, name));
        match ours {
            None => Network::Default,
            Some("") => Network::Unknown,
            Some(network) => Network::Named(network.to_owned()),
        }
    }

    async fn leads_out(&self, network: &Network, local: IpAddr) -> bool {
        if self.link.internal_egress() {
            return true;
        }
        match network {
            Network::Default => true,
            Network::Unknown => false,
            Network::Named(network) => {
                let mark = format!("open.{}.{network}", self.name);
                let marked = self.names.exactly(&mark).await;
                marked.is_ok_and(|marked| marked.contains(&local))
            }
        }
    }
}

/// The network in a name of this tunnel, `NAME.NETWORK`; nothing if it is not this tunnel's. One that a successor stands beside has
/// something more to its name, behind a `_`, which no instance's name has.
fn network_of<'a>(own: &str, found: &'a str) -> Option<&'a str> {
    let rest = found.strip_prefix(own)?;
    let rest = match rest.strip_prefix('_') {
        Some(more) => more.split_once('.').map_or("", |(_, network)| network),
        None => rest,
    };
    Some(rest.trim_matches('.'))
}
