//! DNS as a resolver asks it.

use std::net::UdpSocket;
use std::time::Duration;

use hickory_server::proto::op::{Message, MessageType, OpCode, Query};
use hickory_server::proto::rr::{Name, RecordType};

use super::Running;

/// Asks the service over UDP.
pub(crate) fn ask(running: &Running, name: &str, record_type: RecordType) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut question = Message::new(7, MessageType::Query, OpCode::Query);
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), record_type));
    socket
        .send_to(&question.to_vec().unwrap(), running.dns)
        .unwrap();
    let mut bytes = [0; 1232];
    let length = socket.recv(&mut bytes).unwrap();
    Message::from_vec(&bytes[..length]).unwrap()
}

/// The data of its answers.
pub(crate) fn data(answer: &Message) -> Vec<String> {
    answer
        .answers
        .iter()
        .map(|record| record.data.to_string())
        .collect()
}
