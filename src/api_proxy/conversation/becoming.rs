//! What becomes of a connection on which no more calls come.

use bytes::Bytes;
use tokio::io::{self, AsyncRead, AsyncReadExt as _, AsyncWrite};
use tracing::trace;

use super::Conversation;
use crate::api_proxy::build::{self, Builder};
use crate::docker::dial::EngineStream;
use crate::relay::{self, Socket};

/// What a conversation turns into.
#[derive(Clone, Debug)]
pub(super) enum Becomes {
    /// Bytes that pass.
    Stream,
    /// HTTP/2, on which builds may be asked for.
    BuildKit,
    /// A program's input and output: a BuildKit's, perhaps.
    Program(String),
}

impl<C: Socket> Conversation<C> {
    pub(super) async fn become_it(self) {
        match self.becomes.clone() {
            Becomes::Stream => self.stream().await,
            Becomes::BuildKit => self.build(None).await,
            Becomes::Program(id) => self.program(&id).await,
        }
    }

    /// A program in a container. Clients speak HTTP/2 with a BuildKit there.
    async fn program(mut self, id: &str) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        let spoken = build::is_spoken(&mut self.client.inbound, &mut engine.inbound).await;
        let builder = match spoken {
            Ok(true) => build::builder(&self.shared, id).await,
            Ok(false) | Err(_) => None,
        };
        match builder {
            Some(builder) => self.build(Some(builder)).await,
            None => self.stream().await,
        }
    }

    /// Both directions to the end, each on its own.
    async fn stream(self) {
        let Some(engine) = self.engine else {
            return;
        };
        let ended = carry(self.client.into_parts(), engine.into_parts()).await;
        trace!(?ended, "a stream of the API proxy ended");
    }

    /// HTTP/2 in both directions; with a BuildKit in a container, or with the engine's.
    async fn build(self, builder: Option<Builder>) {
        let Some(engine) = self.engine else {
            return;
        };
        let client = resumed(self.client.into_parts());
        let engine = resumed(engine.into_parts());
        match builder {
            Some(builder) => builder.carry(client, engine, self.shared).await,
            None => build::carry(client, engine, self.shared).await,
        }
    }
}

/// Both ways to the end, beginning with what was read ahead: by the system alone, where it can.
async fn carry<C: Socket>(
    (mut client, up): (C, Bytes),
    (engine, down): (EngineStream, Bytes),
) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    let engine = match engine.into_descriptor() {
        Ok(engine) => {
            let client = client.into_descriptor()?;
            return relay::descriptors::carry(client, engine?, up, down).await;
        }
        Err(engine) => engine,
    };
    let mut engine = engine;
    relay::carry(&mut client, &mut engine, up, down).await
}

/// A stream of which something has been read ahead.
fn resumed<S: AsyncRead + AsyncWrite>((stream, ahead): (S, Bytes)) -> impl AsyncRead + AsyncWrite {
    let (reader, writer) = io::split(stream);
    io::join(std::io::Cursor::new(ahead).chain(reader), writer)
}
