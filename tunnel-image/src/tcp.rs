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

/// Lets what a listener accepts acknowledge with its answers, instead of once more before the first one: a packet less for
/// every connection. Only clients can tell, and those send a greeting at once and wait for the answer; towards targets the
/// kernel's default stays, since servers that write in small pieces may wait for acknowledgements.
///
/// Holds only if set after the listening began, which resets it.
pub(crate) fn answer_before_acknowledging(listener: impl AsFd) -> io::Result<()> {
    sockopt::set_tcp_quickack(listener, false)?;
    Ok(())
}
