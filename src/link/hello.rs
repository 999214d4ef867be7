//! How a connection of the link begins, from dockline's end.
//!
//! The tunnel's driver asks here as well whether an address really is our tunnel: a connection alone proves nothing, since the
//! home address of a remote engine may be a local container's.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::core::tunnel_state::{Secret, SocksAccess};
use crate::core::wire::hello::{CHALLENGE, hello, meet};
use crate::core::wire::message::{HEAD, read_head};
use crate::core::wire::{Message, Nonce};

/// A tunnel on this machine answers within a millisecond; a firewall that drops packets never does.
const DEADLINE: Duration = Duration::from_secs(1);

/// Connects, makes sure that the other side is the tunnel with that secret, tells it what the connection is to be, and
/// answers what it says to that.
pub async fn open(access: &SocksAccess, wish: &Message) -> io::Result<(TcpStream, Message)> {
    let opened = timeout(DEADLINE, begin(access, wish)).await;
    opened.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")))
}

async fn begin(access: &SocksAccess, wish: &Message) -> io::Result<(TcpStream, Message)> {
    let mut stream = TcpStream::connect(access.address).await?;
    stream.set_nodelay(true)?;
    let answer = greet(&mut stream, &access.secret, wish).await?;
    Ok((stream, answer))
}

/// The same on a connection that is there. How long that may take is the caller's to say.
pub async fn greet<S>(stream: &mut S, secret: &Secret, wish: &Message) -> io::Result<Message>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    introduce(stream, secret, wish).await?;
    read(stream).await
}

async fn introduce<S>(stream: &mut S, secret: &Secret, wish: &Message) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let not_hex = || io::Error::new(io::ErrorKind::InvalidInput, "the secret is not a key");
    let key = secret.key().ok_or_else(not_hex)?;
    let mut nonce: Nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    stream.write_all(&hello(&nonce)).await?;
    stream.flush().await?;
    let mut challenge = [0; CHALLENGE];
    stream.read_exact(&mut challenge).await?;
    let stranger = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let proof = meet(&key, &nonce, &challenge).map_err(stranger)?;
    stream
        .write_all(&[&proof[..], &wish.encode()].concat())
        .await?;
    stream.flush().await
}

/// The next message whose kind is known. How long to wait for it is the caller's to say.
pub(super) async fn read<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Message> {
    let malformed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    loop {
        let mut head = [0; HEAD];
        stream.read_exact(&mut head).await?;
        let (kind, length) = read_head(head).map_err(malformed)?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if let Some(message) = Message::decode(kind, &body).map_err(malformed)? {
            return Ok(message);
        }
    }
}
