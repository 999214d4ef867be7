use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tempfile::NamedTempFile;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::*;

/// A name server with two names, in this spelling.
async fn answer(server: UdpSocket) {
    let mut packet = [0; 512];
    loop {
        let (length, client) = server.recv_from(&mut packet).await.unwrap();
        let asked = Message::from_vec(&packet[..length]).unwrap();
        let query = asked.queries[0].clone();
        let data = match (query.name().to_string().as_str(), query.query_type()) {
            ("api.Shop_default.", RecordType::A) => {
                Some(RData::A(Ipv4Addr::new(172, 20, 0, 3).into()))
            }
            ("api.Shop_default.", RecordType::AAAA) => {
                Some(RData::AAAA(Ipv6Addr::LOCALHOST.into()))
            }
            ("api.test.", RecordType::A) => Some(RData::A(Ipv4Addr::new(10, 0, 0, 1).into())),
            _ => None,
        };
        let mut reply = Message::new(asked.metadata.id, MessageType::Response, OpCode::Query);
        reply.add_query(query.clone());
        if let Some(data) = data {
            reply.add_answer(Record::from_rdata(query.name().clone(), 600, data));
        } else {
            reply.metadata.response_code = ResponseCode::NXDomain;
        }
        server
            .send_to(&reply.to_vec().unwrap(), client)
            .await
            .unwrap();
    }
}

struct Servers {
    names: Names,
    file: NamedTempFile,
    _tasks: JoinSet<()>,
}

async fn servers(resolv_conf: &str) -> Servers {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(&file, resolv_conf).unwrap();
    let mut names = Names::from_file(file.path());
    names.port = server.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(answer(server));
    Servers {
        names,
        file,
        _tasks: tasks,
    }
}

#[tokio::test]
async fn asks_in_the_spelling_given_and_puts_ipv4_first() {
    let servers = servers("nameserver 127.0.0.1\noptions ndots:0\n").await;
    let found = servers.names.addresses("api.Shop_default").await.unwrap();
    assert_eq!(
        found,
        [
            "172.20.0.3".parse::<IpAddr>().unwrap(),
            Ipv6Addr::LOCALHOST.into()
        ]
    );
    for unknown in [
        "api.shop_default",
        "nobody",
        "münchen",
        "no name",
        "",
        ".",
        &"x".repeat(64),
    ] {
        assert!(
            servers.names.addresses(unknown).await.is_err(),
            "{unknown:?}"
        );
    }
}

#[tokio::test]
async fn follows_the_search_list() {
    let servers = servers("nameserver 127.0.0.1\nsearch test\noptions ndots:0\n").await;
    let found = servers.names.addresses("api").await.unwrap();
    assert_eq!(found, ["10.0.0.1".parse::<IpAddr>().unwrap()]);
}

#[tokio::test]
async fn follows_a_change_of_the_file() {
    let servers = servers("").await;
    assert!(servers.names.addresses("api.test").await.is_err());
    std::fs::write(&servers.file, "nameserver 127.0.0.1\n").unwrap();
    assert!(servers.names.addresses("api.test").await.is_ok());
    servers.file.close().unwrap();
    assert!(servers.names.addresses("api.test").await.is_err());
}
