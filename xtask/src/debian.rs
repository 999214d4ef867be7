//! Debian unpacked from its packages, as it is before anybody has changed it: what images and trials begin from.

use std::process::Command;

use anyhow::Result;

use crate::engine::install;
use crate::shell::Shell;

/// The release whose libraries the Docker CLI in [`crate::tools`] and the Python beside mitmproxy are made for.
const SUITE: &str = "bookworm";

/// mmdebstrap's command for the least that Debian can be, with more packages. The caller adds what else it wants, and last
/// the file to write.
pub(crate) fn minimal(shell: &Shell, packages: &str) -> Result<Command> {
    install(shell, &["mmdebstrap"])?;
    let mut make = Command::new("mmdebstrap");
    make.args(["--quiet", "--variant=minbase", "--components=main"])
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg(format!("--include={packages}"))
        .arg(SUITE);
    Ok(make)
}
