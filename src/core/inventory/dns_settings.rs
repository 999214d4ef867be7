//! What a container was told about DNS: `--dns`, `--dns-search`, `--dns-option`.

use std::net::IpAddr;

/// As in `HostConfig`. What is not given there, the engine takes from its own machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsSettings {
    /// `Dns`: the servers to ask for what the engine does not know, in this order.
    pub servers: Vec<IpAddr>,
    /// `DnsSearch`: the domains to look for names in, without dots at either end.
    pub search: Vec<String>,
    /// `ndots` among `DnsOptions`: names with fewer dots are looked for in those domains first.
    pub ndots: Option<usize>,
}
