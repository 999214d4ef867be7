//! A DNS server in a container's place, over UDP and TCP, which knows a few names.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hickory_server::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_server::proto::rr::{RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::{Lab, namespace};

type Names = Arc<BTreeMap<String, Ipv4Addr>>;

/// A running server; ends when dropped.
#[derive(Debug)]
pub(crate) struct NameServer {
    _tasks: JoinSet<()>,
}

impl NameServer {
    /// Serves on all addresses of a running container. Nothing, if its network namespace cannot be entered.
    pub(crate) fn start(lab: &Lab, container: &str, names: &[(&str, &str)]) -> Option<Self> {
        let pid = lab.docker(&["inspect", "-f", "{{.State.Pid}}", &lab.own(container)]);
        let (udp, tcp) = namespace::in_network_of(pid.parse().unwrap(), || {
            let anywhere = (Ipv4Addr::UNSPECIFIED, 53);
            let udp = std::net::UdpSocket::bind(anywhere).unwrap();
            let tcp = std::net::TcpListener::bind(anywhere).unwrap();
            udp.set_nonblocking(true).unwrap();
            tcp.set_nonblocking(true).unwrap();
            (udp, tcp)
        })?;
        let names = names
            .iter()
            .map(|(name, address)| (format!("{name}."), address.parse().unwrap()));
        let names: Names = Arc::new(names.collect());
        let mut tasks = JoinSet::new();
        let udp = UdpSocket::from_std(udp).unwrap();
        tasks.spawn(serve_udp(udp, Arc::clone(&names)));
        tasks.spawn(serve_tcp(TcpListener::from_std(tcp).unwrap(), names));
        Some(Self { _tasks: tasks })
    }
}

async fn serve_udp(socket: UdpSocket, names: Names) {
    let mut buffer = [0; 4096];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        if let Some(answer) = answer(&buffer[..length], &names) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

async fn serve_tcp(listener: TcpListener, names: Names) {
    let mut open = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let names = Arc::clone(&names);
        open.spawn(async move {
            // Askers that leave are none of our business.
            let _ = serve_stream(stream, &names).await;
        });
    }
}

async fn serve_stream(mut stream: TcpStream, names: &Names) -> std::io::Result<()> {
    loop {
        let mut question = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut question).await?;
        let Some(answer) = answer(&question, names) else {
            return Ok(());
        };
        stream
            .write_u16(u16::try_from(answer.len()).unwrap())
            .await?;
        stream.write_all(&answer).await?;
    }
}

fn answer(question: &[u8], names: &Names) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?;
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.recursion_available = true;
    answer.metadata.authoritative = true;
    answer.add_query(query.clone());
    match names.get(&query.name().to_lowercase().to_ascii()) {
        None => answer.metadata.response_code = ResponseCode::NXDomain,
        Some(address) => {
            let data = RData::from(IpAddr::V4(*address));
            if data.record_type() == query.query_type() {
                answer.add_answer(Record::from_rdata(query.name().clone(), 0, data));
            }
        }
    }
    answer.to_vec().ok()
}
