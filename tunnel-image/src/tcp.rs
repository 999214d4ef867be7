//! What every TCP socket of the tunnel is set to, whoever opened it.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;

/// A connection on which nothing has passed for this long is probed.
const IDLE: Duration = Duration::from_secs(60);
/// Between probes; after [`PROBES`] without an answer the peer counts as dead, 90 s after its last sign of life.
const INTERVAL: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;

/// Sends what is written at once, and finds dead peers. What is set on a listener holds for what it accepts.
pub(crate) fn tune(socket: impl AsFd) -> io::Result<()> {
    // Without it a response's last short packet waits for the receiver's delayed acknowledgement, some 40 ms.
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, IDLE)?;
    sockopt::set_tcp_keepintvl(&socket, INTERVAL)?;
    sockopt::set_tcp_keepcnt(&socket, PROBES)?;
    Ok(())
}
