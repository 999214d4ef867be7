//! The client's side of SOCKS5 (RFC 1928, RFC 1929): towards the tunnel in one flight, towards others step by step.
//!
//! Own, because the library's client cannot send all at once, and panics on reply codes that it does not know.

use std::io;
use std::net::SocketAddr;

use fast_socks5::consts;
use fast_socks5::util::target_addr::{AddrError, TargetAddr, read_address};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a server asks of its clients.
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The stream broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not take our name and password, or wants some.
    #[error("it does not accept our credentials")]
    Login,
    /// It speaks something else, or we asked for what cannot be said.
    #[error("it does not speak SOCKS5 as we do")]
    Protocol,
    /// It answered with this code.
    #[error("it answered with code {0}")]
    Refused(u8),
}

impl From<AddrError> for Failure {
    fn from(_: AddrError) -> Self {
        Self::Protocol
    }
}

/// Asks a server that is known to want `login`, and to read ahead, for a connection: one round trip.
pub(super) async fn open_at_once<S>(
    stream: &mut S,
    login: &Login<'_>,
    target: SocketAddr,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut flight = greeting(Some(login)).to_vec();
    flight.extend(credentials(login)?);
    flight.extend(request(&TargetAddr::Ip(target))?);
    stream.write_all(&flight).await?;
    read_method(stream, Some(login)).await?;
    read_verdict(stream).await?;
    read_reply(stream).await
}

/// Asks any server for a connection, one message at a time.
pub(super) async fn open<S>(
    stream: &mut S,
    login: Option<&Login<'_>>,
    target: &TargetAddr,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&greeting(login)).await?;
    read_method(stream, login).await?;
    if let Some(login) = login {
        stream.write_all(&credentials(login)?).await?;
        read_verdict(stream).await?;
    }
    stream.write_all(&request(target)?).await?;
    read_reply(stream).await
}

/// Offers one method only, so that the answer is known.
fn greeting(login: Option<&Login<'_>>) -> [u8; 3] {
    [consts::SOCKS5_VERSION, 1, method(login)]
}

fn method(login: Option<&Login<'_>>) -> u8 {
    match login {
        Some(_) => consts::SOCKS5_AUTH_METHOD_PASSWORD,
        None => consts::SOCKS5_AUTH_METHOD_NONE,
    }
}

fn credentials(login: &Login<'_>) -> Result<Vec<u8>, Failure> {
    let mut message = vec![0x01];
    for text in [login.user, login.password] {
        message.push(u8::try_from(text.len()).map_err(|_| Failure::Login)?);
        message.extend(text.as_bytes());
    }
    Ok(message)
}

fn request(target: &TargetAddr) -> Result<Vec<u8>, Failure> {
    let mut message = vec![consts::SOCKS5_VERSION, consts::SOCKS5_CMD_TCP_CONNECT, 0];
    message.extend(target.to_be_bytes()?);
    Ok(message)
}

async fn read_method<S>(stream: &mut S, login: Option<&Login<'_>>) -> Result<(), Failure>
where
    S: AsyncRead + Unpin,
{
    match read(stream).await? {
        [consts::SOCKS5_VERSION, chosen] if chosen == method(login) => Ok(()),
        [consts::SOCKS5_VERSION, _] => Err(Failure::Login),
        _ => Err(Failure::Protocol),
    }
}

async fn read_verdict<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(), Failure> {
    match read(stream).await? {
        [_, 0] => Ok(()),
        [_, _] => Err(Failure::Login),
    }
}

/// Reads not one byte too much: what follows is the target's.
async fn read_reply<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(), Failure> {
    let [version, code, _, address_type] = read(stream).await?;
    if version != consts::SOCKS5_VERSION {
        return Err(Failure::Protocol);
    }
    if code != consts::SOCKS5_REPLY_SUCCEEDED {
        return Err(Failure::Refused(code));
    }
    read_address(stream, address_type).await?;
    Ok(())
}

async fn read<S: AsyncRead + Unpin, const N: usize>(stream: &mut S) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
