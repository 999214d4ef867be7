//! Stands before an engine's socket and can be cut: to whoever uses it, the engine is then away.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};

/// The relay, which lives as long as the process.
#[derive(Debug)]
pub(crate) struct Front {
    socket: PathBuf,
    /// Connections of the past and of now.
    carried: Arc<Mutex<Vec<UnixStream>>>,
}

impl Front {
    /// Listens at `socket` and relays to `engine`.
    pub(crate) fn open_at(socket: &Path, engine: &Path) -> Result<Self> {
        let listener =
            UnixListener::bind(socket).with_context(|| format!("bind {}", socket.display()))?;
        let front = Self {
            socket: socket.to_owned(),
            carried: Arc::default(),
        };
        let (carried, engine) = (Arc::clone(&front.carried), engine.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that breaks is its peers' affair.
                drop(carry(client, &engine, &carried));
            }
        });
        Ok(front)
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Ends all connections, and takes no new ones.
    pub(crate) fn cut(&self) -> Result<()> {
        std::fs::rename(&self.socket, self.aside()).context("take the socket away")?;
        for stream in lock(&self.carried).drain(..) {
            // One that has ended already is fine.
            let _ = stream.shutdown(Shutdown::Both);
        }
        Ok(())
    }

    /// Takes connections again.
    pub(crate) fn open(&self) -> Result<()> {
        std::fs::rename(self.aside(), &self.socket).context("put the socket back")
    }

    fn aside(&self) -> PathBuf {
        self.socket.with_extension("aside")
    }
}

fn carry(client: UnixStream, engine: &Path, carried: &Mutex<Vec<UnixStream>>) -> io::Result<()> {
    let engine = UnixStream::connect(engine)?;
    lock(carried).extend([client.try_clone()?, engine.try_clone()?]);
    for (mut from, mut to) in [(client.try_clone()?, engine.try_clone()?), (engine, client)] {
        thread::spawn(move || {
            drop(io::copy(&mut from, &mut to));
            drop(to.shutdown(Shutdown::Write));
        });
    }
    Ok(())
}

fn lock(carried: &Mutex<Vec<UnixStream>>) -> MutexGuard<'_, Vec<UnixStream>> {
    carried.lock().unwrap_or_else(PoisonError::into_inner)
}
