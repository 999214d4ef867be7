//! The images that programs are tried in: Debian's with all of them, one laid out as Alpine's, and one of a bare program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::brought;
use crate::console::say;
use crate::debian;
use crate::engine::{Engine, install};
use crate::once;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// Debian's.
pub(crate) const DEBIAN: &str = "dockline-clients:latest";
/// Laid out as Alpine's, with programs that link to musl.
pub(super) const MUSL: &str = "dockline-clients:musl";
/// Nothing but a program: no certificates, no shell.
pub(super) const SCRATCH: &str = "dockline-clients:scratch";
/// What the first one begins as.
const BASE: &str = "dockline-clients:base";

const PACKAGES: &str = "ca-certificates,curl,wget,git,openssl,python3,python3-pip,nodejs,openjdk-17-jdk-headless,\
    ca-certificates-java,ruby,php-cli,php-curl,perl,libwww-perl,liblwp-protocol-https-perl,golang-go,musl,busybox-static";

const FILES: [(&str, &str); 8] = [
    ("serve.py", include_str!("../../clients/serve.py")),
    ("Get.java", include_str!("../../clients/Get.java")),
    ("get.go", include_str!("../../clients/get.go")),
    ("own/node.cjs", include_str!("../../clients/own/node.cjs")),
    (
        "own/sitecustomize.py",
        include_str!("../../clients/own/sitecustomize.py"),
    ),
    ("own/own.rb", include_str!("../../clients/own/own.rb")),
    ("own/own.php", include_str!("../../clients/own/own.php")),
    ("own/own.ini", include_str!("../../clients/own/own.ini")),
];
const PREPARE: &str = include_str!("../../clients/prepare.sh");

/// For unpacking hundreds of packages on a small machine.
const MANY_MINUTES: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// Sees to it that the engine has the images.
pub(crate) fn ensure(
    shell: &Shell,
    workspace: &Workspace,
    tools: &Tools,
    engine: &Engine,
) -> Result<()> {
    let is_there = |image| {
        let mut present = tools.docker(engine);
        present.args(["image", "inspect", "--format", "{{.Id}}", image]);
        shell.try_output(&mut present, MINUTES_2).is_some()
    };
    // The last one is the last to be made.
    if is_there(SCRATCH) {
        return Ok(());
    }
    install(shell, &["openssl", "python3-venv"])?;
    let folder = folder(workspace)?;
    let tar = base(shell, &folder)?;
    let (opt, modules) = brought::programs(shell, workspace, &folder)?;
    let pki = pki(shell, &folder)?;
    say(format_args!("engine {}: making the images", engine.name));
    let docker = |args: &[&str]| {
        let mut command = tools.docker(engine);
        command.args(args);
        shell.output(&mut command, MINUTES_10)
    };
    let copy = |from: &Path, into: &str| docker(&["cp", &from.display().to_string(), into]);
    docker(&["import", &tar.display().to_string(), BASE])?;
    let create = ["create", "--network", "none", BASE, "sh", "-c", PREPARE];
    let made = docker(&create)?;
    let made = made.trim();
    copy(&pki, &format!("{made}:/pki"))?;
    copy(&opt.join("."), &format!("{made}:/opt"))?;
    let dist = format!("{made}:/usr/lib/python3/dist-packages");
    copy(&modules.join("."), &dist)?;
    docker(&["start", "--attach", made])?;
    docker(&["commit", "--change", "CMD [\"/bin/sh\"]", made, DEBIAN])?;
    for (name, image) in [("musl", MUSL), ("scratch", SCRATCH)] {
        let mut import = Command::new("sh");
        import
            .args(["-c", "\"$0\" cp \"$1\" - | \"$0\" import - \"$2\""])
            .arg(&tools.docker)
            .args([&format!("{made}:/images/{name}/."), image]);
        tools.configure(&mut import, engine);
        shell.output(&mut import, MINUTES_10)?;
    }
    docker(&["rm", made]).map(drop)
}

/// Where all of it is kept.
pub(crate) fn folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.engines().join("clients");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

fn base(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let tar = folder.join("base.tar");
    once::make(&tar, |part| {
        say("unpacking Debian's packages, which takes minutes");
        let mut make = debian::minimal(shell, PACKAGES)?;
        shell.output(make.arg(part), MANY_MINUTES).map(drop)
    })?;
    Ok(tar)
}

/// A root that nobody but the images trust, a server's certificate by it, and what programs are made of.
fn pki(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let pki = folder.join("pki");
    fs::create_dir_all(pki.join("own")).context("make a folder")?;
    for (name, text) in FILES {
        fs::write(pki.join(name), text).with_context(|| format!("write {name}"))?;
    }
    let wheel = "import sys; sys.path.insert(0, '.'); import serve; \
                 open('parcel-1.0-py3-none-any.whl', 'wb').write(serve.WHEEL)";
    let mut make = Command::new("python3");
    make.current_dir(&pki).args(["-B", "-c", wheel]);
    shell.output(&mut make, MINUTES_2)?;
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
    let extensions = "subjectAltName=DNS:origin.test,DNS:private.test,DNS:shop\n\
                      extendedKeyUsage=serverAuth\n";
    fs::write(pki.join("extensions"), extensions).context("write the extensions")?;
    openssl(
        "x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -days 365 -extfile extensions -out server.crt",
    )?;
    Ok(pki)
}
