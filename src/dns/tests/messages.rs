//! Answers too long for a packet, EDNS, and what is no question.

use hickory_server::proto::op::OpCode;
use hickory_server::proto::rr::DNSClass;

use super::*;

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
