//! A relay in front of an engine's socket that notes every request: when, which method, which path.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};

/// One request that passed.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    /// `GET /v1.45/containers/json?all=true`
    pub(crate) line: String,
}

/// The relay, which lives as long as the process.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Relay {
    /// Listens at `path` and relays to `engine`.
    pub(crate) fn start(path: &Path, engine: &Path) -> Result<Self> {
        let listener =
            UnixListener::bind(path).with_context(|| format!("bind {}", path.display()))?;
        let relay = Self {
            seen: Arc::default(),
        };
        let (this, engine) = (relay.clone(), engine.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (this, engine) = (this.clone(), engine.clone());
                // A connection that breaks is its peers' affair.
                thread::spawn(move || drop(this.carry(client, &engine)));
            }
        });
        Ok(relay)
    }

    /// What passed since the beginning, or since it was last forgotten.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    /// Starts anew.
    pub(crate) fn forget(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clear();
    }

    fn carry(&self, mut client: UnixStream, engine: &PathBuf) -> std::io::Result<()> {
        let mut engine = UnixStream::connect(engine)?;
        let (mut from, mut to) = (engine.try_clone()?, client.try_clone()?);
        thread::spawn(move || {
            drop(std::io::copy(&mut from, &mut to));
            drop(to.shutdown(Shutdown::Write));
        });
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = client.read(&mut buffer)?;
            if length == 0 {
                return engine.shutdown(Shutdown::Write);
            }
            self.note(&buffer[..length]);
            engine.write_all(&buffer[..length])?;
        }
    }

    fn note(&self, bytes: &[u8]) {
        let at = Instant::now();
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Some(line) = line.strip_suffix(b" HTTP/1.1\r") {
                let line = String::from_utf8_lossy(line).into_owned();
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.push(Seen { at, line });
            }
        }
    }
}
