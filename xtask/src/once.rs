//! What takes long to make is made once and kept.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Makes a file or a folder if it is not there, under another name until it is whole.
pub(crate) fn make(into: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if into.exists() {
        return Ok(());
    }
    let part = part(into);
    if part.is_dir() {
        fs::remove_dir_all(&part).context("remove half a folder")?;
    }
    make(&part)?;
    fs::rename(&part, into).with_context(|| format!("keep {}", into.display()))
}

/// `base.part.tar` of `base.tar`: programs look at the end of a name for the form they are to write.
fn part(into: &Path) -> PathBuf {
    let mut end = OsString::from("part");
    if let Some(extension) = into.extension() {
        end.push(".");
        end.push(extension);
    }
    into.with_extension(end)
}
