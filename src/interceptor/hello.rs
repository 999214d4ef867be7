//! What a client says before its TLS begins: for whom it takes us, and what it speaks (RFC 8446, section 4.1.2).

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::rustls::server::Acceptor;

use super::origin::H2;

/// What HTTP/1.1 is called in TLS (RFC 7301, section 6).
const HTTP1: &[u8] = b"http/1.1";
/// The first byte of a TLS record that holds a handshake.
pub(super) const HANDSHAKE: u8 = 0x16;
/// More than a client has to say.
const MOST: usize = 64 * 1024;

/// A client's hello, with all that was read for it.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) server_name: Option<String>,
    pub(super) protocols: Vec<Vec<u8>>,
    pub(super) read: Bytes,
}

impl Hello {
    /// Whether HTTP may be spoken in that TLS.
    pub(super) fn speaks_http(&self) -> bool {
        self.protocols.is_empty() || !self.offer().is_empty()
    }

    /// What the client offers, of what we speak.
    pub(super) fn offer(&self) -> Vec<Vec<u8>> {
        let offered = self.protocols.iter();
        let known = offered.filter(|p| [H2, HTTP1].contains(&p.as_slice()));
        known.cloned().collect()
    }
}

/// Reads a hello, beginning with what was read before. What is none comes back as it came.
pub(super) async fn read(stream: &mut TcpStream, early: Bytes) -> Result<Hello, Bytes> {
    let mut acceptor = Acceptor::default();
    let mut read = BytesMut::from(&early[..]);
    let mut seen = 0;
    loop {
        while seen < read.len() {
            match acceptor.read_tls(&mut &read[seen..]) {
                Ok(0) | Err(_) => return Err(read.freeze()),
                Ok(length) => seen += length,
            }
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    let hello = accepted.client_hello();
                    let protocols = hello.alpn().into_iter().flatten().map(<[u8]>::to_vec);
                    return Ok(Hello {
                        server_name: hello.server_name().map(str::to_owned),
                        protocols: protocols.collect(),
                        read: read.freeze(),
                    });
                }
                Err(_) => return Err(read.freeze()),
            }
        }
        if read.len() >= MOST || !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
            return Err(read.freeze());
        }
    }
}
