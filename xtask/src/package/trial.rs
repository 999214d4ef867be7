//! The package on a bare machine: a minimal Debian in a folder of its own, which is gone afterwards.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::console::say;
use crate::debian;
use crate::program::Architecture;
use crate::shell::{MINUTES_10, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// Whoever reads manual pages and completes words. The package itself needs nothing.
const READERS: &str = "bash-completion,fish,man-db,zsh";
/// What is done there.
const SCRIPT: &str = "xtask/package/try.sh";

/// Installs, uses and removes the package there, as root.
pub(super) fn run(
    shell: &Shell,
    workspace: &Workspace,
    package: &Path,
    architecture: Architecture,
) -> Result<()> {
    // Of Debian's own release, it needs libraries of that alone.
    let docker = Tools::unpacked(shell, workspace)?.docker;
    let script = workspace.root().join(SCRIPT);
    let file = |path: &Path| path.display().to_string();
    let mut debian = debian::minimal(shell, READERS)?;
    debian
        .args(["--architectures", architecture.docker()])
        .arg(format!(
            "--customize-hook=copy-in '{}' '{}' /srv",
            file(package),
            file(&script)
        ))
        .arg(format!(
            "--customize-hook=copy-in '{}' /usr/bin",
            file(&docker)
        ))
        .arg("--customize-hook=chroot \"$1\" sh /srv/try.sh")
        // Nothing is kept.
        .args(["-", "--format=null"]);
    say("installing it in a bare Debian, which takes minutes");
    shell
        .run(&mut debian, MINUTES_10)
        .context("try the package")
}
