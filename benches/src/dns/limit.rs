//! The limit: a DNS server that looks nothing up and answers each question with the same address, one system call to
//! receive and one to send.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::{Context as _, Result};

use super::wire;

/// Serves until the process is ended.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind(address).context("bind the limit program")?;
    let mut buffer = [0; 1500];
    loop {
        if let Ok((length, from)) = socket.recv_from(&mut buffer[..1400]) {
            let length = wire::answer(&mut buffer, length, Some(Ipv4Addr::new(172, 18, 0, 5)));
            drop(socket.send_to(&buffer[..length], from));
        }
    }
}
