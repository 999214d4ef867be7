//! Finds out whether an address really is our tunnel, without telling it the password.
//!
//! A connection alone proves nothing: the home address of a remote engine may be a local container's. So both
//! sides prove that they know the secret (SOCKS method 0x81 of `tunnel-image/src/auth.rs`).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::core::tunnel_state::Secret;

/// A tunnel on this machine answers within a millisecond; a firewall that drops packets never does.
const DEADLINE: Duration = Duration::from_secs(1);
const SOCKS_VERSION: u8 = 5;
const METHOD_MUTUAL: u8 = 0x81;
const MUTUAL_VERSION: u8 = 1;
const SERVER_PROOF: &[u8] = b"dockline tunnel v1 server";

/// Succeeds if the tunnel with that secret answers at `address`; with the address by which this host got there.
pub(super) async fn probe(address: SocketAddr, secret: &Secret) -> io::Result<SocketAddr> {
    match tokio::time::timeout(DEADLINE, handshake(address, secret)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")),
    }
}

async fn handshake(address: SocketAddr, secret: &Secret) -> io::Result<SocketAddr> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(address).await?;
    let mut hello = vec![SOCKS_VERSION, 1, METHOD_MUTUAL, MUTUAL_VERSION];
    hello.extend(nonce);
    stream.write_all(&hello).await?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await?;
    if chosen != [SOCKS_VERSION, METHOD_MUTUAL] {
        return Err(stranger());
    }
    let mut reply = [0; 64];
    stream.read_exact(&mut reply).await?;
    let (server_nonce, proof) = reply.split_at(32);
    let mut mac = keyed(secret)?;
    mac.update(SERVER_PROOF);
    mac.update(&nonce);
    mac.update(server_nonce);
    mac.verify_slice(proof).map_err(|_| stranger())?;
    stream.local_addr()
}

fn keyed(secret: &Secret) -> io::Result<Hmac<Sha256>> {
    let digits = secret.expose().as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let key: Option<Vec<u8>> = digits.chunks(2).map(pair).collect();
    let key = key.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the secret is not hexadecimal")
    })?;
    Hmac::new_from_slice(&key).map_err(io::Error::other)
}

fn stranger() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "something else answers there")
}
