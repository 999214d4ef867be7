//! What the built-in interceptor archives, against the schema of HAR 1.2 and read back by mitmproxy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::path_in;
use super::programs::npm_installed;
use crate::clients::{brought, image};
use crate::console::say;
use crate::shell::{MINUTES_2, Shell};
use crate::workspace::Workspace;

/// Where it is archived.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join("seen.har")
}

/// Fails unless the archive has `total` requests of this run, for whoever reads it.
pub(super) fn check(
    shell: &Shell,
    workspace: &Workspace,
    folder: &Path,
    run: &str,
    total: usize,
) -> Result<()> {
    let archive = file(folder);
    let source = workspace.root().join("xtask/interceptors/har");
    let home = folder.join("har");
    npm_installed(shell, &source, &home, &["package.json", "check.mjs"])?;
    let mut validate = Command::new("node");
    validate.current_dir(&home).arg("check.mjs");
    let counted = shell.output(validate.arg(&archive).arg(run), MINUTES_2)?;
    let entries: usize = counted.trim().parse().context("count the entries")?;

    let (programs, _) = brought::mitmproxy(shell, &image::folder(workspace)?)?;
    let mut read = Command::new(programs.join("mitmdump"));
    read.args(["--no-server", "--set", "flow_detail=1", "--rfile"]);
    let told = shell.output(read.arg(&archive), MINUTES_2)?;
    let flows: BTreeSet<_> = told.lines().filter_map(|line| path_in(line, run)).collect();
    let flows = flows.len();
    say(format_args!(
        "  the archive is valid and has {entries} requests; mitmproxy reads {flows}"
    ));
    ensure!(
        entries == total && flows == total,
        "{} should have {total} requests",
        archive.display()
    );
    Ok(())
}
