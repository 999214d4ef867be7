//! A Python with what tests drive from it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::console::say;
use crate::engine::install;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::workspace::Workspace;

/// The latest release.
const REQUIREMENTS: &str = "testcontainers==4.15.0";

/// Makes it, unless that was done before; answers the program.
pub(crate) fn ensure(shell: &Shell, workspace: &Workspace) -> Result<PathBuf> {
    let home = workspace.engines().join("python");
    let program = home.join("bin/python");
    // Written last, so that half of an installation is never taken for the whole.
    let marker = home.join("installed");
    if fs::read_to_string(&marker).is_ok_and(|found| found == REQUIREMENTS) {
        return Ok(program);
    }
    install(shell, &["python3-venv"])?;
    say(format_args!("installing with pip: {REQUIREMENTS}"));
    let mut make = Command::new("/usr/bin/python3");
    shell.output(make.args(["-m", "venv", "--clear"]).arg(&home), MINUTES_2)?;
    let install = ["-m", "pip", "install", "--quiet", REQUIREMENTS];
    shell.output(Command::new(&program).args(install), MINUTES_10)?;
    fs::write(&marker, REQUIREMENTS).with_context(|| format!("write {}", marker.display()))?;
    Ok(program)
}
