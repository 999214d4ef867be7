//! One server asked one question, by the way that leads to it.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{DnsRequestOptions, Message, Query, ResponseCode};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time;

use super::super::reply::Reply;
use crate::core::route;

/// One server, with the connections to it.
pub(super) type Server = NameServerPool<TokioRuntimeProvider>;

/// Connects through the tunnel to the first of these that answers.
pub type Dial = Arc<
    dyn Fn(Vec<route::Target>) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>
        + Send
        + Sync,
>;

/// Which servers used up their time without an answer. The next name is not asked of them: there is no time for that twice.
#[derive(Default)]
pub(super) struct Silent(BTreeSet<usize>);

impl Silent {
    /// What it answers, unless it was silent before.
    pub(super) async fn listen(
        &mut self,
        server: usize,
        share: Duration,
        asked: impl Future<Output = Option<Reply>>,
    ) -> Option<Reply> {
        if self.0.contains(&server) {
            return None;
        }
        let began = time::Instant::now();
        let reply = asked.await;
        // One that refuses, or fails, does so at once, and may well know another name.
        if reply.is_none() && began.elapsed() >= share / 2 {
            self.0.insert(server);
        }
        reply
    }
}

/// A server that is asked straight from here, by UDP, and by TCP where that does not do.
pub(super) fn server(address: SocketAddr, timeout: Duration) -> Result<Server, NetError> {
    let mut config = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut config.connections {
        connection.port = address.port();
    }
    let mut options = ResolverOpts::default();
    options.timeout = timeout;
    let context = PoolContext::new(options, TlsConfig::new()?);
    let provider = TokioRuntimeProvider::new();
    Ok(NameServerPool::from_config(
        [config],
        Arc::new(context),
        provider,
    ))
}

pub(super) async fn ask(server: &Server, query: &Query) -> Option<Reply> {
    let asked = server.lookup(query.clone(), DnsRequestOptions::default());
    match asked.first_answer().await {
        Ok(response) => reply(response.into_message()),
        Err(NetError::Dns(DnsError::NoRecordsFound(NoRecords {
            response_code,
            authorities,
            ..
        }))) => {
            let authority = authorities
                .iter()
                .flat_map(|records| records.iter().cloned());
            Some(Reply::passed_on(response_code, Vec::new(), authority))
        }
        Err(error) => {
            tracing::debug!(%error, "no answer from a DNS server");
            None
        }
    }
}

/// Asks a container's own server, within `patience`.
pub(super) async fn ask_own(
    own: &route::Server,
    query: &Query,
    dial: &Dial,
    patience: Duration,
) -> Option<Reply> {
    match own {
        route::Server::Direct(address) => ask(&server(*address, patience).ok()?, query).await,
        route::Server::Tunnel(targets) => {
            let exchange = async { exchange(dial(targets.clone()).await?, query).await };
            match time::timeout(patience, exchange).await {
                Ok(Ok(message)) => reply(message),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "no answer from a container's own DNS server");
                    None
                }
                Err(_) => {
                    tracing::debug!("a container's own DNS server is silent");
                    None
                }
            }
        }
    }
}

/// One question and its answer over a connection of their own: the tunnel carries no datagrams.
async fn exchange(mut stream: TcpStream, query: &Query) -> io::Result<Message> {
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(query.clone());
    let bytes = question.to_vec().map_err(io::Error::other)?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    let framed = [&length.to_be_bytes(), bytes.as_slice()].concat();
    stream.write_all(&framed).await?;
    let mut bytes = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut bytes).await?;
    let answer = Message::from_vec(&bytes).map_err(io::Error::other)?;
    let answers_it =
        answer.metadata.id == question.metadata.id && answer.queries == [query.clone()];
    answers_it
        .then_some(answer)
        .ok_or_else(|| io::Error::other("an answer to another question"))
}

/// What that server knows; nothing if it failed.
fn reply(message: Message) -> Option<Reply> {
    let code = message.metadata.response_code;
    let understood = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
    understood.then(|| Reply::passed_on(code, message.answers, message.authorities))
}
