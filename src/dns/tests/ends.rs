//! How the server begins and ends.

use super::*;

#[tokio::test]
async fn a_port_must_be_free_for_both() {
    let dns = Dns::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let Dns { udp, tcp, address } = dns;
    let in_use = |what: &str| {
        let error = Dns::bind(address).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{what}");
    };
    in_use("both");
    drop(tcp);
    in_use("udp");
    drop(udp);
    let tcp = TcpListener::bind(address).unwrap();
    in_use("tcp");
    drop(tcp);
    Dns::bind(address).unwrap();
}

#[tokio::test]
async fn stops_with_questions_and_connections_open() {
    let mut upstream = Upstream::start(false);
    let service = Service::start(SHOP, upstream.policy());
    let silent = question("silent.example.com.", RecordType::A)
        .to_vec()
        .unwrap();
    let socket = service.udp().await;
    socket.send(&silent).await.unwrap();
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    send_framed(&mut stream, &silent).await;
    upstream.was_asked("silent.example.com. A").await;
    service.stop.cancel();
    assert_eq!(in_time(stream.read(&mut [0])).await.unwrap_or(0), 0);
    service.stop().await;
}

#[tokio::test]
async fn its_thread_ends_with_the_future() {
    let mut service = Service::start(SHOP, ForwardPolicy::None);
    check(&service, "db1. A ok | aa | db1. 0 A 172.20.0.3").await;
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    service.running.shutdown().await;
    assert_eq!(in_time(stream.read(&mut [0])).await.unwrap_or(0), 0);
}
