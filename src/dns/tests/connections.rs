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
