//! A question to a DNS server, for whoever checks that it answers.

use std::io;
use std::net::{IpAddr, SocketAddr};

use hickory_server::proto::op::{Message, Query};
use hickory_server::proto::rr::{Name, RData, RecordType};
use tokio::net::UdpSocket;

/// The most that an answer without EDNS has (RFC 1035, section 4.2.1).
const LONGEST: usize = 512;

/// The IPv4 addresses of a name, over UDP. Whether it exists is not told. Waits for as long as it is let.
pub async fn ask(server: SocketAddr, name: &str) -> io::Result<Vec<IpAddr>> {
    // Networks of compose have underscores in their names, which are none of a host's.
    let mut name = Name::from_ascii(name).map_err(io::Error::other)?;
    name.set_fqdn(true);
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name, RecordType::A));
    let socket = UdpSocket::bind((if server.is_ipv4() { "0.0.0.0" } else { "::" }, 0)).await?;
    socket.connect(server).await?;
    socket
        .send(&question.to_vec().map_err(io::Error::other)?)
        .await?;
    let mut answer = [0; LONGEST];
    loop {
        let length = socket.recv(&mut answer).await?;
        let answer = Message::from_vec(&answer[..length]).map_err(io::Error::other)?;
        if answer.metadata.id == question.metadata.id {
            let records = answer.answers.iter();
            return Ok(records
                .filter_map(|record| match &record.data {
                    RData::A(address) => Some(IpAddr::V4(address.0)),
                    _ => None,
                })
                .collect());
        }
    }
}
