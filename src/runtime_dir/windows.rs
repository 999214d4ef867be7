//! Whose a folder is, on Windows: folders for passing things are each user's own there, and what is made in them is as well.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// Makes a folder, unless it is there.
pub(super) fn make(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

/// Whether nobody else can put anything there.
pub(super) fn is_private(metadata: &Metadata) -> bool {
    metadata.is_dir()
}

/// Whether somebody listens, or has. A pipe is not in its folder; the lock is.
pub(super) fn is_used(socket: &Path) -> bool {
    socket.with_file_name(super::LOCK).exists()
}

/// A name in a folder that is the user's.
pub(super) fn own_name() -> String {
    "dockline".to_owned()
}
