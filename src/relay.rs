//! Relays between two connections, and resets both if one of them was cut off.

mod carry;
#[cfg(target_os = "linux")]
pub(crate) mod descriptors;
mod socket;

use std::io;

use bytes::Bytes;

pub(crate) use carry::{carry, with_scratch};
pub(crate) use socket::Socket;

use crate::metered::Metered;

/// A stream, with what was read from it before the relay began.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) stream: Metered,
    pub(crate) early: Bytes,
}

/// Relays between two connections to the end. Unless both directions end by themselves, both connections are reset,
/// even if the relay is dropped: what was cut off must not look complete.
pub(crate) async fn relay(client: End, target: End) -> io::Result<()> {
    let mut pair = Pair {
        client: client.stream,
        target: target.stream,
        complete: false,
    };
    carry(
        &mut pair.client,
        &mut pair.target,
        client.early,
        target.early,
    )
    .await?;
    pair.complete = true;
    Ok(())
}

struct Pair {
    client: Metered,
    target: Metered,
    complete: bool,
}

impl Drop for Pair {
    fn drop(&mut self) {
        if !self.complete {
            // Fails only on a socket that is dead already.
            let _ = self.client.set_zero_linger();
            let _ = self.target.set_zero_linger();
        }
    }
}
