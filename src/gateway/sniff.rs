//! Which protocol a client speaks, told by its first byte; and how to part from a client that gets nothing.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Socks5,
    /// Not served: it has neither names nor, as a rule, user names.
    Socks4,
    Http,
    /// Nothing that we know, TLS among it; or the client left.
    Unknown,
}

/// Looks at the first byte and leaves it where it is.
pub(super) async fn protocol(client: &TcpStream) -> io::Result<Protocol> {
    let mut first = [0];
    let read = client.peek(&mut first).await?;
    Ok(match first[0] {
        _ if read == 0 => Protocol::Unknown,
        0x05 => Protocol::Socks5,
        0x04 => Protocol::Socks4,
        letter if letter.is_ascii_alphabetic() => Protocol::Http,
        _ => Protocol::Unknown,
    })
}

/// Tells a SOCKS4 client that its request is rejected.
pub(super) async fn refuse_socks4(mut client: TcpStream, patience: Duration) {
    /// "Request rejected or failed", and an address that means nothing.
    const REJECTED: [u8; 8] = [0x00, 0x5B, 0, 0, 0, 0, 0, 0];
    // A client that does not take it need not be told.
    let _ = timeout(patience, client.write_all(&REJECTED)).await;
    part(client, patience).await;
}

/// Closes a connection whose client may still be sending: with unread bytes the kernel would reset it, and the client
/// might never see the answer that says why.
pub(super) async fn part(mut client: TcpStream, patience: Duration) {
    let read_all = async {
        client.shutdown().await?;
        let mut unread = [0; 512];
        while client.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(patience, read_all).await;
}
