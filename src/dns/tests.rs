//! A real server on loopback, asked over real sockets.

mod connections;
mod ends;
mod own;
mod properties;
mod scope;
pub(super) mod upstream;

use std::future::Future;
use std::time::Duration;

use hickory_server::proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_server::proto::rr::{DNSClass, Name, RData, RecordType};
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

#[tokio::test]
async fn names_of_containers() {
    let service = Service::start(SHOP, ForwardPolicy::None);
    check(&service, "
        web.                   A      ok | aa | web. 0 A 172.21.0.2 | web. 0 A 172.20.0.2
        wEb.                   A      ok | aa | wEb. 0 A 172.21.0.2 | wEb. 0 A 172.20.0.2
        web.                   AAAA   ok | aa | web. 0 AAAA fd00:a::2
        db.                    A      ok | aa | db. 0 A 172.20.0.3 | db. 0 A 172.20.0.4
        DB.Shop_default.       A      ok | aa | DB.Shop_default. 0 A 172.20.0.3 | DB.Shop_default. 0 A 172.20.0.4
        bb0100000000.          A      ok | aa | bb0100000000. 0 A 172.20.0.3
        v4.                    AAAA   ok | aa | soa(0)
        web.                   MX     ok | aa | soa(0)
        web.                   HTTPS  ok | aa | soa(0)
        web.                   ANY    ok | aa | soa(0)
        web.                   PTR    ok | aa | soa(0)
        localhost.             A      ok | aa | localhost. 0 A 127.0.0.1
        localhost.             AAAA   ok | aa | localhost. 0 AAAA ::1
        host.docker.internal.  A      ok | aa | host.docker.internal. 0 A 127.0.0.1
        nosuch.                A      nxdomain | aa | soa(0)
        nosuch.                HTTPS  nxdomain | aa | soa(0)
        web.nosuch.            A      nxdomain | soa(0)
        .                      NS     nxdomain | aa | soa(0)").await;
    service.stop().await;
}

#[tokio::test]
async fn addresses_of_containers() {
    let upstream = Upstream::start(false);
    let service = Service::start(SHOP, upstream.policy());
    let v6 = |last: u8| format!("{last}.{}a.0.0.0.0.0.d.f.ip6.arpa.", "0.".repeat(23));
    check(
        &service,
        &format!(
            "
        3.0.20.172.in-addr.arpa.     PTR  ok | aa | 3.0.20.172.in-addr.arpa. 0 PTR db1.shop_default.
        3.0.20.172.IN-ADDR.arpa.     PTR  ok | aa | 3.0.20.172.IN-ADDR.arpa. 0 PTR db1.shop_default.
        {known}                      PTR  ok | aa | {known} 0 PTR db1.shop_default.
        {unknown}                    PTR  nxdomain | aa | soa(0)
        3.0.20.172.in-addr.arpa.     A    ok | aa | soa(0)
        9.9.20.172.in-addr.arpa.     PTR  nxdomain | aa | soa(0)
        1.1.168.192.in-addr.arpa.    PTR  nxdomain | aa | soa(0)
        20.172.in-addr.arpa.         SOA  nxdomain | aa | soa(0)
        1.0.0.127.in-addr.arpa.      PTR  ok | aa | 1.0.0.127.in-addr.arpa. 0 PTR localhost.
        8.8.8.8.in-addr.arpa.        PTR  ok | 8.8.8.8.in-addr.arpa. 60 PTR dns.example.org.
        4.4.8.8.in-addr.arpa.        PTR  nxdomain | soa(900)",
            known = v6(3),
            unknown = v6(9)
        ),
    )
    .await;
    // What is local has not left the machine.
    assert!(
        upstream.asked().iter().all(|one| one.contains("8.8.")),
        "{:?}",
        upstream.asked()
    );
    service.stop().await;
}

#[tokio::test]
async fn names_of_the_world() {
    let upstream = Upstream::start(false);
    let service = Service::start(SHOP, upstream.policy());
    check(&service, "
        www.Example.com.       A      ok | www.Example.com. 300 CNAME cdn.example.net. | cdn.example.net. 60 A 192.0.2.80
        www.example.com.       AAAA   ok | www.example.com. 300 CNAME cdn.example.net. | soa(900)
        empty.example.com.     A      ok | soa(900)
        nosuch.example.com.    HTTPS  nxdomain | soa(900)
        fails.example.com.     A      nxdomain | soa(0)
        refused.example.com.   AAAA   nxdomain | soa(0)
        silent.example.com.    A      nxdomain | soa(0)
        nosuch.                A      nxdomain | aa | soa(0)
        web.shop_default.      TXT    ok | aa | soa(0)").await;
    assert!(
        upstream.asked().iter().all(|one| one.contains(".com.")),
        "{:?}",
        upstream.asked()
    );
    assert!(upstream.asked().contains(&"www.Example.com. A".to_owned()));
    service.stop().await;
}

#[tokio::test]
async fn a_slow_server_holds_up_nobody_else() {
    let mut upstream = Upstream::start(false);
    let service = Service::start(SHOP, upstream.policy());
    let silent = question("silent.example.com.", RecordType::A);
    let local = question("db1.", RecordType::A);
    let socket = service.udp().await;
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    socket.send(&silent.to_vec().unwrap()).await.unwrap();
    upstream.was_asked("silent.example.com. A").await;
    send_framed(&mut stream, &silent.to_vec().unwrap()).await;
    socket.send(&local.to_vec().unwrap()).await.unwrap();
    send_framed(&mut stream, &local.to_vec().unwrap()).await;
    // The second question's answer comes first.
    for (reply, expected) in [
        (receive(&socket).await, &local),
        (receive_framed(&mut stream).await, &local),
        (receive(&socket).await, &silent),
        (receive_framed(&mut stream).await, &silent),
    ] {
        assert_eq!(reply.metadata.id, expected.metadata.id);
    }
    service.stop().await;
}

#[tokio::test]
async fn the_next_question_sees_the_next_map() {
    let service = Service::start(SHOP, ForwardPolicy::None);
    let asked = question("new.", RecordType::A);
    for (inventory, expected) in [
        (
            "net n 10.1.0.0/16\nrun new watched n=10.1.0.2",
            "ok | aa | new. 0 A 10.1.0.2",
        ),
        (
            "net n 10.1.0.0/16\nrun new watched n=10.1.0.3",
            "ok | aa | new. 0 A 10.1.0.3",
        ),
        ("net n 10.1.0.0/16", "nxdomain | aa | soa(0)"),
    ] {
        service
            .map_tx
            .send_replace(Arc::new(sample::map(inventory)));
        assert_eq!(shown(&service.ask(&asked).await), expected);
    }
    service.stop().await;
}

/// A name with 40 addresses: 16 bytes each.
fn crowd() -> String {
    let member = |n: u8| format!("run c{n} id=c{n:0>3} n=10.1.0.{n} alias=n:crowd\n");
    let members: String = (10..50).map(member).collect();
    format!("net n 10.1.0.0/16\nrun web watched n=10.1.0.2\n{members}")
}

#[tokio::test]
async fn long_answers_come_by_tcp() {
    let service = Service::start(&crowd(), ForwardPolicy::None);
    let plain = question("crowd.", RecordType::A);
    let small = with_edns(plain.clone(), 600, 0);
    let large = with_edns(plain.clone(), 1232, 0);
    for (asked, answers) in [(&plain, 0), (&small, 0), (&large, 40)] {
        let reply = service.ask(asked).await;
        assert_eq!(reply.answers.len(), answers);
        assert_eq!(reply.metadata.truncation, answers == 0);
        assert_eq!(reply.edns.is_some(), asked.edns.is_some());
        let reply = service.ask_by_tcp(asked).await;
        assert_eq!(
            (reply.answers.len(), reply.metadata.truncation),
            (40, false)
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn edns_is_answered_with_edns() {
    let service = Service::start(SHOP, ForwardPolicy::None);
    for (size, answered) in [(0, 512), (512, 512), (1232, 1232), (65_535, 4096)] {
        let reply = service
            .ask(&with_edns(question("db1.", RecordType::A), size, 0))
            .await;
        assert_eq!(shown(&reply), "ok | aa | db1. 0 A 172.20.0.3");
        let edns = reply.edns.unwrap();
        assert_eq!((edns.max_payload(), edns.version()), (answered, 0));
    }
    let reply = service
        .ask(&with_edns(question("db1.", RecordType::A), 1232, 1))
        .await;
    assert_eq!(shown(&reply), "BadVers");
    assert_eq!(reply.edns.unwrap().version(), 0);
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_question_gets_an_error() {
    let service = Service::start(SHOP, ForwardPolicy::None);
    let good = || question("db1.", RecordType::A);
    let edit = |change: fn(&mut Message)| {
        let mut message = good();
        change(&mut message);
        message
    };
    let chaos = |message: &mut Message| {
        message.queries[0].set_query_class(DNSClass::CH);
    };
    for (asked, code) in [
        (edit(chaos), "NotImp"),
        (edit(|m| m.metadata.op_code = OpCode::Notify), "NotImp"),
        (edit(|m| m.metadata.op_code = OpCode::Status), "NotImp"),
        (edit(|m| m.queries.clear()), "FormErr"),
        (edit(|m| m.queries.push(m.queries[0].clone())), "FormErr"),
        (question("db1.", RecordType::AXFR), "NotImp"),
    ] {
        assert_eq!(shown(&service.ask(&asked).await), code, "{asked}");
        assert_eq!(shown(&service.ask_by_tcp(&asked).await), code, "{asked}");
    }
    service.stop().await;
}

#[tokio::test]
async fn nonsense_does_no_harm() {
    let service = Service::start(SHOP, ForwardPolicy::None);
    let good = question("db1.", RecordType::A);
    let bytes = good.to_vec().unwrap();
    let mut answer = good.clone();
    answer.metadata.message_type = MessageType::Response;
    let unanswered = [
        Vec::new(),
        vec![0],
        bytes[..11].to_vec(),
        answer.to_vec().unwrap(),
    ];
    let mut pointer_to_itself = bytes[..12].to_vec();
    pointer_to_itself.extend([0xc0, 12, 0, 1, 0, 1]);
    let mut many_records = bytes.clone();
    many_records[6..12].fill(0xff);
    let mut oversized = bytes.clone();
    oversized[11] = 1;
    oversized.resize(9_000, 0xff);
    let malformed = [
        bytes[..bytes.len() - 3].to_vec(),
        pointer_to_itself,
        many_records,
        oversized,
    ];

    let socket = service.udp().await;
    for nonsense in &unanswered {
        socket.send(nonsense).await.unwrap();
        socket.send(&bytes).await.unwrap();
        let reply = receive(&socket).await;
        assert_eq!(
            shown(&reply),
            "ok | aa | db1. 0 A 172.20.0.3",
            "{nonsense:?}"
        );
    }
    for nonsense in &malformed {
        socket.send(nonsense).await.unwrap();
        assert_eq!(shown(&receive(&socket).await), "FormErr", "{nonsense:?}");
    }
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    for nonsense in unanswered.iter().filter(|bytes| bytes.len() > 11) {
        send_framed(&mut stream, nonsense).await;
    }
    for nonsense in &malformed {
        send_framed(&mut stream, nonsense).await;
        let reply = receive_framed(&mut stream).await;
        assert_eq!(shown(&reply), "FormErr", "{nonsense:?}");
        assert_eq!(reply.metadata.id, good.metadata.id);
    }
    assert_eq!(
        shown(&service.ask_by_tcp(&good).await),
        "ok | aa | db1. 0 A 172.20.0.3"
    );
    service.stop().await;
}

#[tokio::test]
async fn many_questions_on_one_connection() {
    let service = Service::start(SHOP, ForwardPolicy::None);
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    let mut expected = Vec::new();
    for id in 0..200 {
        let mut asked = question("db.", RecordType::A);
        asked.metadata.id = id;
        send_framed(&mut stream, &asked.to_vec().unwrap()).await;
        expected.push(id);
    }
    let mut answered = Vec::new();
    for _ in &expected {
        answered.push(receive_framed(&mut stream).await.metadata.id);
    }
    answered.sort_unstable();
    assert_eq!(answered, expected);
    service.stop().await;
}
