//! How programs on this machine reach dockline: by unix sockets of the user's own; on Windows, by named pipes.
//!
//! Everybody else says where by the path that the socket has in the instance's folder. A pipe has no place in the file
//! system; its name is made of that path.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{Bound, Incoming, Listener, connect, remove, url};
#[cfg(windows)]
pub(crate) use windows::{Bound, Incoming, Listener, connect, remove, url};
