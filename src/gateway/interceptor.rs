//! The interceptor, as callers are handed on to it: where it is, whether it answers, and which of our connections there is
//! whose.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::dial::leads_back;
use crate::core::route::{Destination, Host, OwnAddresses};
use crate::proxy::socket;

/// For a connection to it. Most are on this machine; somebody waits here who could be served without.
const CONNECT: Duration = Duration::from_millis(500);
/// How long one that did not answer is left alone.
const AGAIN: Duration = Duration::from_secs(1);

/// Why something cannot be the interceptor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterceptorError {
    /// It is no address.
    #[error("{0:?} is not HOST:PORT")]
    Invalid(String),
    /// Everything would come back.
    #[error("{0} is dockline itself; give the address where the interceptor listens as a proxy")]
    Loop(Destination),
}

/// An HTTP proxy that callers are handed on to.
#[derive(Clone, Debug)]
pub struct Interceptor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    at: Destination,
    /// When it may be tried again, if it did not answer last time.
    next: Mutex<Option<Instant>>,
    /// Where it was when it last answered.
    seen_at: Mutex<Option<IpAddr>>,
    /// To the control API; nothing before the first attempt.
    reachable: watch::Sender<Option<bool>>,
}

impl Interceptor {
    /// Takes it from `HOST:PORT`.
    pub fn at(text: &str) -> Result<Self, InterceptorError> {
        let parsed = text.rsplit_once(':').and_then(|(host, port)| {
            let port = port.parse().ok().filter(|port| *port != 0)?;
            let host = Host::from(host);
            let named =
                !matches!(&host, Host::Name(name) if name.is_empty() || name.contains([':', '/']));
            named.then_some(Destination { host, port })
        });
        let at = parsed.ok_or_else(|| InterceptorError::Invalid(text.to_owned()))?;
        Ok(Self(Arc::new(Inner {
            at,
            next: Mutex::default(),
            seen_at: Mutex::default(),
            reachable: watch::Sender::new(None),
        })))
    }

    /// Fails if it listens on one of `own`: dockline's own addresses.
    pub fn refuse_loops(&self, own: &OwnAddresses) -> Result<(), InterceptorError> {
        if leads_back(&self.0.at, own) {
            return Err(InterceptorError::Loop(self.0.at.clone()));
        }
        Ok(())
    }

    /// Where it is.
    pub fn address(&self) -> &Destination {
        &self.0.at
    }

    /// Whether it answers now.
    pub async fn answers(&self) -> bool {
        self.reach().await.is_some()
    }

    /// Its address, if it is told by one or by `localhost`: what is sent there comes back to us.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match &self.0.at.host {
            Host::Address(ip) => Some(SocketAddr::new(*ip, self.0.at.port)),
            Host::Name(name) if name.eq_ignore_ascii_case("localhost") => {
                Some(SocketAddr::from((Ipv4Addr::LOCALHOST, self.0.at.port)))
            }
            Host::Name(_) => None,
        }
    }

    /// The address at which it last answered, whatever it was named by.
    pub(super) fn seen_at(&self) -> Option<IpAddr> {
        *self.seen()
    }

    /// Whether it answered the last time; nothing before the first.
    pub fn reachable(&self) -> watch::Receiver<Option<bool>> {
        self.0.reachable.subscribe()
    }

    /// Where it is, and whether it answers: for those who report it.
    pub fn report(&self) -> (String, watch::Receiver<Option<bool>>) {
        (self.0.at.to_string(), self.reachable())
    }

    /// A connection to it; nothing if it does not answer, or did not a moment ago.
    pub(super) async fn reach(&self) -> Option<TcpStream> {
        if !self.may_try() {
            return None;
        }
        let connected = timeout(CONNECT, self.connect()).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let (answered, next) = match &connected {
            Ok(_) => (true, None),
            Err(_) => (false, Some(Instant::now() + AGAIN)),
        };
        *self.next() = next;
        if let Some(Ok(at)) = connected.as_ref().ok().map(TcpStream::peer_addr) {
            *self.seen() = Some(at.ip());
        }
        let news = self.0.reachable.send_replace(Some(answered)) != Some(answered);
        match &connected {
            Err(error) if news => {
                let address = self.address();
                warn!(%address, %error, "the interceptor does not answer: what containers send goes on without it");
            }
            Ok(_) if news => info!(address = %self.address(), "the interceptor answers"),
            _ => {}
        }
        connected.ok()
    }

    /// Tries again and again while it does not answer, so that `status` tells when it does; for ever.
    pub(super) async fn look_out(&self) {
        let mut reachable = self.reachable();
        loop {
            drop(self.reach().await);
            let lost = reachable.wait_for(|reachable| *reachable == Some(false));
            if lost.await.is_err() {
                return std::future::pending().await;
            }
            let next = *self.next();
            sleep_until(next.unwrap_or_else(Instant::now)).await;
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let Destination { host, port } = &self.0.at;
        let stream = match host {
            Host::Address(ip) if ip.is_loopback() => connect_apart((*ip, *port).into()).await?,
            Host::Address(ip) => TcpStream::connect((*ip, *port)).await?,
            Host::Name(name) => match self.socket_addr() {
                // There may be one for the other family alone.
                Some(here) => match connect_apart(here).await {
                    Ok(stream) => stream,
                    Err(_) => TcpStream::connect((name.as_str(), *port)).await?,
                },
                None => TcpStream::connect((name.as_str(), *port)).await?,
            },
        };
        socket::tune(&stream)?;
        Ok(stream)
    }

    /// Of those who ask while it does not answer, one each second may find out whether it does.
    fn may_try(&self) -> bool {
        let mut next = self.next();
        let now = Instant::now();
        match *next {
            None => true,
            Some(at) if at <= now => {
                *next = Some(now + AGAIN);
                true
            }
            Some(_) => false,
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<IpAddr>> {
        self.0
            .seen_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects to this host, from a port that nothing else here calls from. mockttp takes a caller with the port of one of its own
/// calls, to the gateway say, for that call come back, and refuses it. Linux gives a port to several calls that go to
/// different places, but none that somebody has bound.
async fn connect_apart(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // If there is no such port left, one that is shared has to do.
    let _ = socket.bind(SocketAddr::new(to.ip(), 0));
    let stream = socket.connect(to).await?;
    if stream.local_addr()? == to {
        // Where nobody listens, a port of this very socket's may be called, and answers.
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn addresses() {
        for (text, address) in [
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("localhost:8080", Some("localhost:8080")),
            ("127.0.0.1", None),
            (":8080", None),
            ("127.0.0.1:0", None),
            ("http://127.0.0.1:8080", None),
            ("host:port", None),
        ] {
            let parsed = Interceptor::at(text).ok().map(|i| i.address().to_string());
            assert_eq!(parsed.as_deref(), address, "{text}");
        }
    }

    #[test]
    fn dockline_itself_is_none() {
        let own = ["127.0.0.1:1090".parse().unwrap()].into();
        for (text, loops) in [
            ("127.0.0.1:1090", true),
            ("localhost:1090", true),
            ("[::1]:1090", true),
            ("0.0.0.0:1090", true),
            ("127.0.0.1:1091", false),
            ("192.0.2.1:1090", false),
        ] {
            let found = Interceptor::at(text).unwrap().refuse_loops(&own);
            assert_eq!(found.is_err(), loops, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_answer_is_left_alone_for_a_while() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let interceptor = Interceptor::at(&address.to_string()).unwrap();
        let reachable = interceptor.reachable();
        assert_eq!(*reachable.borrow(), None);
        drop(listener);
        assert!(interceptor.reach().await.is_none());
        assert_eq!(*reachable.borrow(), Some(false));

        let listener = TcpListener::bind(address).await.unwrap();
        assert!(interceptor.reach().await.is_none(), "it was just tried");
        tokio::time::advance(AGAIN).await;
        assert!(interceptor.reach().await.is_some());
        assert_eq!(*reachable.borrow(), Some(true));
        drop(listener);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn it_is_called_from_ports_that_it_does_not_call_from_itself() {
        use std::collections::BTreeSet;
        use std::net;

        // Linux goes through all its ports, and has no more than 64 Ki. The half of them is for such calls.
        const CALLS: usize = 32 * 1024;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let interceptor = Interceptor::at(&listener.local_addr().unwrap().to_string()).unwrap();
        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(interceptor.reach().await.unwrap());
        }
        let ours = held.iter().map(|held| held.local_addr().unwrap().port());
        let ours: BTreeSet<_> = ours.collect();
        let other = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = other.local_addr().unwrap();
        for _ in 0..CALLS {
            let its = net::TcpStream::connect(to).unwrap();
            drop(other.accept().unwrap());
            let port = its.local_addr().unwrap().port();
            assert!(!ours.contains(&port), "{port} has two callers");
            // A reset leaves nothing behind that would keep the port.
            let linger = Some(Duration::ZERO);
            socket2::SockRef::from(&its).set_linger(linger).unwrap();
        }
    }
}
