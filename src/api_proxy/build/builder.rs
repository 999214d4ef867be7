//! Builders in containers, as the driver `docker-container` of buildx has them: clients run `buildctl dial-stdio` there, and
//! speak HTTP/2 with what that is connected to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, warn};

use super::forward::{PREFACE, serve_at};
use super::stdcopy::{Client, Program};
use super::{Obstacle, entry};
use crate::api_proxy::Shared;
use crate::core::inject::{Attached, Entry, is_builder};
use crate::http1::inbound::Inbound;

/// Before HTTP/2, the head of what a program says; then the head of its first frame, of settings.
const FRAMED: usize = 8 + 9;

/// One that steps can be intercepted in.
#[derive(Clone, Copy, Debug)]
pub(in crate::api_proxy) struct Builder {
    /// Where the entry is, from there: its steps are where it is itself.
    entry: SocketAddr,
}

/// Whether a client speaks HTTP/2 with a program; nothing is taken of what both say. What is said first tells: nobody has to
/// wait for more of it.
pub(in crate::api_proxy) async fn is_spoken<C: AsyncRead, E: AsyncRead>(
    client: &mut Inbound<C>,
    program: &mut Inbound<E>,
) -> io::Result<bool> {
    tokio::select! {
        begins = client.begins() => if !begins? { return Ok(false) },
        begins = program.begins() => {
            if !begins? || !begins_with_settings(program.ahead()) {
                return Ok(false);
            }
            client.begins().await?;
        }
    }
    Ok(client.ahead().starts_with(PREFACE))
}

/// As servers of HTTP/2 begin: settings, of no stream.
fn begins_with_settings(said: &[u8]) -> bool {
    said.get(..FRAMED).is_some_and(|said| {
        said.starts_with(&[1, 0, 0, 0]) && said[11] == 4 && said[13..] == [0; 4]
    })
}

/// Whose program it is, if it is a builder's that is where the tunnel can be.
pub(in crate::api_proxy) async fn builder(shared: &Arc<Shared>, exec: &str) -> Option<Builder> {
    let (own, exec) = (Arc::clone(shared), exec.to_owned());
    let found = shared.elsewhere(async move { find(&own, &exec).await });
    match found.await? {
        Ok(builder) => builder,
        Err(obstacle) => {
            warn!("the builds of a builder are not intercepted: {obstacle}");
            None
        }
    }
}

async fn find(shared: &Shared, exec: &str) -> Result<Option<Builder>, Obstacle> {
    let Some(container) = shared.client.framed_program(exec).await? else {
        return Ok(None);
    };
    let Some(container) = shared.client.startable(&container).await? else {
        return Ok(None);
    };
    if !is_builder(&container.name) {
        debug!("a program speaks HTTP/2, and is no builder's");
        return Ok(None);
    }
    let attached = match Attached::of(&container.mode) {
        known @ (Attached::DefaultBridge | Attached::Host) => known,
        Attached::Named | Attached::Like(_) => {
            return Err(Obstacle::Unexpected("it is not on the default bridge"));
        }
    };
    match entry::of(shared, attached).await? {
        Entry::Address(entry) => Ok(Some(Builder { entry })),
        Entry::Name(_) => Err(Obstacle::NoBridge),
    }
}

impl Builder {
    /// Serves a client of it to the end of either connection.
    pub(in crate::api_proxy) async fn carry<C, E>(self, client: C, engine: E, shared: Arc<Shared>)
    where
        C: AsyncRead + AsyncWrite + Unpin,
        E: AsyncRead + AsyncWrite + Unpin,
    {
        serve_at(
            Some(self.entry),
            Client::new(client),
            Program::new(engine),
            shared,
        )
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_server_of_http_2_begins() {
        let settings = b"\x01\0\0\0\0\0\0\x0f\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0";
        assert!(begins_with_settings(settings));
        for said in [
            &settings[..16],
            b"\x01\0\0\0\0\0\0\x09hello you",
            b"$ ",
            b"",
        ] {
            assert!(!begins_with_settings(said), "{said:?}");
        }
    }
}
