//! Hosts as people list them: `NO_PROXY`, `--pass-through`, the label `dockline.no-proxy`.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::route::{Destination, Host};

/// Some hosts. Matched as most programs read `NO_PROXY`, of which there is no standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// The name and everything below it.
    Domain(String),
    Range(IpNet),
}

/// What is no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not HOST, .DOMAIN, ADDRESS, RANGE/BITS or *, with :PORT if you like")]
pub struct NoHost(String);

impl FromStr for HostPattern {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let text = text.trim();
        let of = |hosts, port| Ok(Self { hosts, port });
        // Before a port is looked for: IPv6 has colons of its own.
        if let Some(range) = range(text) {
            return of(Hosts::Range(range), None);
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => {
                let port: u16 = port.parse().map_err(|_| NoHost(text.to_owned()))?;
                (host, Some(port))
            }
            None => (text, None),
        };
        if let Some(range) = range(host) {
            return of(Hosts::Range(range), port);
        }
        if host == "*" {
            return of(Hosts::All, port);
        }
        let name = host.trim_start_matches('*').trim_start_matches('.');
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || !name.chars().all(fits) {
            return Err(NoHost(text.to_owned()));
        }
        of(Hosts::Domain(name), port)
    }
}

fn range(text: &str) -> Option<IpNet> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let bare = bare.unwrap_or(text);
    let address = bare.parse::<IpAddr>().map(IpNet::from);
    address.ok().or_else(|| bare.parse().ok())
}

impl HostPattern {
    /// Those of a list, separated by commas; what is no host is left out, as nobody could be told of it.
    pub fn list(text: &str) -> impl Iterator<Item = Self> {
        text.split(',').filter_map(|item| item.parse().ok())
    }

    /// Whether it is one of them.
    pub fn matches(&self, destination: &Destination) -> bool {
        if self.port.is_some_and(|port| port != destination.port) {
            return false;
        }
        match (&self.hosts, &destination.host) {
            (Hosts::All, _) => true,
            (Hosts::Range(range), Host::Address(address)) => range.contains(address),
            (Hosts::Domain(domain), Host::Name(name)) => is_in(&name.to_ascii_lowercase(), domain),
            (Hosts::Range(_), Host::Name(_)) | (Hosts::Domain(_), Host::Address(_)) => false,
        }
    }
}

fn is_in(name: &str, domain: &str) -> bool {
    let rest = name.strip_suffix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (pattern, destination, matches) in [
            ("example.com", "example.com:443", true),
            ("example.com", "EXAMPLE.com:80", true),
            ("Example.com.", "example.com:80", true),
            ("example.com", "www.example.com:443", true),
            ("example.com", "badexample.com:443", false),
            ("www.example.com", "example.com:443", false),
            (".example.com", "www.example.com:443", true),
            ("*.example.com", "www.example.com:443", true),
            ("example.com:443", "example.com:443", true),
            ("example.com:443", "example.com:80", false),
            ("api", "api:80", true),
            ("api", "api.shop:80", false),
            (" 10.0.0.1 ", "10.0.0.1:80", true),
            ("10.0.0.0/8", "10.9.9.9:80", true),
            ("10.0.0.0/8:80", "10.9.9.9:81", false),
            ("10.0.0.0/8", "11.0.0.0:80", false),
            ("::1", "[::1]:80", true),
            ("[::1]:80", "[::1]:80", true),
            ("[::1]:80", "[::1]:81", false),
            ("fd00::/8", "[fd12::1]:81", true),
            ("*", "anything:1", true),
            ("*:443", "anything:1", false),
        ] {
            let (host, port) = destination.rsplit_once(':').unwrap();
            let destination = Destination {
                host: Host::from(host),
                port: port.parse().unwrap(),
            };
            let parsed: HostPattern = pattern.parse().unwrap();
            assert_eq!(
                parsed.matches(&destination),
                matches,
                "{pattern} {destination}"
            );
        }
        for wrong in ["", " ", ".", "*.", "http://x", "x y", "x:port", "x:99999"] {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
        }
        assert_eq!(HostPattern::list("a, ,b:80,c/d").count(), 2);
    }
}
