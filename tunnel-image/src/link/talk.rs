//! Messages on streams.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::wire::hello::{HELLO, Proof, challenge, is_met, read_hello};
use crate::wire::message::{HEAD, read_head};
use crate::wire::{Key, Message, Nonce};

/// Finds out whether the other side knows the secret and speaks the same version, and what it wants. Deadlines are the
/// caller's.
pub(super) async fn meet<S>(stream: &mut S, key: &Key, own: u8) -> io::Result<Message>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut hello = [0; HELLO];
    stream.read_exact(&mut hello).await?;
    let (version, client) = read_hello(&hello).ok_or_else(stranger)?;
    let mut server: Nonce = [0; 32];
    getrandom::fill(&mut server)?;
    // Whoever speaks another version learns from the answer which one is spoken here.
    let challenge = challenge(own, key, &client, &server);
    stream.write_all(&challenge).await?;
    let mut proof: Proof = [0; 32];
    stream.read_exact(&mut proof).await?;
    if version != own || !is_met(key, &client, &server, &proof) {
        return Err(stranger());
    }
    read(stream).await
}

/// The next message whose kind is known.
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

fn stranger() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}
