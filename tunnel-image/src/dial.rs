//! Opens connections to where clients want to go, and says why one could not be opened.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::names::Names;
use crate::tcp;

/// For finding the addresses and trying them, together.
const DEADLINE: Duration = Duration::from_secs(10);

/// Where to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Address(SocketAddr),
    Name(String, u16),
}

/// Why a target could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No name server knows an address.
    NoSuchName,
    /// Nobody listens there.
    Refused,
    NetworkUnreachable,
    HostUnreachable,
    TimedOut,
    /// Whatever else the kernel says.
    Other,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::NetworkUnreachable => Self::NetworkUnreachable,
            io::ErrorKind::HostUnreachable => Self::HostUnreachable,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Other,
        }
    }
}

/// Connects to the first address of `target` that answers.
pub(crate) async fn dial(target: &Target, names: &Names) -> Result<TcpStream, Failure> {
    let deadline = Instant::now() + DEADLINE;
    let addresses = match target {
        Target::Address(address) => vec![*address],
        Target::Name(name, port) => {
            // Boxed: most targets are addresses, and need not make room for a lookup that never comes.
            let found = timeout_at(deadline, Box::pin(find(name, names))).await;
            let found = found.map_err(|_| Failure::TimedOut)??;
            found.into_iter().map(|ip| (ip, *port).into()).collect()
        }
    };
    connect(&addresses, deadline).await
}

async fn find(name: &str, names: &Names) -> Result<Vec<IpAddr>, Failure> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let found = names.addresses(name).await;
    found.map_err(|_| Failure::NoSuchName)
}

/// Tries one after the other. Each gets an equal share of the time left, so that one that swallows packets leaves some for
/// the rest. If none answers, the first failure tells most: it is about the preferred address.
pub(crate) async fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<TcpStream, Failure> {
    let mut first_failure = None;
    for (left, address) in (1..=addresses.len()).rev().zip(addresses) {
        let share = (deadline - Instant::now()) / u32::try_from(left).unwrap_or(u32::MAX);
        let attempt = timeout(share, TcpStream::connect(address)).await;
        let connected = match attempt {
            Ok(Ok(stream)) => tcp::tune(&stream).map(|()| stream).map_err(Failure::from),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Failure::TimedOut),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(failure) => first_failure = first_failure.or(Some(failure)),
        }
    }
    Err(first_failure.unwrap_or(Failure::NoSuchName))
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn the_next_address_is_tried_after_a_refusal() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let closed = SocketAddr::new("127.0.0.9".parse().unwrap(), open.port());
        let deadline = Instant::now() + DEADLINE;
        let stream = connect(&[closed, open], deadline).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        let failure = connect(&[closed], deadline).await.unwrap_err();
        assert_eq!(failure, Failure::Refused);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_swallows_packets_leaves_time_for_the_next() {
        // A queue of one that is full: further connections are neither accepted nor refused.
        let full = TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = full.listen(0).unwrap();
        let swallows = full.local_addr().unwrap();
        let _queued = TcpStream::connect(swallows).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();

        let start = Instant::now();
        let deadline = start + DEADLINE;
        let stream = connect(&[swallows, open], deadline).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        assert!(start.elapsed() >= DEADLINE / 2);
        let failure = connect(&[swallows], deadline).await.unwrap_err();
        assert_eq!(failure, Failure::TimedOut);
        assert!(start.elapsed() >= DEADLINE);
    }

    #[test]
    fn what_the_kernel_says_is_told_apart() {
        use rustix::io::Errno;
        for (errno, failure) in [
            (Errno::CONNREFUSED, Failure::Refused),
            (Errno::NETUNREACH, Failure::NetworkUnreachable),
            (Errno::HOSTUNREACH, Failure::HostUnreachable),
            (Errno::TIMEDOUT, Failure::TimedOut),
            (Errno::ACCESS, Failure::Other),
        ] {
            assert_eq!(Failure::from(io::Error::from(errno)), failure, "{errno}");
        }
    }
}
