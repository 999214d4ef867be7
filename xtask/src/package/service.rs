//! The package's unit under a real systemd: in a container, where systemd is the first process.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::console::say;
use crate::debian;
use crate::engine::{Engine, Version};
use crate::once;
use crate::setup::Setup;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::workspace::Workspace;

/// What a user's own instance of systemd needs.
const PACKAGES: &str = "dbus,dbus-user-session,libpam-systemd,systemd,systemd-sysv";
const NAME: &str = "dockline-package-systemd";
/// What is done there.
const SCRIPT: &str = "xtask/package/service.sh";

/// Tries it on the engine that the user has, or on a private one.
pub(super) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    package: &Path,
) -> Result<()> {
    let image = image(shell, &workspace.target().join("package"))?;
    let setup = Setup::any(shell, workspace, host, &[Version::V26])?;
    let engine = setup.engines.first().context("no engine was prepared")?;
    let tried = tried(shell, workspace, &setup, engine, &image, package);
    for arguments in [&["rm", "--force", "--volumes", NAME][..], &["rmi", NAME]] {
        let mut remove = setup.tools.docker(engine);
        // What was not made is not there.
        Shell::for_cleanup().try_output(remove.args(arguments), MINUTES_2);
    }
    tried.and(setup.stop_started(workspace))
}

fn tried(
    shell: &Shell,
    workspace: &Workspace,
    setup: &Setup,
    engine: &Engine,
    image: &Path,
    package: &Path,
) -> Result<()> {
    let docker = |arguments: &[&str]| {
        let mut docker = setup.tools.docker(engine);
        shell.output(docker.args(arguments), MINUTES_10)
    };
    let path = |path: &Path| path.display().to_string();
    docker(&["import", &path(image), NAME])?;
    let privileges = ["--privileged", "--cgroupns", "private"];
    let scratch = [
        "--tmpfs",
        "/run",
        "--tmpfs",
        "/run/lock",
        "--tmpfs",
        "/tmp:exec",
    ];
    docker(
        &[
            &["run", "-d", "--name", NAME, "-e", "container=docker"][..],
            &privileges,
            &scratch,
            &[NAME, "/sbin/init"],
        ]
        .concat(),
    )?;
    docker(&["cp", &path(package), &format!("{NAME}:/srv/dockline.deb")])?;
    let script = path(&workspace.root().join(SCRIPT));
    docker(&["cp", &script, &format!("{NAME}:/srv/try.sh")])?;
    say("starting it by systemd");
    let said = docker(&["exec", NAME, "sh", "/srv/try.sh"])?;
    say(said.trim_end());
    Ok(())
}

/// Debian with systemd.
fn image(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let tar = folder.join("systemd.tar");
    once::make(&tar, |part| {
        say("unpacking Debian with systemd");
        let mut make = debian::minimal(shell, PACKAGES)?;
        shell.output(make.arg(part), MINUTES_10).map(drop)
    })?;
    Ok(tar)
}
