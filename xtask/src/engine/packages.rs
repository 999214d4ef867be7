//! Sets of Debian packages that are unpacked under the target folder, not installed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Version, apt};
use crate::console::say;
use crate::shell::{MINUTES_2, Shell};
use crate::workspace::Workspace;

/// Packages of one Debian release that are unpacked into one folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackageSet {
    folder: &'static str,
    suite: &'static str,
    packages: &'static [&'static str],
}

impl PackageSet {
    /// The Docker CLI with compose 2 and buildx, for every engine.
    pub(crate) const CLIENT: Self = Self {
        folder: "client",
        suite: "trixie",
        packages: &["docker-cli", "docker-compose", "docker-buildx"],
    };

    /// The programs of a private engine.
    pub(crate) const fn engine(version: Version) -> Self {
        let suite = match version {
            Version::V20 => "bookworm",
            Version::V26 => "trixie",
        };
        Self {
            folder: version.name(),
            suite,
            packages: &["docker.io", "containerd", "tini"],
        }
    }
}

/// Downloads and unpacks a set unless that was done before, and returns the folder that stands for `/`.
pub(crate) fn unpack(shell: &Shell, workspace: &Workspace, set: PackageSet) -> Result<PathBuf> {
    let home = workspace.engines().join(set.folder);
    let root = home.join("root");
    // Written last, so that half of an unpacked set is never taken for the whole.
    let marker = home.join("unpacked");
    let wanted = format!("{} {}\n", set.suite, set.packages.join(" "));
    if fs::read_to_string(&marker).is_ok_and(|found| found == wanted) && root.exists() {
        return Ok(root);
    }
    say(format_args!(
        "downloading from Debian {}: {}",
        set.suite,
        set.packages.join(" ")
    ));
    let downloads = home.join("downloads");
    for folder in [&root, &downloads] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
        }
    }
    for package in apt::download(shell, set.suite, set.packages, &downloads)? {
        shell.output(
            Command::new("dpkg").arg("-x").arg(package).arg(&root),
            MINUTES_2,
        )?;
    }
    fs::remove_dir_all(&downloads).with_context(|| format!("remove {}", downloads.display()))?;
    fs::write(&marker, wanted).with_context(|| format!("write {}", marker.display()))?;
    Ok(root)
}
