//! A running gateway with everything around it.

use std::net::SocketAddr;
use std::sync::Arc;

use dashmap::DashMap;
use fast_socks5::consts::SOCKS5_REPLY_CONNECTION_REFUSED;
use fast_socks5::util::target_addr::{TargetAddr, read_address};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::peer::{Peer, Server, soon};
use super::world;
use crate::core::caller::Caller;
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;
use crate::core::tunnel_state::{Secret, SocksAccess, Stage, TunnelState};
use crate::counts::Counts;
use crate::doorway::{Doorway, doorway};
use crate::gateway::{Config, Connections, Gateway, View};

pub(super) const SECRET: &str = "0123456789abcdef";

/// What the made-up tunnel does with an address.
#[derive(Clone, Copy)]
enum Behind {
    /// Connects to this one instead.
    Server(SocketAddr),
    /// Answers this code.
    Reply(u8),
}

type Network = Arc<DashMap<SocketAddr, Behind>>;

/// The plainest request.
pub(super) const GET: &str = "GET http://web/ HTTP/1.1\r\nHost: web\r\n\r\n";

pub(super) struct Rig {
    pub(super) address: SocketAddr,
    pub(super) map: watch::Sender<Arc<NetworkMap>>,
    pub(super) tunnel: watch::Sender<TunnelState>,
    pub(super) connections: Connections,
    pub(super) counts: Arc<Counts>,
    pub(super) stop: CancellationToken,
    callers: mpsc::Sender<(TcpStream, Caller)>,
    pub(super) door: Doorway,
    network: Network,
    gateway: JoinSet<()>,
    _tunnel: JoinSet<()>,
}

impl Rig {
    pub(super) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    /// Starts with the tunnel running and on all networks that matter.
    pub(super) async fn with(config: Config) -> Self {
        let network = Network::default();
        let socks = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = TunnelState {
            stage: Stage::Running,
            socks: Some(SocksAccess {
                address: socks.local_addr().unwrap(),
                secret: Secret::new(SECRET),
            }),
            ..TunnelState::default()
        };
        let mut tunnel_task = JoinSet::new();
        tunnel_task.spawn(run_tunnel(socks, Arc::clone(&network)));

        let (map_tx, map) = watch::channel(Arc::new(world::map()));
        let (tunnel_tx, tunnel) = watch::channel(running);
        let bound = Gateway::bind("127.0.0.1:0".parse().unwrap(), None)
            .await
            .unwrap();
        let (address, connections) = (bound.local_addr(), bound.connections());
        let stop = CancellationToken::new();
        let mut gateway = JoinSet::new();
        let (callers, arrivals) = mpsc::channel(1);
        let (door, wishes) = doorway();
        let counts = Arc::<Counts>::default();
        let view = View {
            map,
            tunnel,
            counts: Arc::clone(&counts),
        };
        gateway.spawn(bound.run(view, config, arrivals, wishes, stop.clone()));
        Self {
            address,
            map: map_tx,
            tunnel: tunnel_tx,
            connections,
            counts,
            stop,
            callers,
            door,
            network,
            gateway,
            _tunnel: tunnel_task,
        }
    }

    /// Publishes a map in which the tunnel is on these networks.
    pub(super) fn join(&self, networks: &[&str]) {
        self.map.send_replace(Arc::new(world::joined(networks)));
    }

    /// A server that has `address` on its network.
    pub(super) async fn container(&self, address: &str) -> Server {
        let server = Server::new().await;
        let behind = Behind::Server(server.address());
        self.network.insert(address.parse().unwrap(), behind);
        server
    }

    /// Makes the tunnel answer `code` for `address`.
    pub(super) fn reply(&self, address: &str, code: u8) {
        self.network
            .insert(address.parse().unwrap(), Behind::Reply(code));
    }

    /// A caller of the entry, as the link brings it.
    pub(super) async fn caller(&self, scope: Scope) -> Peer {
        let link = Server::new().await;
        let client = Peer::to(link.address()).await;
        let (stream, address) = link.0.accept().await.unwrap();
        let arrival = (stream, Caller { address, scope });
        self.callers.send(arrival).await.unwrap();
        client
    }

    pub(super) async fn client(&self) -> Peer {
        Peer::to(self.address).await
    }

    /// A client that has asked the container `web` for something, and the connection on which that comes there.
    pub(super) async fn asked(&self, request: &str) -> (Peer, Peer) {
        let web = self.container("10.231.1.2:80").await;
        let mut client = self.client().await;
        client.say(request).await;
        (client, web.accept().await)
    }

    /// Asks for a connection by CONNECT; answers the status and, of a refusal, the text.
    pub(super) async fn connect(&self, target: &str, headers: &str) -> (Peer, u16, String) {
        let mut client = self.client().await;
        client
            .say(format!("CONNECT {target} HTTP/1.1\r\n{headers}\r\n"))
            .await;
        let (status, text) = client.hear_response().await;
        (client, status, text)
    }

    /// Waits until the gateway has returned.
    pub(super) async fn ended(&mut self) {
        let ended = soon("the gateway's end", self.gateway.join_next()).await;
        ended.unwrap().unwrap();
    }
}

async fn run_tunnel(socks: TcpListener, network: Network) {
    let mut open = JoinSet::new();
    loop {
        let (client, _) = socks.accept().await.unwrap();
        let network = Arc::clone(&network);
        open.spawn(async move {
            // Clients that leave early are part of the tests.
            let _ = serve(client, network).await;
        });
    }
}

async fn serve(mut client: TcpStream, network: Network) -> std::io::Result<()> {
    let mut login = vec![0x05, 0x01, 0x02, 0x01, 8];
    login.extend(b"dockline");
    login.push(u8::try_from(SECRET.len()).unwrap());
    login.extend(SECRET.as_bytes());
    let mut given = vec![0; login.len()];
    client.read_exact(&mut given).await?;
    client.write_all(&[0x05, 0x02]).await?;
    if given != login {
        return client.write_all(&[0x01, 0x01]).await;
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    assert_eq!(request[..3], [0x05, 0x01, 0x00]);
    let asked = read_address(&mut client, request[3]).await.unwrap();
    let TargetAddr::Ip(asked) = asked else {
        panic!("the tunnel was asked for a name: {asked}");
    };
    let behind = network.get(&asked).map(|entry| *entry.value());
    let refused = Behind::Reply(SOCKS5_REPLY_CONNECTION_REFUSED);
    match behind.unwrap_or(refused) {
        Behind::Reply(code) => {
            let reply = [0x01, 0x00, 0x05, code, 0x00, 0x01, 0, 0, 0, 0, 0, 0];
            client.write_all(&reply).await
        }
        Behind::Server(address) => {
            let mut server = TcpStream::connect(address).await?;
            let reply = [0x01, 0x00, 0x05, 0x00, 0x00, 0x01, 10, 0, 0, 1, 0x9C, 0x40];
            client.write_all(&reply).await?;
            copy_bidirectional(&mut client, &mut server).await?;
            Ok(())
        }
    }
}
