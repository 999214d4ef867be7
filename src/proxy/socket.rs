//! What every TCP socket of a proxy is set to, whoever opened it.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// A connection on which nothing has passed for this long is probed.
const IDLE: Duration = Duration::from_secs(60);
/// Between probes; a peer that answers none of [`PROBES`] is dead, 90 s after its last sign of life.
const INTERVAL: Duration = Duration::from_secs(10);
#[cfg(not(windows))]
const PROBES: u32 = 3;

/// Sends what is written at once, and finds dead peers.
pub(crate) fn tune(stream: &TcpStream) -> io::Result<()> {
    // Without it a message's last short packet waits for the receiver's delayed acknowledgement, some 40 ms.
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(IDLE).with_interval(INTERVAL);
    // Windows knows no number of probes before version 1703.
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
