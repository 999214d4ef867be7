//! For whose eyes files are, on unix systems.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::Eyes;

/// Makes a folder for the owner alone, unless it is there.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// How a file is to be written, if it is made.
pub(super) fn file(eyes: Eyes) -> OpenOptions {
    let mode = match eyes {
        Eyes::Owners => 0o600,
        Eyes::Everybodys => 0o644,
    };
    let mut options = File::options();
    options.write(true).truncate(false).mode(mode);
    options
}

/// Takes a file from the eyes of others; whether they could read it.
pub(super) fn hide(path: &Path) -> io::Result<bool> {
    let shown = fs::metadata(path)?.permissions().mode() & 0o077 != 0;
    if shown {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(shown)
}
