//! A running API proxy in front of an engine that is a listener of the test's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::api_proxy::{ApiProxy, Authorities, Config, Error, View};
use crate::core::membership::Leases;
use crate::core::sample::map;
use crate::core::tunnel_state::TunnelState;
use crate::counts::Counts;
use crate::docker::{Client, Endpoint};

/// Whatever takes longer has failed.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

pub(super) struct Rig {
    folder: TempDir,
    engine: Option<UnixListener>,
    tcp: SocketAddr,
    pub(super) counts: Arc<Counts>,
    _proxy: JoinSet<Result<(), Error>>,
}

impl Rig {
    pub(super) fn start() -> Self {
        Self::of("")
    }

    /// With an engine of which that is known.
    pub(super) fn of(known: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&engine).unwrap();
        let socket = folder.path().join("docker.sock");
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let proxy = ApiProxy::bind(socket, Some(any_port)).unwrap();
        let tcp = proxy.tcp_addr().unwrap().unwrap();
        let endpoint = Endpoint::Unix(engine);
        let counts = Arc::<Counts>::default();
        let view = View {
            map: watch::channel(Arc::new(map(known))).1,
            tunnel: watch::channel(TunnelState::default()).1,
            leases: watch::channel(Leases::default()).0,
            client: Client::new(endpoint.clone()),
            authorities: Authorities::new(|_, _| Box::pin(async { Ok(None) })),
            ca: None,
            builds: watch::channel(0).0,
            counts: Arc::clone(&counts),
        };
        let config = Config {
            instance: "default".parse().unwrap(),
            endpoint,
            foreign_allowed: false,
            intercept_loopback: false,
            intercept_builds: true,
            pass_through: Vec::new(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(proxy.run(view, config, CancellationToken::new()));
        Self {
            folder,
            engine: Some(listener),
            tcp,
            counts,
            _proxy: tasks,
        }
    }

    pub(super) async fn client(&self) -> Peer<UnixStream> {
        let socket = self.folder.path().join("docker.sock");
        Peer(UnixStream::connect(socket).await.unwrap())
    }

    pub(super) async fn tcp_client(&self) -> Peer<TcpStream> {
        Peer(TcpStream::connect(self.tcp).await.unwrap())
    }

    /// The next connection that the engine gets.
    pub(super) async fn engine(&self) -> Peer<UnixStream> {
        let listener = self.engine.as_ref().unwrap();
        let accepted = timeout(LIMIT, listener.accept()).await;
        Peer(accepted.expect("a connection in time").unwrap().0)
    }

    pub(super) fn stop_engine(&mut self) {
        self.engine = None;
    }
}

/// One end of a connection.
pub(super) struct Peer<S>(pub(super) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(super) async fn send(&mut self, text: &str) {
        let sent = timeout(LIMIT, self.0.write_all(text.as_bytes())).await;
        sent.expect("room in time").unwrap();
    }

    /// Fails unless exactly this comes next.
    pub(super) async fn reads(&mut self, expected: &str) {
        let mut found = vec![0; expected.len()];
        let read = timeout(LIMIT, self.0.read_exact(&mut found)).await;
        read.unwrap_or_else(|_| panic!("not all of {expected:?} in time"))
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&found), expected);
    }

    /// Fails unless the other end has nothing more to say.
    pub(super) async fn ends(&mut self) {
        assert_eq!(self.rest().await, "");
    }

    /// All that is still to come.
    pub(super) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let read = timeout(LIMIT, self.0.read_to_end(&mut rest)).await;
        read.expect("an end in time").unwrap();
        String::from_utf8(rest).unwrap()
    }

    pub(super) async fn half_close(&mut self) {
        self.0.shutdown().await.unwrap();
    }
}
