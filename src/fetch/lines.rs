//! Connections to whoever serves the entry's callers.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};

/// Both ends of a connection within this machine.
pub(super) async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let near = TcpStream::connect(address).await?;
    let own = near.local_addr()?;
    loop {
        let (far, peer) = listener.accept().await?;
        // Anybody here could have called.
        if peer == own {
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            return Ok((near, far));
        }
    }
}
