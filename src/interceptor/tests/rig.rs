//! A running interceptor with everything around it.

mod issuer;
mod talk;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::{TlsAcceptor, client};
use tokio_util::sync::CancellationToken;

use self::issuer::Issuer;
pub(super) use self::talk::{
    accept_tls, ask_h2, echo, hear, hear_bytes, hear_head, say, send_h2, soon,
};
use self::talk::{connect, handshake};
use super::rules;
use crate::core::caller::Caller;
use crate::core::hand_on::Interception;
use crate::core::host_pattern::HostPattern;
use crate::core::resolve::Scope;
use crate::core::sample;
use crate::counts::Counts;
use crate::doorway::{Lease, Opened, Refused, Wish, doorway};
use crate::interceptor::trust::Trust;
use crate::interceptor::{Authority, BuiltIn, Config, Har, Lines};
use crate::traffic::Traffic;

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
