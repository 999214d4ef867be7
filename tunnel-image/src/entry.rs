//! One caller of the entry: handed on to whoever owns the tunnel, or served here as by a plain forward proxy.

use std::sync::Arc;

use tokio::net::TcpStream;

use crate::link::Link;
use crate::plain::Plain;

/// What all callers share.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) link: Arc<Link>,
    pub(crate) plain: Arc<Plain>,
}

impl Entry {
    /// Serves one caller to the end.
    pub(crate) async fn serve(&self, caller: TcpStream) {
        let (Ok(from), Ok(local)) = (caller.peer_addr(), caller.local_addr()) else {
            return;
        };
        let canonical = |address: std::net::SocketAddr| {
            std::net::SocketAddr::new(address.ip().to_canonical(), address.port())
        };
        let (from, local) = (canonical(from), canonical(local));
        match self.link.hand_on(from, local).await {
            Some(way) => way.carry(caller).await,
            None => {
                Arc::clone(&self.plain)
                    .serve(caller, from.ip(), local.ip())
                    .await;
            }
        }
    }
}
