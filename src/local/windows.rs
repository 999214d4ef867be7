//! Named pipes. As Windows makes them, their owner, administrators and the system may write, and nobody from another
//! machine may connect.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::windows::named_pipe::{
    ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
};
use tokio::time::{sleep, timeout};

/// Where all pipes are.
const PIPES: &str = r"\\.\pipe\";
/// What the system says while others are being accepted (`ERROR_PIPE_BUSY`).
const BUSY: i32 = 231;
/// Before it is tried again, and for how long in all.
const AGAIN: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(5);

/// A program's connection.
pub(crate) type Incoming = NamedPipeServer;

/// A pipe on which nobody listens yet.
#[derive(Debug)]
pub(crate) struct Bound(Listener);

impl Bound {
    /// Makes the pipe; fails if it is there, since it would be another's.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let name = name(path);
        let next = ServerOptions::new()
            .first_pipe_instance(true)
            .create(&name)?;
        Ok(Self(Listener { next, name }))
    }

    /// Listens.
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere the system may say no")]
    pub(crate) fn listen(self) -> io::Result<Listener> {
        Ok(self.0)
    }
}

/// A pipe on which somebody listens.
#[derive(Debug)]
pub(crate) struct Listener {
    /// To be connected to next.
    next: NamedPipeServer,
    name: String,
}

impl Listener {
    /// The next who connects.
    pub(crate) async fn accept(&mut self) -> io::Result<Incoming> {
        self.next.connect().await?;
        // Before this one is given away: a pipe without a free end is not there for clients.
        let next = ServerOptions::new().create(&self.name)?;
        Ok(std::mem::replace(&mut self.next, next))
    }
}

/// Nothing to do: a pipe is gone with its last end.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere the system may say no")]
pub(crate) fn remove(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Connects to who listens there.
pub(crate) async fn connect(path: &Path) -> io::Result<NamedPipeClient> {
    let name = name(path);
    let opened = timeout(PATIENCE, async {
        loop {
            match ClientOptions::new().open(&name) {
                Err(error) if error.raw_os_error() == Some(BUSY) => sleep(AGAIN).await,
                opened => return opened,
            }
        }
    });
    let opened = opened.await;
    opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// As clients of Docker name it.
pub(crate) fn url(path: &Path) -> String {
    format!("npipe://{}", name(path).replace('\\', "/"))
}

/// The pipe of a path; a pipe's own name stays.
fn name(path: &Path) -> String {
    let path = path.to_string_lossy().replace('/', r"\");
    if path.starts_with(PIPES) {
        return path;
    }
    format!("{PIPES}dockline-{}", path.replace(['\\', ':'], "-"))
}
