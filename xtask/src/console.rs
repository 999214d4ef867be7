//! What xtask says to its user.
//!
//! `println!` would panic once nobody reads any more (`cargo xtask demo | head`), and nothing would be cleaned up.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes a line to stdout; one that nobody reads is lost.
pub(crate) fn say(text: impl Display) {
    drop(writeln!(io::stdout(), "{text}"));
}

/// Writes a line to stderr.
pub(crate) fn complain(text: impl Display) {
    drop(writeln!(io::stderr(), "{text}"));
}
