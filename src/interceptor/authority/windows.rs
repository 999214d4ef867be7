//! For whose eyes files are, on Windows: what is in the user's data folder is the user's, and the folder says so.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::Eyes;

/// Makes a folder, unless it is there.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// How a file is to be written, if it is made.
pub(super) fn file(_eyes: Eyes) -> OpenOptions {
    let mut options = File::options();
    options.write(true).truncate(false);
    options
}

/// Takes a file from the eyes of others; whether they could read it.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere the system may say no")]
pub(super) fn hide(_path: &Path) -> io::Result<bool> {
    Ok(false)
}
