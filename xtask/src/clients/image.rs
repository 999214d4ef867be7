//! The image with all programs, made of Debian's packages, and the interceptor, made of Python's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::console::say;
use crate::engine::{Engine, install};
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// The image's name.
pub(crate) const IMAGE: &str = "dockline-clients:latest";
const SUITE: &str = "bookworm";
const PACKAGES: &str = "ca-certificates,curl,wget,git,openssl,python3,python3-pip,nodejs,openjdk-17-jdk-headless,\
    ca-certificates-java,ruby,php-cli,php-curl,perl,libwww-perl,liblwp-protocol-https-perl,golang-go";
/// Of Debian 12.
const PYTHON: &str = "3.11";
const MODULES: [&str; 3] = ["requests", "httpx", "aiohttp"];

/// What is made of it in the image, without a network: the private root is trusted, the programs are built.
const PREPARE: &str = "set -e
cp /pki/root.crt /usr/local/share/ca-certificates/private.crt
update-ca-certificates
cd /pki
javac Get.java
GO111MODULE=off GOCACHE=/tmp/go go build -o get get.go
rm -rf /tmp/go
chmod -R a+rX /pki";

const FILES: [(&str, &str); 3] = [
    ("serve.py", include_str!("../../clients/serve.py")),
    ("Get.java", include_str!("../../clients/Get.java")),
    ("get.go", include_str!("../../clients/get.go")),
];

/// For unpacking hundreds of packages on a small machine.
const MANY_MINUTES: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// Sees to it that the engine has the image.
pub(crate) fn ensure(
    shell: &Shell,
    workspace: &Workspace,
    tools: &Tools,
    engine: &Engine,
) -> Result<()> {
    let mut present = tools.docker(engine);
    present.args(["image", "inspect", "--format", "{{.Id}}", IMAGE]);
    if shell.try_output(&mut present, MINUTES_2).is_some() {
        return Ok(());
    }
    install(shell, &["mmdebstrap", "openssl", "python3-venv"])?;
    let folder = folder(workspace)?;
    let tar = base(shell, &folder)?;
    let pki = pki(shell, &folder)?;
    let modules = modules(shell, &folder)?;
    say(format_args!("engine {}: making {IMAGE}", engine.name));
    let docker = |args: &[&str]| {
        let mut command = tools.docker(engine);
        command.args(args);
        shell.output(&mut command, MINUTES_10)
    };
    let base = "dockline-clients:base";
    docker(&["import", &tar.display().to_string(), base])?;
    let create = ["create", "--network", "none", base, "sh", "-c", PREPARE];
    let made = docker(&create)?;
    let made = made.trim();
    docker(&["cp", &pki.display().to_string(), &format!("{made}:/pki")])?;
    let from = format!("{}/.", modules.display());
    let into = format!("{made}:/usr/lib/python3/dist-packages");
    docker(&["cp", &from, &into])?;
    docker(&["start", "--attach", made])?;
    docker(&["commit", "--change", "CMD [\"/bin/sh\"]", made, IMAGE])?;
    docker(&["rm", made])?;
    Ok(())
}

/// Where all of it is kept.
pub(crate) fn folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.engines().join("clients");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

fn base(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let tar = folder.join("base.tar");
    if tar.exists() {
        return Ok(tar);
    }
    say("unpacking Debian's packages, which takes minutes");
    let part = folder.join("base.part.tar");
    let mut make = Command::new("mmdebstrap");
    make.args(["--quiet", "--variant=minbase", "--components=main"])
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg(format!("--include={PACKAGES}"))
        .arg(SUITE)
        .arg(&part);
    shell.output(&mut make, MANY_MINUTES)?;
    fs::rename(&part, &tar).context("keep the base image")?;
    Ok(tar)
}

/// A root that nobody but the image trusts, and a server's certificate by it.
fn pki(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let pki = folder.join("pki");
    fs::create_dir_all(&pki).context("make a folder")?;
    for (name, text) in FILES {
        fs::write(pki.join(name), text).with_context(|| format!("write {name}"))?;
    }
    let openssl = |args: &str| {
        let mut command = Command::new("openssl");
        command.current_dir(&pki).args(args.split(' '));
        shell.output(&mut command, MINUTES_2)
    };
    let key = "-newkey rsa:2048 -nodes";
    openssl(&format!(
        "req -x509 {key} -keyout root.key -out root.crt -days 365 -subj /CN=private.root.of.the.image"
    ))?;
    openssl(&format!(
        "req {key} -keyout server.key -out server.csr -subj /CN=origin.test"
    ))?;
    let extensions =
        "subjectAltName=DNS:origin.test,DNS:private.test\nextendedKeyUsage=serverAuth\n";
    fs::write(pki.join("extensions"), extensions).context("write the extensions")?;
    openssl(
        "x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -days 365 -extfile extensions -out server.crt",
    )?;
    Ok(pki)
}

/// Python's modules as their authors ship them: with the roots that they bring.
fn modules(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let modules = folder.join("python");
    if !modules.exists() {
        let part = folder.join("python.part");
        let mut pip = venv(shell, folder)?;
        pip.args(["install", "--quiet", "--only-binary=:all:"])
            .args(["--python-version", PYTHON, "--target"])
            .arg(&part)
            .args(MODULES);
        shell.output(&mut pip, MINUTES_10)?;
        fs::rename(&part, &modules).context("keep Python's modules")?;
    }
    Ok(modules)
}

/// `pip` of an environment of our own.
fn venv(shell: &Shell, folder: &Path) -> Result<Command> {
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
        let mut pip = venv(shell, folder)?;
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
