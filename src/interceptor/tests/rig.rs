//! A running interceptor with everything around it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use tokio_util::sync::CancellationToken;

use super::rules;
use crate::core::caller::Caller;
use crate::core::hand_on::Interception;
use crate::core::host_pattern::HostPattern;
use crate::core::resolve::Scope;
use crate::core::sample;
use crate::core::trust::{Certificates, Roots};
use crate::counts::Counts;
use crate::doorway::{Lease, Opened, Refused, Wish, doorway};
use crate::interceptor::trust::{AskRoots, Trust};
use crate::interceptor::{Authority, BuiltIn, Config, Har, Lines};
use crate::traffic::Traffic;

/// Whatever takes longer has failed.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    let happened = timeout(LIMIT, happens).await;
    happened.unwrap_or_else(|_| panic!("{what} took longer than {LIMIT:?}"))
}

type Places = Arc<Mutex<BTreeMap<String, SocketAddr>>>;

pub(super) struct Rig {
    pub(super) stop: CancellationToken,
    /// Where connections have been asked for, and by whom.
    pub(super) asked: Arc<Mutex<Vec<(Scope, String)>>>,
    /// Where clients on this host find it.
    address: SocketAddr,
    /// What the container `web` trusts.
    origins: Issuer,
    /// What this machine trusts.
    machines: Issuer,
    places: Places,
    callers: mpsc::Sender<(TcpStream, Caller)>,
    own_ca: Bytes,
    har: PathBuf,
    pub(super) counts: Arc<Counts>,
    /// As the gateway would keep it.
    pub(super) traffic: Traffic,
    running: JoinSet<std::io::Result<()>>,
    _gateway: JoinSet<()>,
    _folder: tempfile::TempDir,
}

/// The authority of the test's own origins.
struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap());
        Self(issuer.unwrap())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// For the container `web`; whom others trust cannot be read.
    fn asked(&self) -> AskRoots {
        let bundle: Certificates = [self.0.der().to_vec()].into_iter().collect();
        AskRoots::new(move |container| {
            let bundle = bundle.clone();
            let read = (container == sample::id("web")).then(|| Roots {
                bundle,
                java: Certificates::default(),
                included: BTreeSet::default(),
                is_bare: false,
            });
            Box::pin(std::future::ready(
                read.ok_or_else(|| "the engine is away".to_owned()),
            ))
        })
    }

    fn server(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Rig {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let har = folder.path().join("seen.har");
        let authority = Authority::open(&folder.path().join("data")).unwrap();
        let own_ca = authority.pem();
        let (origins, machines) = (Issuer::new(), Issuer::new());
        let built_in = BuiltIn::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = built_in.local_addr();
        let (door, wishes) = doorway();
        let (places, asked) = (Places::default(), Arc::default());
        let traffic = Traffic::default();
        let mut gateway = JoinSet::new();
        gateway.spawn(attend(
            wishes,
            Arc::clone(&places),
            Arc::clone(&asked),
            traffic.clone(),
        ));
        let map = sample::map(
            "
            net shop 10.1.0.0/24
            run tunnel tunnel shop=
            run web watched shop=10.1.0.2 label=com.docker.compose.service=web label=dockline.ca=abc
            run old watched shop=10.1.0.3
            run mute watched shop=10.1.0.4 label=dockline.ca=abc
        ",
        );
        let counts = Arc::<Counts>::default();
        let config = Config {
            authority,
            door,
            counts: Arc::clone(&counts),
            map: watch::channel(Arc::new(map)).1,
            interception: Interception {
                ca: Some("abc".to_owned()).into(),
                pass_through: HostPattern::list("pinned.test").collect(),
            },
            roots: origins.asked(),
            password: None,
            lines: Lines::None,
            har: Some(Har::create(&har).unwrap()),
        };
        let stop = CancellationToken::new();
        let (callers, arrivals) = mpsc::channel(1);
        let trust = Trust::new(machines.roots(), origins.asked()).unwrap();
        let mut running = JoinSet::new();
        running.spawn(built_in.run_trusting(trust, config, arrivals, stop.clone()));
        Self {
            stop,
            asked,
            address,
            origins,
            machines,
            places,
            callers,
            own_ca,
            har,
            counts,
            traffic,
            running,
            _gateway: gateway,
            _folder: folder,
        }
    }

    /// Lets `destination` lead to a server of the test's.
    pub(super) async fn origin(&self, destination: &str) -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut places = self.places.lock().unwrap();
        places.insert(destination.to_owned(), address);
        listener
    }

    pub(super) fn tls_server(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        self.origins.server(name, protocols)
    }

    /// TLS of an origin that this machine alone trusts.
    pub(super) fn machines_server(&self, name: &str) -> TlsAcceptor {
        self.machines.server(name, &[])
    }

    /// TLS of an origin that nobody trusts.
    pub(super) fn stranger(name: &str) -> TlsAcceptor {
        Issuer::new().server(name, &[])
    }

    /// A connection of the container `web`, as the link brings it.
    pub(super) async fn caller(&self) -> TcpStream {
        self.caller_from("web").await
    }

    /// A connection of a client on this host.
    pub(super) async fn local(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(super) async fn caller_from(&self, container: &str) -> TcpStream {
        let link = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(link.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, address) = link.accept().await.unwrap();
        let scope = Scope::Container(sample::id(container));
        let arrival = (stream, Caller { address, scope });
        self.callers.send(arrival).await.unwrap();
        client
    }

    /// A caller's CONNECT; the status, and the text of a refusal.
    pub(super) async fn connect(&self, target: &str) -> (TcpStream, u16, String) {
        connect(self.caller().await, target).await
    }

    /// TLS of a container that trusts its origin, and not us.
    pub(super) async fn secure_from(
        &self,
        container: &str,
        target: &str,
    ) -> std::io::Result<client::TlsStream<TcpStream>> {
        let (stream, status, text) = connect(self.caller_from(container).await, target).await;
        assert_eq!(status, 200, "{text}");
        handshake(stream, target, self.origins.roots(), &[]).await
    }

    /// TLS of a caller that trusts us, or not.
    pub(super) async fn secure(
        &self,
        target: &str,
        protocols: &[&str],
        trusting: bool,
    ) -> std::io::Result<client::TlsStream<TcpStream>> {
        let (stream, status, text) = self.connect(target).await;
        assert_eq!(status, 200, "{text}");
        let nobody = RootCertStore::empty();
        let roots = if trusting { self.own_roots() } else { nobody };
        handshake(stream, target, roots, protocols).await
    }

    fn own_roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(&self.own_ca).unwrap();
        roots.add(ca).unwrap();
        roots
    }

    /// What a client that trusts us is told of `target`, by whatever connection it has.
    pub(super) async fn ask(&self, client: TcpStream, target: &str) -> String {
        let (stream, status, text) = connect(client, target).await;
        assert_eq!(status, 200, "{text}");
        let handshake = handshake(stream, target, self.own_roots(), &[]).await;
        let mut tls = handshake.unwrap();
        let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        say(&mut tls, request).await;
        let mut answer = String::new();
        soon("an answer", tls.read_to_string(&mut answer))
            .await
            .unwrap();
        answer
    }

    /// Ends it; the entries of the archive that it leaves.
    pub(super) async fn ends(mut self) -> Vec<Value> {
        self.stop.cancel();
        let ended = soon("the interceptor's end", self.running.join_next()).await;
        ended.unwrap().unwrap().unwrap();
        let archive: Value = serde_json::from_slice(&std::fs::read(&self.har).unwrap()).unwrap();
        rules::obeyed(&archive);
        archive["log"]["entries"].as_array().unwrap().clone()
    }
}

async fn attend(
    mut wishes: mpsc::Receiver<Wish>,
    places: Places,
    asked: Arc<Mutex<Vec<(Scope, String)>>>,
    traffic: Traffic,
) {
    while let Some(wish) = wishes.recv().await {
        let destination = wish.destination.to_string();
        let place = places.lock().unwrap().get(&destination).copied();
        let talk = traffic.between(&wish.caller.scope, &wish.destination, "tunnel");
        asked.lock().unwrap().push((wish.caller.scope, destination));
        let opened = match place {
            Some(address) => Ok(Opened {
                stream: TcpStream::connect(address).await.unwrap().into(),
                early: Bytes::new(),
                talk,
                lease: Lease::new(|| true),
            }),
            None => Err(Refused {
                status: 403,
                reason: "it is on no network of web".to_owned(),
            }),
        };
        // Who left need not be told.
        let _ = wish.answer.send(opened);
    }
}

pub(super) async fn say(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    soon("saying", stream.write_all(text.as_bytes()))
        .await
        .unwrap();
    soon("saying", stream.flush()).await.unwrap();
}

pub(super) async fn hear_bytes(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Vec<u8> {
    let mut heard = vec![0; length];
    soon("bytes", stream.read_exact(&mut heard)).await.unwrap();
    heard
}

/// Hears as many bytes as `text` has, which it must be.
pub(super) async fn hear(stream: &mut (impl AsyncRead + Unpin), text: &str) {
    let mut heard = vec![0; text.len()];
    soon(text, stream.read_exact(&mut heard)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&heard), text);
}

pub(super) async fn hear_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon("a head", stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

pub(super) async fn accept_tls(
    listener: &TcpListener,
    tls: &TlsAcceptor,
) -> server::TlsStream<TcpStream> {
    let (stream, _) = soon("a connection", listener.accept()).await.unwrap();
    soon("TLS", tls.accept(stream)).await.unwrap()
}

/// Echoes a body, with a trailer.
pub(super) async fn echo(request: Request<Incoming>) -> Result<Response<EchoBody>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let frames = [Ok(Frame::data(body)), Ok(Frame::trailers(trailers))];
    Ok(Response::new(StreamBody::new(stream::iter(frames))))
}

pub(super) type EchoBody =
    StreamBody<stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 2>>>;

/// HTTP/2 of a client, for as long as both are held.
pub(super) async fn send_h2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> (SendRequest<Full<Bytes>>, JoinSet<()>) {
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = soon("HTTP/2", handshake).await.unwrap();
    let mut driven = JoinSet::new();
    driven.spawn(async move { drop(connection.await) });
    (sender, driven)
}

/// Requests over HTTP/2; status, body and trailers of the answers.
pub(super) async fn ask_h2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    requests: Vec<Request<Full<Bytes>>>,
) -> Vec<(Response<Bytes>, Option<HeaderMap>)> {
    let (mut sender, _driven) = send_h2(stream).await;
    let mut answers = Vec::new();
    for request in requests {
        let answer = soon("an answer", sender.send_request(request));
        let (parts, body) = answer.await.unwrap().into_parts();
        let body = soon("a body", body.collect()).await.unwrap();
        let trailers = body.trailers().cloned();
        answers.push((Response::from_parts(parts, body.to_bytes()), trailers));
    }
    answers
}

/// A CONNECT; the status, and the text of a refusal.
async fn connect(mut caller: TcpStream, target: &str) -> (TcpStream, u16, String) {
    say(
        &mut caller,
        &format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"),
    )
    .await;
    let head = hear_head(&mut caller).await;
    let status = head[9..12].parse().unwrap();
    let mut text = String::new();
    if status != 200 {
        let length = head.to_lowercase();
        let length = length.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        soon("refusal", caller.read_exact(&mut body)).await.unwrap();
        text = String::from_utf8(body).unwrap();
    }
    (caller, status, text)
}

async fn handshake(
    stream: TcpStream,
    target: &str,
    roots: RootCertStore,
    protocols: &[&str],
) -> std::io::Result<client::TlsStream<TcpStream>> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    let host = target.rsplit_once(':').unwrap().0.to_owned();
    let name = ServerName::try_from(host).unwrap();
    soon(
        "TLS",
        TlsConnector::from(Arc::new(config)).connect(name, stream),
    )
    .await
}
