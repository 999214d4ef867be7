//! How long the gateway waits for anybody. After the first relayed byte nobody is hurried: relays last as long as both sides do.

use std::time::Duration;

/// The gateway's patience. The defaults are for people; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For a client's first byte, which tells its protocol.
    pub first_byte: Duration,
    /// For a SOCKS client's greeting, password and request together.
    pub handshake: Duration,
    /// For an HTTP client's next request head. Long, because interceptors keep connections and lose a request when one closes.
    pub idle: Duration,
    /// For the beginning of an answer to a client that has said that nothing more will come from it: most who do so have gone.
    pub half_closed: Duration,
    /// For the tunnel to run and to have joined a network: the first start of a tunnel takes seconds.
    pub join: Duration,
    /// For a failed tunnel to come back: its driver tries again, but somebody waits here.
    pub failed: Duration,
    /// For the system's resolver.
    pub resolve: Duration,
    /// For opening a connection, all addresses together. Longer than the tunnel's own ten seconds, so that it can tell why.
    pub connect: Duration,
    /// Before the next address is tried beside the last (RFC 8305, section 8).
    pub stagger: Duration,
    /// For a refused client to take its answer, and for a request that was answered before its end to go on.
    pub parting: Duration,
    /// For open connections once the gateway stops.
    pub grace: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            half_closed: Duration::from_secs(60),
            join: Duration::from_secs(10),
            failed: Duration::from_secs(1),
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(15),
            stagger: Duration::from_millis(250),
            parting: Duration::from_secs(1),
            grace: Duration::from_secs(3),
        }
    }
}
