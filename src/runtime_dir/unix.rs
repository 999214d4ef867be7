//! Whose a folder is, on unix systems.

use std::fs::{DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

/// Permissions of group and others that would let them put a socket of theirs there.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Makes a folder for the owner alone, unless it is there.
pub(super) fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Whether nobody else can put anything there.
pub(super) fn is_private(metadata: &Metadata) -> bool {
    is_own(metadata) && metadata.mode() & WRITABLE_BY_OTHERS == 0
}

pub(super) fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == user_id()
}

/// Whether somebody listens, or has, on the user's own socket.
pub(super) fn is_used(socket: &Path) -> bool {
    socket.metadata().is_ok_and(|m| is_own(&m))
}

/// A name of the user's own in a folder that is everybody's.
pub(super) fn own_name() -> String {
    format!("dockline-{}", user_id())
}

fn user_id() -> u32 {
    rustix::process::geteuid().as_raw()
}
