//! Relays between two connections, and resets both if one of them was cut off.

#[path = "../../src/relay/carry.rs"]
mod carry;

use bytes::Bytes;
use carry::carry;
use tokio::net::TcpStream;

/// Relays between two connections, then closes them; `up` and `down` is what was read of client and target before. Unless
/// both directions ended by themselves, and also when this future is dropped, both peers see a reset: a connection that
/// was cut off must not look like one that is complete.
pub(crate) async fn tunnel(client: TcpStream, target: TcpStream, up: Bytes, down: Bytes) {
    let mut ends = Ends {
        client,
        target,
        complete: false,
    };
    let relayed = carry(&mut ends.client, &mut ends.target, up, down).await;
    ends.complete = relayed.is_ok();
}

/// The connections of a tunnel.
struct Ends {
    client: TcpStream,
    target: TcpStream,
    complete: bool,
}

impl Drop for Ends {
    fn drop(&mut self) {
        if !self.complete {
            let _ = self.client.set_zero_linger();
            let _ = self.target.set_zero_linger();
        }
    }
}
