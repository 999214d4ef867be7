//! One connection of the home port, from its first byte to its end: the link's, or SOCKS5 (RFC 1928) with CONNECT to
//! addresses and names, and nothing else.
//!
//! Only reading has deadlines here: all answers together are far smaller than the socket's buffer, so that sending one never
//! waits for the client. The link is left to `link`; who may to `auth`, reaching the target to `dial`, and the bytes to `relay`.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fast_socks5::server::{Socks5ServerProtocol, SocksServerError, states};
use fast_socks5::util::target_addr::TargetAddr;
use fast_socks5::{ReplyError, Socks5Command};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::auth::authenticate;
use crate::dial::{Failure, Target, dial};
use crate::held::Held;
use crate::link::Link;
use crate::names::Names;
use crate::relay::tunnel;
use crate::secret::Secret;
use crate::wire::hello::FIRST_BYTE;

/// From accepting to the whole request.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For a client to take the last answer before its connection is closed.
const PARTING: Duration = Duration::from_secs(1);
/// Holds any greeting, password and request, so that a client that sends all at once is read at once.
const HANDSHAKE_BUFFER: usize = 1_024;

pub(crate) type Client = BufReader<Held<TcpStream>>;
type Asked<'a> = Socks5ServerProtocol<&'a mut Client, states::CommandRead>;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Socks {
    pub(crate) secret: Secret,
    pub(crate) names: Arc<Names>,
    pub(crate) link: Arc<Link>,
}

/// There will be no tunnel: the client has been told why, or is gone.
struct Refused;

impl From<SocksServerError> for Refused {
    fn from(_: SocksServerError) -> Self {
        Self
    }
}

impl Socks {
    /// Serves one client to the end.
    pub(crate) async fn serve(&self, client: TcpStream) {
        let deadline = Instant::now() + HANDSHAKE;
        let mut client = BufReader::with_capacity(HANDSHAKE_BUFFER, Held::new(client));
        // Read into the buffer, where it stays: who sends all at once is still read at once.
        match timeout_at(deadline, client.fill_buf()).await {
            Ok(Ok([FIRST_BYTE, ..])) => {
                return Box::pin(self.link.serve(client, &self.secret, deadline)).await;
            }
            Ok(Ok([_, ..])) => {}
            Ok(Ok([]) | Err(_)) | Err(_) => return,
        }
        // Boxed, because it takes far more memory than the relay, which may last for days.
        let opened = Box::pin(self.open(&mut client, deadline)).await;
        let Ok(target) = opened else {
            return Box::pin(part(client)).await;
        };
        let early = Bytes::copy_from_slice(client.buffer());
        if let Ok(client) = client.into_inner().release().await {
            tunnel(client, target, early, Bytes::new()).await;
        }
    }

    /// Does all that comes before the first byte is relayed.
    async fn open(&self, client: &mut Client, deadline: Instant) -> Result<TcpStream, Refused> {
        let asked = timeout_at(deadline, self.read_request(client)).await;
        let (asked, target) = asked.map_err(|_| Refused)??;
        let stream = match dial(&target, &self.names).await {
            Ok(stream) => stream,
            Err(failure) => return Err(refuse(asked, reply_to(failure)).await),
        };
        let unknown = (Ipv4Addr::UNSPECIFIED, 0).into();
        let bound = stream.local_addr().unwrap_or(unknown);
        asked.reply_success(bound).await?;
        Ok(stream)
    }

    async fn read_request<'a>(
        &self,
        client: &'a mut Client,
    ) -> Result<(Asked<'a>, Target), Refused> {
        let authenticated = authenticate(client, &self.secret).await?;
        let (asked, command, target) = authenticated.read_command().await?;
        if command != Socks5Command::TCPConnect {
            return Err(refuse(asked, ReplyError::CommandNotSupported).await);
        }
        let target = match target {
            TargetAddr::Ip(address) => Target::Address(address),
            TargetAddr::Domain(name, port) => Target::Name(name, port),
        };
        Ok((asked, target))
    }
}

async fn refuse(asked: Asked<'_>, reply: ReplyError) -> Refused {
    // A client that is gone need not be told.
    let _ = asked.reply_error(&reply).await;
    Refused
}

fn reply_to(failure: Failure) -> ReplyError {
    match failure {
        Failure::Refused => ReplyError::ConnectionRefused,
        Failure::NetworkUnreachable => ReplyError::NetworkUnreachable,
        Failure::NoSuchName | Failure::HostUnreachable => ReplyError::HostUnreachable,
        Failure::TimedOut => ReplyError::ConnectionTimeout,
        Failure::Other => ReplyError::GeneralFailure,
    }
}

/// Closes a connection whose client may still be sending: with unread bytes the kernel would reset it, and the client might
/// never see the answer that says why.
async fn part(mut client: Client) {
    let read_all = async {
        client.shutdown().await?;
        loop {
            let unread = client.fill_buf().await?.len();
            if unread == 0 {
                return Ok::<(), io::Error>(());
            }
            client.consume(unread);
        }
    };
    let _ = timeout(PARTING, read_all).await;
}

#[cfg(test)]
mod tests;
