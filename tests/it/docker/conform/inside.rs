//! Within a container's network namespace, and its files: what only root on the engine's own machine can look at.

use std::fs::{self, File};
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;

use crate::support::namespace::in_network_of;

/// Where Docker's own resolver answers, in each namespace that has one.
const RESOLVER: &str = "127.0.0.11:53";
/// What every container here has as its upstream server.
const UPSTREAM: &str = "127.0.0.1:53";

/// A container's process, seen from outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inside {
    pid: u32,
}

/// Sockets of a namespace. They belong to it wherever they are used from.
#[derive(Debug)]
pub(super) struct Sockets {
    /// Connected to Docker's resolver.
    pub(super) asker: UdpSocket,
    /// Where the resolver sends what it does not know.
    pub(super) upstream: UdpSocket,
}

impl Inside {
    /// Nothing, if the process cannot be entered: the engine is in a virtual machine, or this is not root.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let inside = Self { pid };
        File::open(inside.path("ns/net")).ok()?;
        let may_enter = rustix::process::geteuid().is_root();
        may_enter.then_some(inside)
    }

    fn path(self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.pid).into()
    }

    /// What tells this namespace from others.
    pub(super) fn namespace(self) -> String {
        let link = fs::read_link(self.path("ns/net")).unwrap();
        link.to_string_lossy().into_owned()
    }

    /// The lines of its `/etc/hosts`: an address and its names, in lower case.
    pub(super) fn hosts(self) -> Vec<(IpAddr, Vec<String>)> {
        let text = fs::read_to_string(self.path("root/etc/hosts")).unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            Some((address, words.map(str::to_lowercase).collect()))
        });
        lines.collect()
    }

    /// Whether its resolver is Docker's.
    pub(super) fn has_resolver(self) -> bool {
        let text = fs::read_to_string(self.path("root/etc/resolv.conf")).unwrap_or_default();
        let mut lines = text.lines().map(str::split_whitespace);
        lines.any(|mut words| {
            words.next() == Some("nameserver") && words.next() == Some("127.0.0.11")
        })
    }

    /// Opens sockets in its namespace.
    pub(super) fn sockets(self) -> Sockets {
        let opened = in_network_of(self.pid, || {
            let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
            asker.connect(RESOLVER).unwrap();
            let upstream = UdpSocket::bind(UPSTREAM).unwrap();
            for socket in [&asker, &upstream] {
                socket.set_nonblocking(true).unwrap();
            }
            Sockets { asker, upstream }
        });
        opened.unwrap()
    }
}
