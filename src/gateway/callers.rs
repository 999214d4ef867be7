//! Our connections to the interceptor, by the address from which it sees them, with whose they are.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::core::resolve::Scope;

/// For a connection that the interceptor has just accepted to be entered here: it may be the quicker one.
const SETTLING: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Callers(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    next: AtomicU64,
    open: DashMap<SocketAddr, (u64, Scope)>,
    /// That one more is there.
    entered: Notify,
}

impl Callers {
    /// Whose connection it is.
    pub fn scope(&self, address: SocketAddr) -> Option<Scope> {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        self.0.open.get(&address).map(|open| open.value().1.clone())
    }

    /// The same, for one that may have been made this moment.
    pub async fn settled(&self, address: SocketAddr) -> Option<Scope> {
        let entered = async {
            loop {
                let more = self.0.entered.notified();
                if let Some(scope) = self.scope(address) {
                    return scope;
                }
                more.await;
            }
        };
        timeout(SETTLING, entered).await.ok()
    }

    /// Enters a connection.
    pub(super) fn enter(&self, stream: &TcpStream, scope: Scope) -> io::Result<Called> {
        let address = stream.local_addr()?;
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.open.insert(address, (number, scope));
        self.0.entered.notify_waiters();
        Ok(Called {
            callers: self.clone(),
            address,
            number,
        })
    }
}

/// Keeps a connection entered for as long as it is held.
#[derive(Debug)]
pub(super) struct Called {
    callers: Callers,
    address: SocketAddr,
    number: u64,
}

impl Drop for Called {
    fn drop(&mut self) {
        // Unless another connection has come by the same port meanwhile.
        let open = &self.callers.0.open;
        open.remove_if(&self.address, |_, (number, _)| *number == self.number);
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::core::sample::id;

    #[tokio::test]
    async fn a_connection_is_known_while_it_is_entered_and_waited_for_before() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let stream = stream.unwrap();
        let address = stream.local_addr().unwrap();
        let callers = Callers::default();
        let (web, api) = (Scope::Container(id("web")), Scope::Container(id("api")));
        let (found, first) = tokio::join!(callers.settled(address), async {
            tokio::task::yield_now().await;
            callers.enter(&stream, web.clone()).unwrap()
        });
        assert_eq!(found, Some(web.clone()));
        let mapped = format!("[::ffff:127.0.0.1]:{}", address.port());
        assert_eq!(callers.scope(mapped.parse().unwrap()), Some(web));
        // By the same port, before the end of the first is noticed.
        let second = callers.enter(&stream, api.clone()).unwrap();
        drop(first);
        assert_eq!(callers.scope(address), Some(api));
        drop(second);
        assert_eq!(callers.scope(address), None);
    }
}
