//! `cargo xtask package`: the Debian package, with completions, manual pages, the plugin of the Docker CLI and the unit.
//!
//! Its program is that of [`program`]: it needs no library of the machine that it runs on. What goes where says `Cargo.toml`.

mod service;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::console::say;
use crate::engine::install;
use crate::program::{self, Architecture};
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::workspace::Workspace;

/// The program that packs.
const CARGO_DEB: &str = "cargo-deb@3.8.0";
/// It is compiled, once.
const BUILD_LIMIT: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// Shells, and what their completions are called where they look for them.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "dockline.bash"),
    ("zsh", "_dockline"),
    ("fish", "dockline.fish"),
];
/// From where the Docker CLI looks for plugins to where the program is.
const PLUGIN: &str = "../../../bin/dockline";

/// Flags of `cargo xtask package`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// For which architecture [default: this machine's].
    #[arg(long, value_enum)]
    arch: Option<Architecture>,
    /// Installs, uses and removes it in a bare Debian, which is made for it and thrown away, and starts its unit by systemd.
    #[arg(long = "try")]
    is_tried: bool,
}

/// Makes the package.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    flags: &Flags,
) -> Result<()> {
    let architecture = Architecture::or_here(flags.arch)?;
    let packer = packer(shell, workspace)?;
    let program = program::build(shell, workspace, architecture)?;
    let contents = program.with_file_name("package");
    gather(shell, workspace, architecture, &program, &contents)?;
    let folder = workspace.target().join("package");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let mut pack = Command::new(packer);
    pack.current_dir(workspace.root())
        .args(["deb", "--no-build", "--no-strip", "--package", "dockline"])
        .args(["--profile", program::PROFILE])
        .args(["--target", architecture.target(), "--output"])
        .arg(&folder);
    let said = shell.output(&mut pack, MINUTES_10)?;
    let package = said.lines().last().unwrap_or_default().trim();
    ensure!(
        Path::new(package).is_file(),
        "`cargo deb` names no package: {said}"
    );
    say(package);
    if flags.is_tried {
        trial::run(shell, workspace, Path::new(package), architecture)?;
        if architecture == Architecture::here()? {
            service::run(shell, workspace, host, Path::new(package))?;
        }
    }
    Ok(())
}

/// cargo-deb, under the target folder.
fn packer(shell: &Shell, workspace: &Workspace) -> Result<PathBuf> {
    let home = workspace.target().join("tools");
    let mut install = workspace.cargo();
    // Quick where that very version is there.
    install
        .args(["install", "--quiet", "--locked", CARGO_DEB, "--root"])
        .arg(&home);
    shell.run(&mut install, BUILD_LIMIT)?;
    Ok(home.join("bin/cargo-deb"))
}

/// What goes beside the program: most of it is made of the program itself.
fn gather(
    shell: &Shell,
    workspace: &Workspace,
    architecture: Architecture,
    program: &Path,
    folder: &Path,
) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let dockline = || runner(shell, architecture, program);
    for (name, file) in COMPLETIONS {
        let script = shell.output(dockline()?.args(["completions", name]), MINUTES_2)?;
        write(&folder.join(file), &script)?;
    }
    shell.output(dockline()?.arg("man").arg(folder.join("man")), MINUTES_2)?;
    #[cfg(unix)]
    std::os::unix::fs::symlink(PLUGIN, folder.join("docker-dockline"))
        .context("link the plugin")?;
    let changes = folder.join("changelog.Debian");
    write(&changes, &changelog(shell, workspace)?)?;
    let own = folder.join("changelog");
    fs::copy(workspace.root().join("CHANGELOG.md"), &own).context("copy CHANGELOG.md")?;
    // Without name and time, so that the same package is made again.
    let mut pack = Command::new("gzip");
    pack.arg("-9nr").args([&changes, &own, &folder.join("man")]);
    shell.output(&mut pack, MINUTES_2)?;
    Ok(())
}

/// The program, on a machine of another architecture too.
fn runner(shell: &Shell, architecture: Architecture, program: &Path) -> Result<Command> {
    if architecture == Architecture::here()? {
        return Ok(Command::new(program));
    }
    install(shell, &["qemu-user-static"])?;
    let mut run = Command::new(architecture.emulator());
    run.arg(program);
    Ok(run)
}

/// Debian's, which points to the project's own.
fn changelog(shell: &Shell, workspace: &Workspace) -> Result<String> {
    let mut date = Command::new("git");
    date.current_dir(workspace.root())
        .args(["log", "-1", "--format=%cD"]);
    let date = match shell.try_output(&mut date, MINUTES_2) {
        Some(date) => date,
        None => shell.output(Command::new("date").arg("-R"), MINUTES_2)?,
    };
    let date = date.trim();
    let version = env!("CARGO_PKG_VERSION");
    Ok(format!(
        "dockline ({version}-1) unstable; urgency=medium\n\n  \
         * What has changed is told in /usr/share/doc/dockline/changelog.gz.\n\n \
         -- {MAINTAINER}  {date}\n"
    ))
}

/// As `Cargo.toml` has it.
const MAINTAINER: &str = "The dockline authors <dockline@localhost>";

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_says_the_same() {
        let manifest = include_str!("../../Cargo.toml");
        assert!(manifest.contains(&format!("maintainer = \"{MAINTAINER}\"")));
        for (_, file) in COMPLETIONS {
            assert!(
                manifest.contains(&format!("target/release/package/{file}\"")),
                "{file}"
            );
        }
    }
}
