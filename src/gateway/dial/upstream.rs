//! The user's own upstream proxy, for what goes out: from `--upstream-proxy`, or from the environment with its
//! exceptions (`NO_PROXY`).
//!
//! A name is handed to the proxy as it is: behind one, names often resolve nowhere else.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use fast_socks5::util::target_addr::TargetAddr;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::direct::{self, Resolver};
use super::socks_client::{self, Login};
use super::within;
use crate::core::inject::OwnProxy;
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;
use crate::core::route::{Destination, Host, OwnAddresses, Refusal, Route, ThisHost, route};
use crate::gateway::deadlines::Deadlines;
use crate::gateway::error::{Error, Kind};

/// Why an upstream proxy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// The text is no proxy's URL. It is not repeated, as it may have a password in it.
    #[error("this is not the URL of a proxy: use http://HOST:PORT or socks5://HOST:PORT")]
    Invalid,
    /// The proxy is reached in a way that is not supported.
    #[error("upstream proxies of scheme {0:?} are not supported: use http or socks5")]
    Scheme(String),
    /// The proxy would send everything back.
    #[error("the upstream proxy {0} leads back to dockline: set --upstream-proxy, or NO_PROXY=*")]
    Loop(String),
}

/// Says which proxy, if any, leads out.
#[derive(Clone, Debug, Default)]
pub struct Upstream(Option<Arc<Matcher>>);

impl Upstream {
    /// Goes out by the proxies that the environment names, and by none where it names none.
    pub fn from_environment() -> Result<Self, UpstreamError> {
        Self::checked(Matcher::from_env())
    }

    /// Goes out by the proxy at `url` always.
    pub fn from_url(url: &str) -> Result<Self, UpstreamError> {
        let upstream = Self::checked(Matcher::builder().all(url).build())?;
        match upstream.proxies().next() {
            Some(_) => Ok(upstream),
            None => Err(UpstreamError::Invalid),
        }
    }

    /// Goes out by the proxies that a container had of its own.
    pub(super) fn of_container(own: &OwnProxy) -> Self {
        let matcher = Matcher::builder()
            .http(own.http.as_deref().unwrap_or_default())
            .https(own.https.as_deref().unwrap_or_default())
            .no(own.exceptions.as_str())
            .build();
        Self(Some(Arc::new(matcher)))
    }

    fn checked(matcher: Matcher) -> Result<Self, UpstreamError> {
        let upstream = Self(Some(Arc::new(matcher)));
        let unknown = |proxy: &Proxy| proxy.kind().is_none();
        match upstream.proxies().find(unknown) {
            Some(proxy) => Err(UpstreamError::Scheme(proxy.scheme().to_owned())),
            None => Ok(upstream),
        }
    }

    /// Fails if a proxy listens on one of `own`: dockline's own addresses, and the interceptor's.
    pub fn refuse_loops(&self, own: &OwnAddresses) -> Result<(), UpstreamError> {
        let mut addresses = self.proxies().filter_map(|proxy| proxy.address());
        match addresses.find(|address| leads_back(address, own)) {
            Some(address) => Err(UpstreamError::Loop(address.to_string())),
            None => Ok(()),
        }
    }

    /// The proxies for plain HTTP and for everything else, where there are some.
    fn proxies(&self) -> impl Iterator<Item = Proxy> + use<> {
        // A name that only an exception for everything covers.
        let of = |scheme| self.matching(&format!("{scheme}://upstream.invalid/"));
        [of("http"), of("https")].into_iter().flatten()
    }

    /// The proxy by which `destination` is reached.
    pub(super) fn proxy_for(&self, destination: &Destination, plain_http: bool) -> Option<Proxy> {
        let scheme = if plain_http || destination.port == 80 {
            "http"
        } else {
            "https"
        };
        self.matching(&format!("{scheme}://{destination}/"))
    }

    fn matching(&self, url: &str) -> Option<Proxy> {
        let uri: Uri = url.parse().ok()?;
        self.0.as_ref()?.intercept(&uri).map(Proxy)
    }
}

/// Whether somebody at that address listens on one of `own`.
pub(in crate::gateway) fn leads_back(address: &Destination, own: &OwnAddresses) -> bool {
    let here = ThisHost {
        own,
        has_engine: false,
        internal_egress: false,
    };
    let led = route(&NetworkMap::default(), &Scope::Merged, address, here);
    let back = Refusal::Loop;
    matches!(led, Route::Refused { refusal, .. } if refusal == back)
}

/// A proxy that leads out.
pub(super) struct Proxy(Intercept);

enum ProxyKind {
    Http,
    Socks5,
}

impl Proxy {
    fn scheme(&self) -> &str {
        self.0.uri().scheme_str().unwrap_or_default()
    }

    fn kind(&self) -> Option<ProxyKind> {
        match self.scheme() {
            "http" => Some(ProxyKind::Http),
            "socks5" | "socks5h" => Some(ProxyKind::Socks5),
            _ => None,
        }
    }

    /// Whether it is reached in a way that is supported.
    pub(super) fn is_supported(&self) -> bool {
        self.kind().is_some()
    }

    /// Where it listens.
    pub(super) fn address(&self) -> Option<Destination> {
        let uri = self.0.uri();
        let port = match self.kind() {
            Some(ProxyKind::Socks5) => 1080,
            _ => 80,
        };
        Some(Destination {
            host: Host::from(uri.host()?),
            port: uri.port_u16().unwrap_or(port),
        })
    }

    /// Connects to `destination`; answers what the proxy sent on before its connection was ours, too.
    pub(super) async fn connect(
        &self,
        destination: &Destination,
        resolver: &Resolver,
        deadlines: &Deadlines,
    ) -> Result<(TcpStream, Bytes), Error> {
        let lost = || Error::new(Kind::Broken, "the upstream proxy has no address");
        let address = self.address().ok_or_else(lost)?;
        let stream = self.reach(&address, resolver, deadlines).await?;
        self.ask(stream, &address, destination, deadlines).await
    }

    /// Has it connect to `destination`. `stream`: to the proxy, which is at `address`.
    pub(super) async fn ask(
        &self,
        stream: TcpStream,
        address: &Destination,
        destination: &Destination,
        deadlines: &Deadlines,
    ) -> Result<(TcpStream, Bytes), Error> {
        let what = || format!("connecting through the upstream proxy {address}");
        let opened = async {
            match self.kind() {
                Some(ProxyKind::Socks5) => self.connect_by_socks(stream, destination).await,
                _ => self.connect_by_http(stream, destination).await,
            }
        };
        let opened = within(deadlines.connect, what, opened).await;
        opened.map_err(|error| {
            let reason = format!("upstream proxy {address}: {error}");
            Error::new(error.kind, reason)
        })
    }

    async fn reach(
        &self,
        address: &Destination,
        resolver: &Resolver,
        deadlines: &Deadlines,
    ) -> Result<TcpStream, Error> {
        let reached = async {
            let addresses = match &address.host {
                Host::Address(ip) => vec![SocketAddr::new(*ip, address.port)],
                Host::Name(name) => {
                    resolver
                        .look_up(name, address.port, deadlines.resolve)
                        .await?
                }
            };
            direct::connect(&addresses, deadlines).await
        };
        // That the proxy refuses connections must not look as if the destination did.
        let reached = reached.await.map_err(|error| {
            let reason = format!("the upstream proxy {address} cannot be reached: {error}");
            Error::new(Kind::Broken, reason)
        });
        Ok(reached?.0)
    }

    async fn connect_by_socks(
        &self,
        mut stream: TcpStream,
        destination: &Destination,
    ) -> Result<(TcpStream, Bytes), Error> {
        let login = self.0.raw_auth();
        let login = login.map(|(user, password)| Login { user, password });
        let target = match &destination.host {
            Host::Address(ip) => TargetAddr::Ip(SocketAddr::new(*ip, destination.port)),
            Host::Name(name) => TargetAddr::Domain(name.clone(), destination.port),
        };
        match socks_client::open(&mut stream, login.as_ref(), &target).await {
            Ok(()) => Ok((stream, Bytes::new())),
            Err(socks_client::Failure::Refused(code)) => {
                let reason = format!("it refused {destination} (SOCKS reply {code})");
                Err(Error::new(Kind::of_reply(code), reason))
            }
            Err(failure) => Err(Error::new(Kind::Broken, failure.to_string())),
        }
    }

    /// By CONNECT, for plain HTTP too: then every client protocol takes the same way.
    async fn connect_by_http(
        &self,
        stream: TcpStream,
        destination: &Destination,
    ) -> Result<(TcpStream, Bytes), Error> {
        let broken = |error: &dyn std::error::Error| Error::new(Kind::Broken, error.to_string());
        let mut request =
            Request::connect(destination.to_string()).header(HOST, destination.to_string());
        if let Some(login) = self.0.basic_auth() {
            request = request.header(PROXY_AUTHORIZATION, login);
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|e| broken(&e))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|e| broken(&e))?;
        let asked = async move {
            let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
            match response.status() {
                status if status.is_success() => Ok(hyper::upgrade::on(response)),
                StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                    Err(Error::new(Kind::Broken, "it wants other credentials"))
                }
                status => Err(Error::new(
                    Kind::Broken,
                    format!("it refused {destination} with {status}"),
                )),
            }
        };
        // The connection ends by itself: handed over, or because nobody asks it anything more.
        let (asked, _) = tokio::join!(asked, connection.with_upgrades());
        let upgraded = asked?.await.map_err(|e| broken(&e))?;
        let parts = upgraded.downcast::<TokioIo<TcpStream>>();
        let parts = parts.map_err(|_| Error::new(Kind::Broken, "it cannot be handed over"))?;
        Ok((parts.io.into_inner(), parts.read_buf))
    }
}
