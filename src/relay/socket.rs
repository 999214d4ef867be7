//! Connections that are sockets of the system's, or what takes their place.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection without anything of our own between it and the system.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {
    /// Takes it from the runtime.
    #[cfg(target_os = "linux")]
    fn into_descriptor(self) -> std::io::Result<std::os::fd::OwnedFd>;
}

impl Socket for TcpStream {
    #[cfg(target_os = "linux")]
    fn into_descriptor(self) -> std::io::Result<std::os::fd::OwnedFd> {
        self.into_std().map(Into::into)
    }
}

#[cfg(unix)]
impl Socket for tokio::net::UnixStream {
    #[cfg(target_os = "linux")]
    fn into_descriptor(self) -> std::io::Result<std::os::fd::OwnedFd> {
        self.into_std().map(Into::into)
    }
}

#[cfg(windows)]
impl Socket for tokio::net::windows::named_pipe::NamedPipeServer {}
