//! Where the tunnel is: the networks that its interfaces are on, as the kernel lists them.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a caller may do with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is on the caller's network.
    Inside,
    /// It is on no network of the tunnel.
    Outside,
    /// The caller would not reach it without the tunnel either; with the reason.
    Forbidden(&'static str),
}

/// The ranges that are directly connected.
#[derive(Debug, Default)]
pub(super) struct Place(Vec<Range>);

#[derive(Debug, PartialEq, Eq)]
struct Range {
    device: String,
    /// Any address in it.
    base: IpAddr,
    prefix: u32,
}

impl Place {
    /// As it is now: networks come and go.
    pub(super) fn now() -> io::Result<Self> {
        let routes = fs::read_to_string("/proc/net/route")?;
        // Where the kernel has no IPv6, there is no such file.
        let addresses = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
        Ok(Self::read(&routes, &addresses))
    }

    fn read(routes: &str, addresses: &str) -> Self {
        let v4 = routes.lines().filter_map(ipv4);
        let v6 = addresses.lines().filter_map(ipv6);
        Self(v4.chain(v6).collect())
    }

    /// Whether somebody who called the tunnel at `local` did so on the network of that address.
    pub(super) fn are_neighbours(&self, local: IpAddr, caller: IpAddr) -> bool {
        let device = self.device(local);
        device.is_some() && self.claim(caller) == Claim::By(device)
    }

    /// Judges an address for a caller that called the tunnel at `local`.
    pub(super) fn judge(&self, local: IpAddr, address: IpAddr) -> Verdict {
        if address == local {
            return Verdict::Forbidden("that is the tunnel itself");
        }
        if is_of_this_machine(address) {
            return Verdict::Forbidden("a proxy has no way to the caller's own loopback");
        }
        match self.claim(address) {
            Claim::ByNone => Verdict::Outside,
            Claim::By(device) if device.is_some() && device == self.device(local) => {
                Verdict::Inside
            }
            Claim::By(_) => {
                Verdict::Forbidden("it is on a network that the caller is not known to be on")
            }
        }
    }

    /// The device of an address of the tunnel's own. That of an IPv6 address is known; that of another is told by its range, unless
    /// several claim it, as networks outside of the engine's own ranges may.
    fn device(&self, local: IpAddr) -> Option<&str> {
        let own = |range: &&Range| local.is_ipv6() && range.base == local;
        match self.0.iter().find(own) {
            Some(range) => Some(&range.device),
            None => match self.claim(local) {
                Claim::By(device) => device,
                Claim::ByNone => None,
            },
        }
    }

    /// Who has an address in a range.
    fn claim(&self, address: IpAddr) -> Claim<'_> {
        let mut claims = self.0.iter().filter(|range| range.contains(address));
        let Some(first) = claims.next() else {
            return Claim::ByNone;
        };
        let is_alone = claims.all(|range| range.device == first.device);
        Claim::By(is_alone.then_some(first.device.as_str()))
    }
}

/// In whose ranges an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim<'a> {
    ByNone,
    /// One device's; nothing if they are those of several, where the kernel would choose.
    By(Option<&'a str>),
}

/// Loopback, and what is good for one link or for many receivers: never another machine's.
fn is_of_this_machine(address: IpAddr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || match address {
            IpAddr::V4(address) => address.is_broadcast() || address.octets()[0] == 0,
            IpAddr::V6(address) => address.is_unicast_link_local(),
        }
}

impl Range {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
                u32::from(base) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
                u128::from(base) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

/// A line of `/proc/net/route`: a route without gateway leads to a range that is directly connected.
fn ipv4(line: &str) -> Option<Range> {
    let mut words = line.split_whitespace();
    let device = words.next()?.to_owned();
    // As the kernel has them in memory, whatever its byte order.
    let mut number = |skipped| {
        let word = words.nth(skipped)?;
        u32::from_str_radix(word, 16)
            .ok()
            .map(|n| Ipv4Addr::from(n.to_ne_bytes()))
    };
    let (base, gateway, mask) = (number(0)?, number(0)?, number(4)?);
    let prefix = u32::from(mask).leading_ones();
    let connected = gateway.is_unspecified() && prefix > 0;
    connected.then_some(Range {
        device,
        base: base.into(),
        prefix,
    })
}

/// A line of `/proc/net/if_inet6`: an address with the length of its range.
fn ipv6(line: &str) -> Option<Range> {
    let mut words = line.split_whitespace();
    let base = u128::from_str_radix(words.next()?, 16).ok()?;
    let prefix = u32::from_str_radix(words.nth(1)?, 16).ok()?;
    let base = Ipv6Addr::from(base);
    let device = words.nth(2)?.to_owned();
    let global = !base.is_unicast_link_local() && (1..=128).contains(&prefix);
    global.then_some(Range {
        device,
        base: base.into(),
        prefix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Home on `eth0` with the default route, and two networks, one of them with IPv6.
    fn place() -> Place {
        let number = |text: &str| {
            let address: Ipv4Addr = text.parse().unwrap();
            format!("{:08X}", u32::from_ne_bytes(address.octets()))
        };
        let route = |device: &str, to: &str, gateway: &str, mask: &str| {
            format!(
                "{device}\t{}\t{}\t0001\t0\t0\t0\t{}\t0\t0\t0\n",
                number(to),
                number(gateway),
                number(mask)
            )
        };
        let routes = [
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
                .to_owned(),
            route("eth0", "0.0.0.0", "172.18.0.1", "0.0.0.0"),
            route("eth0", "172.18.0.0", "0.0.0.0", "255.255.0.0"),
            route("eth1", "172.20.0.0", "0.0.0.0", "255.255.255.0"),
            route("eth2", "172.21.0.0", "0.0.0.0", "255.255.0.0"),
            // Two that the engine did not tell apart, as it need not for macvlan.
            route("eth3", "192.168.7.0", "0.0.0.0", "255.255.255.0"),
            route("eth4", "192.168.7.0", "0.0.0.0", "255.255.255.128"),
        ];
        let addresses = "fd000000000000200000000000000fe0 06 40 00 80     eth1\n\
                         fe800000000000000042acfffe140002 06 40 20 80     eth1\n\
                         00000000000000000000000000000001 01 80 10 80       lo\n";
        Place::read(&routes.concat(), addresses)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn verdicts() {
        const OTHER: Verdict =
            Verdict::Forbidden("it is on a network that the caller is not known to be on");
        const SELF: Verdict = Verdict::Forbidden("that is the tunnel itself");
        const LOOPBACK: Verdict =
            Verdict::Forbidden("a proxy has no way to the caller's own loopback");
        for (local, address, verdict) in [
            ("172.20.0.254", "172.20.0.3", Verdict::Inside),
            ("172.20.0.254", "fd00:0:0:20::3", Verdict::Inside),
            ("fd00:0:0:20::fe0", "172.20.0.3", Verdict::Inside),
            ("172.20.0.254", "172.20.0.254", SELF),
            ("172.20.0.254", "172.20.1.3", Verdict::Outside),
            ("172.20.0.254", "172.21.0.3", OTHER),
            ("172.20.0.254", "172.18.0.254", OTHER),
            ("172.21.255.254", "fd00:0:0:20::3", OTHER),
            ("172.18.0.254", "172.18.0.1", Verdict::Inside),
            ("172.18.0.254", "172.20.0.3", OTHER),
            ("192.168.7.200", "192.168.7.201", Verdict::Inside),
            ("192.168.7.200", "192.168.7.3", OTHER),
            ("192.168.7.2", "192.168.7.3", OTHER),
            ("192.168.7.2", "192.168.7.201", OTHER),
            ("172.20.0.254", "127.0.0.1", LOOPBACK),
            ("172.20.0.254", "127.0.0.11", LOOPBACK),
            ("172.20.0.254", "::1", LOOPBACK),
            ("172.20.0.254", "0.0.0.0", LOOPBACK),
            ("172.20.0.254", "0.1.2.3", LOOPBACK),
            ("172.20.0.254", "224.0.0.1", LOOPBACK),
            ("172.20.0.254", "fe80::42", LOOPBACK),
            ("172.20.0.254", "192.0.2.1", Verdict::Outside),
            ("172.20.0.254", "2001:db8::1", Verdict::Outside),
        ] {
            let judged = place().judge(ip(local), ip(address));
            assert_eq!(judged, verdict, "{local} {address}");
        }
    }

    #[test]
    fn neighbours_share_a_network_of_either_family() {
        for (local, caller, neighbours) in [
            ("172.20.0.254", "172.20.0.3", true),
            ("172.20.0.254", "172.21.0.3", false),
            ("fd00:0:0:20::fe0", "fd00:0:0:20::3", true),
            ("fd00:0:0:20::fe0", "fd00:0:0:21::3", false),
            ("192.168.7.200", "192.168.7.201", true),
            ("192.168.7.2", "192.168.7.3", false),
            ("192.0.2.1", "192.0.2.2", false),
            ("fe80::1", "fe80::2", false),
        ] {
            let found = place().are_neighbours(ip(local), ip(caller));
            assert_eq!(found, neighbours, "{local} {caller}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(routes in "\\PC{0,200}", addresses in "[0-9a-f \n]{0,200}", ip in proptest::num::u128::ANY) {
            let place = Place::read(&routes, &addresses);
            place.judge(IpAddr::V6(ip.into()), IpAddr::V6((ip ^ 1).into()));
        }
    }
}
