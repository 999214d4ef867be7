//! Whether private engines can be made on this machine.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell::{MINUTES_2, Shell};

/// The Debian release whose programs the private engines are put together from.
pub(super) const CODENAME: &str = "bookworm";

/// Fails, with what the user can do instead, where private engines cannot be made.
pub(crate) fn can_make_engines(shell: &Shell) -> Result<()> {
    obstacle(shell).with_context(|| {
        "private engines need root on Debian 12; elsewhere let DOCKER_HOST name an engine that runs \
         (and pass `--engine current` to `cargo xtask test`)"
    })
}

fn obstacle(shell: &Shell) -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "this is not Linux");
    let release =
        fs::read_to_string("/etc/os-release").context("this system does not say which it is")?;
    if !release
        .lines()
        .any(|line| line == format!("VERSION_CODENAME={CODENAME}"))
    {
        bail!("this is not Debian 12");
    }
    let uid = shell.output(Command::new("id").arg("-u"), MINUTES_2)?;
    ensure!(uid.trim() == "0", "this is not root");
    Ok(())
}
