//! The parts that are different on unix systems.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// For the owner to read and write, and nobody else.
const PRIVATE: u32 = 0o600;

/// Takes everyone else's access away. The folder is the owner's alone, so nobody was faster.
pub(super) fn keep_private(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(PRIVATE))
}
