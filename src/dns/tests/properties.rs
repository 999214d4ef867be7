//! Datagrams of any bytes: whatever was asked before, the next good question has its answer.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// A question with bytes cut out and put in, or bytes without any sense.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let good = with_edns(question("db1.shop_default.", RecordType::A), 1_232, 0);
    let good = good.to_vec().unwrap();
    let length = good.len();
    let put = prop::collection::vec(any::<u8>(), 0..8);
    let changed = (0..=length, 0..=length, put).prop_map(move |(one, other, put)| {
        let mut bytes = good.clone();
        bytes.splice(one.min(other)..one.max(other), put);
        bytes
    });
    prop_oneof![4 => changed, 1 => prop::collection::vec(any::<u8>(), 0..600)]
}

#[test]
fn any_datagram_leaves_the_server_well() {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.unwrap();
    let service = runtime.block_on(async { Service::start(SHOP, ForwardPolicy::None) });
    let good = question("db1.", RecordType::A).to_vec().unwrap();
    // Each case asks over real sockets.
    let cases = Config::default().cases / 4;
    let mut runner = TestRunner::new(Config::with_cases(cases));
    let tried = runner.run(&prop::collection::vec(datagram(), 1..8), |datagrams| {
        runtime.block_on(async {
            let socket = service.udp().await;
            let mut stream = TcpStream::connect(service.address).await.unwrap();
            for datagram in &datagrams {
                socket.send(datagram).await.unwrap();
                // A frame without a message ends a connection, by right.
                if !datagram.is_empty() {
                    send_framed(&mut stream, datagram).await;
                }
            }
            let answer = service.udp().await;
            answer.send(&good).await.unwrap();
            let reply = receive(&answer).await;
            prop_assert_eq!(shown(&reply), "ok | aa | db1. 0 A 172.20.0.3");
            send_framed(&mut stream, &good).await;
            // Answers to the others come first, those that have any.
            loop {
                let reply = receive_framed(&mut stream).await;
                if shown(&reply) == "ok | aa | db1. 0 A 172.20.0.3" {
                    return Ok(());
                }
            }
        })
    });
    runtime.block_on(service.stop());
    tried.unwrap();
}
