//! Unix sockets.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net;
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};

/// For the owner to read and write, and nobody else.
const PRIVATE: u32 = 0o600;

/// A program's connection.
pub(crate) type Incoming = UnixStream;

/// A socket on which nobody listens yet.
#[derive(Debug)]
pub(crate) struct Bound(net::UnixListener);

impl Bound {
    /// Binds for the owner alone, in the place of what somebody has left there who has ended: whoever binds knows that nobody
    /// is using it. The folder is the owner's, so nobody is faster than the permissions.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = net::UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(PRIVATE))?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// Listens, on the runtime on which this is called.
    pub(crate) fn listen(self) -> io::Result<Listener> {
        UnixListener::from_std(self.0).map(Listener)
    }
}

/// A socket on which somebody listens.
#[derive(Debug)]
pub(crate) struct Listener(UnixListener);

impl Listener {
    /// The next who connects.
    pub(crate) async fn accept(&mut self) -> io::Result<Incoming> {
        let (stream, _) = self.0.accept().await?;
        Ok(stream)
    }
}

/// Takes away where nobody listens any more, so that nobody connects.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Connects to who listens there.
pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}

/// As clients of Docker name it.
pub(crate) fn url(path: &Path) -> String {
    format!("unix://{}", path.display())
}
