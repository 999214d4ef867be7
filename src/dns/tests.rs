//! A real server on loopback, asked over real sockets.

mod connections;
mod ends;
mod messages;
mod names;
mod own;
mod properties;
mod scope;
pub(super) mod upstream;

use std::future::Future;
use std::time::Duration;

use hickory_server::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_server::proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;

use self::upstream::{Upstream, no_tunnel};
use super::*;
use crate::core::sample;

/// Nothing here takes long; without it a lost answer would hang the tests.
const PATIENCE: Duration = Duration::from_secs(10);

const SHOP: &str = "
    net shop_default v6 172.20.0.0/16 fd00:a::/64
    net other 172.21.0.0/16
    run web watched id=aa01 shop_default=172.20.0.2,fd00:a::2 other=172.21.0.2
    run db1 id=bb01 shop_default=172.20.0.3,fd00:a::3 alias=shop_default:db
    run db2 id=bb02 shop_default=172.20.0.4,fd00:a::4 alias=shop_default:db
    run v4 id=bb03 other=172.21.0.5";

/// A server under test; stopped by [`Service::stop`].
struct Service {
    address: SocketAddr,
    /// To the server, in the watcher's place.
    map_tx: watch::Sender<Arc<NetworkMap>>,
    stop: CancellationToken,
    running: JoinSet<Result<(), Error>>,
}

impl Service {
    fn start(inventory: &str, policy: ForwardPolicy) -> Self {
        Self::with_tunnel(inventory, policy, no_tunnel())
    }

    fn with_tunnel(inventory: &str, policy: ForwardPolicy, dial: Dial) -> Self {
        let dns = Dns::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = dns.local_addr();
        let (map_tx, map) = watch::channel(Arc::new(sample::map(inventory)));
        let stop = CancellationToken::new();
        let forwarder = Forwarder::new(policy, address, dial);
        let forwarder = forwarder.with_deadline(Duration::from_millis(500));
        let mut running = JoinSet::new();
        let (_, tunnel) = watch::channel(TunnelState::default());
        let own = [address].into();
        let view = View {
            map,
            tunnel,
            own,
            counts: Arc::default(),
            internal_egress: false,
        };
        running.spawn(dns.run(view, forwarder, stop.clone()));
        Self {
            address,
            map_tx,
            stop,
            running,
        }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        let ended = in_time(self.running.join_next()).await;
        ended.unwrap().unwrap().unwrap();
        // Both ports are free again.
        Dns::bind(self.address).unwrap();
    }

    async fn udp(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(self.address).await.unwrap();
        socket
    }

    async fn ask(&self, message: &Message) -> Message {
        let socket = self.udp().await;
        socket.send(&message.to_vec().unwrap()).await.unwrap();
        receive(&socket).await
    }

    async fn ask_by_tcp(&self, message: &Message) -> Message {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        send_framed(&mut stream, &message.to_vec().unwrap()).await;
        receive_framed(&mut stream).await
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("no answer")
}

async fn receive(socket: &UdpSocket) -> Message {
    let mut bytes = [0; 4096];
    let length = in_time(socket.recv(&mut bytes)).await.unwrap();
    Message::from_vec(&bytes[..length]).unwrap()
}

async fn send_framed(stream: &mut TcpStream, bytes: &[u8]) {
    stream
        .write_u16(u16::try_from(bytes.len()).unwrap())
        .await
        .unwrap();
    stream.write_all(bytes).await.unwrap();
}

async fn receive_framed(stream: &mut TcpStream) -> Message {
    let length = in_time(stream.read_u16()).await.unwrap();
    let mut bytes = vec![0; length.into()];
    in_time(stream.read_exact(&mut bytes)).await.unwrap();
    Message::from_vec(&bytes).unwrap()
}

fn question(name: &str, record_type: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), record_type));
    message
}

fn with_edns(mut message: Message, size: u16, version: u8) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(size).set_version(version);
    message.set_edns(edns);
    message
}

/// The code, `aa`, and each record as `NAME TTL TYPE DATA`; an SOA as `soa(MINIMUM)`.
fn shown(message: &Message) -> String {
    let code = match message.metadata.response_code {
        ResponseCode::NoError => "ok".to_owned(),
        ResponseCode::NXDomain => "nxdomain".to_owned(),
        // One number, and hickory has but one name for it.
        ResponseCode::BADSIG => "BadVers".to_owned(),
        code => format!("{code:?}"),
    };
    let mut words = vec![code];
    words.extend(message.metadata.authoritative.then(|| "aa".to_owned()));
    for record in &message.answers {
        let (name, ttl) = (record.name.to_ascii(), record.ttl);
        let record_type = record.record_type();
        words.push(format!("{name} {ttl} {record_type} {}", record.data));
    }
    for record in &message.authorities {
        let RData::SOA(soa) = &record.data else {
            panic!("{record:?}");
        };
        words.push(format!("soa({})", soa.minimum.max(record.ttl)));
    }
    words.join(" | ")
}

/// Rows `NAME TYPE EXPECTED`, asked over UDP and TCP.
async fn check(service: &Service, rows: &str) {
    for row in rows.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (name, rest) = row.split_once(' ').unwrap();
        let (record_type, expected) = rest.trim_start().split_once(' ').unwrap();
        let asked = question(name, record_type.parse().unwrap());
        for reply in [service.ask(&asked).await, service.ask_by_tcp(&asked).await] {
            assert_eq!(shown(&reply), expected.trim_start(), "{row}");
            assert_eq!(reply.metadata.id, asked.metadata.id);
            assert_eq!(reply.metadata.message_type, MessageType::Response);
            assert!(reply.metadata.recursion_available && reply.metadata.recursion_desired);
            assert!(reply.queries[0].name().eq_case(asked.queries[0].name()));
            assert!(reply.edns.is_none() && !reply.metadata.truncation);
        }
    }
}
