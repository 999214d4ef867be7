//! Opens the listeners: SOCKS on the home addresses and on loopback, never on all addresses, since the networks that the
//! tunnel joins must not reach it; the entry on all, since they must. Accepting is left to `serve`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{Instant, sleep};

use crate::{Error, say, tcp};

/// How long a home address may take to appear after the start.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for an IPv6 one that can be done without: the IPv4 one shall not wait long for it.
const SPARE_PATIENCE: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(50);
/// Connections that wait to be accepted, per listener; the kernel caps it.
const BACKLOG: u32 = 1_024;

/// Listens on loopback and all `home` addresses. An IPv6 one beside an IPv4 one may be missing, with a warning.
pub(crate) async fn bind(home: &[IpAddr], port: u16) -> Result<Vec<TcpListener>, Error> {
    let start = Instant::now();
    let has_ipv4 = home.iter().any(IpAddr::is_ipv4);
    let mut listeners = Vec::new();
    for address in in_order(home) {
        let address = SocketAddr::new(address, port);
        let spare = has_ipv4 && address.is_ipv6();
        let deadline = if spare {
            Instant::now() + SPARE_PATIENCE
        } else {
            start + PATIENCE
        };
        match bind_by(address, deadline).await {
            Ok(listener) => listeners.push(listener),
            Err(source) if spare => {
                say(format_args!(
                    "warning: cannot listen on {address}: {source}"
                ));
            }
            Err(source) => return Err(Error::Listen { address, source }),
        }
    }
    Ok(listeners)
}

/// Listens for callers on all addresses that the tunnel has or will have, of both families where there are two.
pub(crate) fn bind_entry(port: u16) -> Result<Vec<TcpListener>, Error> {
    // One socket of either family, each for its own: which of them the system would let share a port need not be known.
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let bound = bind_now(v4);
    let mut listeners = vec![bound.map_err(|source| Error::Listen {
        address: v4,
        source,
    })?];
    match bind_now(v6) {
        Ok(listener) => listeners.push(listener),
        Err(error) => say(format_args!("warning: cannot listen on {v6}: {error}")),
    }
    Ok(listeners)
}

/// What cannot be missing first; nothing twice.
fn in_order(home: &[IpAddr]) -> Vec<IpAddr> {
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    addresses.extend(home);
    addresses.sort_by_key(IpAddr::is_ipv6);
    let mut seen = Vec::new();
    addresses.retain(|address| {
        let new = !seen.contains(address);
        seen.push(*address);
        new
    });
    addresses
}

/// Docker may start the process a moment before the address is there, and IPv6 addresses may be checked for duplicates first.
async fn bind_by(address: SocketAddr, deadline: Instant) -> io::Result<TcpListener> {
    loop {
        match bind_now(address) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrNotAvailable && Instant::now() < deadline =>
            {
                sleep(RETRY).await;
            }
            outcome => return outcome,
        }
    }
}

fn bind_now(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restarted container must not wait for its predecessor's connections to time out.
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    tcp::tune(&socket)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    tcp::answer_before_acknowledging(&listener)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    /// From the block for documentation (RFC 5737, RFC 3849): no machine has them.
    const NOT_OURS: &str = "192.0.2.1";
    const NOT_OURS_6: &str = "2001:db8::1";

    async fn check(home: &[&str]) -> Result<Vec<String>, String> {
        let home: Vec<IpAddr> = home.iter().map(|text| text.parse().unwrap()).collect();
        let listeners = bind(&home, 0).await.map_err(|error| error.to_string())?;
        let address = |listener: &TcpListener| listener.local_addr().unwrap().ip().to_string();
        Ok(listeners.iter().map(address).collect())
    }

    #[tokio::test]
    async fn listens_on_loopback_and_home_only() {
        assert_eq!(
            check(&["127.0.0.2", "127.0.0.1", "127.0.0.2"])
                .await
                .unwrap(),
            ["127.0.0.1", "127.0.0.2"]
        );
    }

    #[tokio::test]
    async fn what_is_accepted_is_set_as_its_listener() {
        let listeners = bind(&[], 0).await.unwrap();
        let address = listeners[0].local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let (accepted, _) = listeners[0].accept().await.unwrap();
        assert!(sockopt::tcp_nodelay(&accepted).unwrap());
        assert!(sockopt::socket_keepalive(&accepted).unwrap());
        assert!(!sockopt::tcp_quickack(&accepted).unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_an_ipv4_address_then_says_which_is_missing() {
        let start = Instant::now();
        let error = check(&[NOT_OURS]).await.unwrap_err();
        assert!(start.elapsed() >= PATIENCE);
        assert!(error.contains("listen on 192.0.2.1:0"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn does_without_an_ipv6_address_beside_an_ipv4_one() {
        let start = Instant::now();
        assert_eq!(
            check(&[NOT_OURS_6, "127.0.0.2"]).await.unwrap(),
            ["127.0.0.1", "127.0.0.2"]
        );
        assert!(start.elapsed() < PATIENCE);
        assert!(check(&[NOT_OURS_6]).await.is_err());
    }

    #[tokio::test]
    async fn does_not_wait_for_a_port_in_use() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = bind(&["127.0.0.2".parse().unwrap()], port)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Listen { .. }), "{error}");
    }
}
