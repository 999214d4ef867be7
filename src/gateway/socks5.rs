//! SOCKS5 towards clients (RFC 1928): CONNECT to addresses and names, nothing else. The user name is the client hint.

mod login;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use fast_socks5::server::{Socks5ServerProtocol, SocksServerError, states};
use fast_socks5::util::target_addr::TargetAddr;
use fast_socks5::{ReplyError, Socks5Command};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{debug, trace};

use super::Shared;
use super::dial::{Call, Dialled};
use super::sniff::part;
use crate::core::route::{Destination, Host};
use crate::relay::{End, relay};

/// Holds any greeting, password and request, so that a client that sends all at once is read at once.
const HANDSHAKE_BUFFER: usize = 1_024;

type Client = BufReader<TcpStream>;
type Asked<'a> = Socks5ServerProtocol<&'a mut Client, states::CommandRead>;

/// There will be no connection: the client has been told why, or is gone.
struct Refused;

impl From<SocksServerError> for Refused {
    fn from(error: SocksServerError) -> Self {
        debug!(%error, "a SOCKS client did not get as far as a request");
        Self
    }
}

/// Serves one client to the end.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let mut client = BufReader::with_capacity(HANDSHAKE_BUFFER, stream);
    // Boxed, because it takes far more memory than the relay, which may last for days.
    let Ok(dialled) = Box::pin(open(&mut client, peer, &shared)).await else {
        return part(client.into_inner(), shared.deadlines.parting).await;
    };
    drop(shared);
    let early = Bytes::copy_from_slice(client.buffer());
    let client = End {
        stream: client.into_inner().into(),
        early,
    };
    let Dialled { end, entry, .. } = dialled;
    let ended = relay(client, end).await;
    trace!(?ended, "relay ended");
    drop(entry);
}

/// Does all that comes before the first byte is relayed.
async fn open(client: &mut Client, peer: SocketAddr, shared: &Shared) -> Result<Dialled, Refused> {
    let patience = shared.deadlines.handshake;
    let read = timeout(patience, read_request(client, shared)).await;
    let (asked, hint, destination) = read.map_err(|_| Refused)??;
    let call = Call {
        client: peer,
        scope: shared.scope(hint.as_deref()),
        destination,
        plain_http: false,
    };
    trace!(destination = %call.destination, scope = ?call.scope, "SOCKS request");
    let dialled = match shared.dialler.dial(call).await {
        Ok(dialled) => dialled,
        Err(error) => return Err(refuse(asked, error.kind.reply(), shared).await),
    };
    let unknown = (Ipv4Addr::UNSPECIFIED, 0).into();
    let bound = dialled.end.stream.local_addr().unwrap_or(unknown);
    let told = timeout(patience, asked.reply_success(bound)).await;
    told.map_err(|_| Refused)??;
    Ok(dialled)
}

async fn read_request<'a>(
    client: &'a mut Client,
    shared: &Shared,
) -> Result<(Asked<'a>, Option<String>, Destination), Refused> {
    let (authenticated, hint) = login::authenticate(client, shared.password.as_ref()).await?;
    let (asked, command, target) = authenticated.read_command().await?;
    if command != Socks5Command::TCPConnect {
        return Err(refuse(asked, ReplyError::CommandNotSupported, shared).await);
    }
    let destination = match target {
        TargetAddr::Ip(address) => Destination {
            host: Host::Address(address.ip()),
            port: address.port(),
        },
        TargetAddr::Domain(name, port) => Destination {
            host: Host::from(name.as_str()),
            port,
        },
    };
    Ok((asked, hint, destination))
}

async fn refuse(asked: Asked<'_>, reply: ReplyError, shared: &Shared) -> Refused {
    // A client that is gone need not be told.
    let _ = timeout(shared.deadlines.parting, asked.reply_error(&reply)).await;
    Refused
}
