//! Many TCP connections at a time.

use super::*;
use crate::dns::tcp::MAX_CONNECTIONS;

#[tokio::test]
async fn a_newcomer_gets_the_place_of_who_has_been_idle_for_longest() {
    let service = Service::start(SHOP, ForwardPolicy::None);
    let asked = question("db1.", RecordType::A).to_vec().unwrap();
    let mut idle = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        send_framed(&mut stream, &asked).await;
        receive_framed(&mut stream).await;
        idle.push(stream);
    }
    // The first one is no longer the one that has been idle for longest.
    send_framed(&mut idle[0], &asked).await;
    receive_framed(&mut idle[0]).await;

    let mut newcomer = TcpStream::connect(service.address).await.unwrap();
    send_framed(&mut newcomer, &asked).await;
    receive_framed(&mut newcomer).await;
    assert_eq!(in_time(idle[1].read(&mut [0])).await.unwrap(), 0);
    for kept in [0, 2, MAX_CONNECTIONS - 1] {
        send_framed(&mut idle[kept], &asked).await;
        receive_framed(&mut idle[kept]).await;
    }
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
