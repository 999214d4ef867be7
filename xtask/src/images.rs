//! The image that all fixtures run, made here: no registry is asked.
//!
//! It is static busybox with a link for each of its commands, and `hello`, which serves a page that says who it is.

mod reaper;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::console::say;
use crate::engine::{Engine, is_installed};
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// The name that fixtures use.
pub(crate) const FIXTURE: &str = "dockline-fixture:latest";
/// Names that other people's test suites expect; given in private engines only, where nothing else can bear them.
const BORROWED: [&str; 2] = ["busybox:latest", "alpine:latest"];
/// The label that tells which content an image was made from.
const HASH_LABEL: &str = "dockline-fixture.hash";
const BUSYBOX: &str = "/bin/busybox";

/// Serves `hello from NAME` on port 80, over IPv4 and IPv6, and stops at once when asked to.
const HELLO: &str = "#!/bin/sh
mkdir -p /www
echo \"hello from $1\" > /www/index.html
trap 'exit 0' TERM INT
httpd -f -p 80 -h /www &
wait
";

/// What programs expect to find in any system.
const FILES: [(&str, &str, u32); 5] = [
    ("bin/hello", HELLO, 0o755),
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        0o644,
    ),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n", 0o644),
    ("etc/nsswitch.conf", "hosts: files dns\n", 0o644),
    ("etc/services", "http 80/tcp\nhttps 443/tcp\n", 0o644),
];
const FOLDERS: [(&str, u32); 7] = [
    ("bin", 0o755),
    ("etc", 0o755),
    ("dev", 0o755),
    ("proc", 0o755),
    ("sys", 0o755),
    ("root", 0o700),
    ("tmp", 0o1777),
];

/// Makes sure that an engine has the fixture image.
pub(crate) fn ensure_fixture(
    shell: &Shell,
    workspace: &Workspace,
    tools: &Tools,
    engine: &Engine,
) -> Result<()> {
    if is_installed(shell, "busybox-static") {
        import(shell, workspace, tools, engine)?;
    } else {
        build(shell, workspace, tools, engine)?;
    }
    if engine.private.is_some() {
        for name in BORROWED {
            shell.output(tools.docker(engine).args(["tag", FIXTURE, name]), MINUTES_2)?;
        }
        reaper::ensure(shell, workspace, tools, engine)?;
    }
    Ok(())
}

/// Imports an image made of this machine's busybox.
fn import(shell: &Shell, workspace: &Workspace, tools: &Tools, engine: &Engine) -> Result<()> {
    let tar = write_tar(shell, workspace)?;
    if is_present(shell, tools, engine, FIXTURE, &tar.hash) {
        return Ok(());
    }
    say(format_args!("engine {}: importing {FIXTURE}", engine.name));
    let mut import = tools.docker(engine);
    import.args([
        "import",
        "--change",
        "CMD [\"/bin/sh\"]",
        "--change",
        "ENV PATH=/bin",
    ]);
    import
        .arg("--change")
        .arg(format!("LABEL {HASH_LABEL}={}", tar.hash))
        .arg(&tar.path)
        .arg(FIXTURE);
    shell.output(&mut import, MINUTES_2)?;
    Ok(())
}

/// Builds it upon the public busybox image, for engines that can pull it, on machines without a static busybox.
fn build(shell: &Shell, workspace: &Workspace, tools: &Tools, engine: &Engine) -> Result<()> {
    let hash = short_hash(HELLO.as_bytes());
    if is_present(shell, tools, engine, FIXTURE, &hash) {
        return Ok(());
    }
    say(format_args!(
        "engine {}: building {FIXTURE} upon busybox",
        engine.name
    ));
    let context = workspace.engines().join("fixture");
    fs::create_dir_all(&context).with_context(|| format!("make {}", context.display()))?;
    fs::write(context.join("hello"), HELLO)?;
    let dockerfile = "FROM busybox:latest\nCOPY hello /bin/hello\nRUN chmod 755 /bin/hello\n";
    fs::write(context.join("Dockerfile"), dockerfile)?;
    let mut build = tools.docker(engine);
    build
        .args(["build", "--quiet", "--tag", FIXTURE, "--label"])
        .arg(format!("{HASH_LABEL}={hash}"))
        .arg(&context);
    shell.output(&mut build, MINUTES_10)?;
    Ok(())
}

/// Whether the engine's image of that name was made from content of this hash.
fn is_present(shell: &Shell, tools: &Tools, engine: &Engine, image: &str, hash: &str) -> bool {
    let format = format!("{{{{index .Config.Labels \"{HASH_LABEL}\"}}}}");
    let mut inspect = tools.docker(engine);
    inspect.args(["image", "inspect", "--format", &format, image]);
    shell
        .try_output(&mut inspect, MINUTES_2)
        .is_some_and(|found| found.trim() == hash)
}

struct Tar {
    path: PathBuf,
    hash: String,
}

/// Writes the image's files as a tar that is the same, byte for byte, whenever the content is.
fn write_tar(shell: &Shell, workspace: &Workspace) -> Result<Tar> {
    let commands = shell.output(Command::new(BUSYBOX).arg("--list"), MINUTES_2)?;
    let path = workspace.engines().join("fixture.tar");
    fs::create_dir_all(workspace.engines()).context("make the engines' folder")?;
    let mut tar = tar::Builder::new(
        File::create(&path).with_context(|| format!("write {}", path.display()))?,
    );
    for (folder, mode) in FOLDERS {
        append(&mut tar, tar::EntryType::Directory, folder, mode, &[])?;
    }
    let busybox = fs::read(BUSYBOX).with_context(|| format!("read {BUSYBOX}"))?;
    append(
        &mut tar,
        tar::EntryType::Regular,
        "bin/busybox",
        0o755,
        &busybox,
    )?;
    for (file, text, mode) in FILES {
        append(
            &mut tar,
            tar::EntryType::Regular,
            file,
            mode,
            text.as_bytes(),
        )?;
    }
    for command in commands.lines().filter(|command| *command != "busybox") {
        let mut header = header(tar::EntryType::Symlink, 0o777, 0);
        tar.append_link(&mut header, format!("bin/{command}"), "busybox")?;
    }
    tar.finish()
        .with_context(|| format!("write {}", path.display()))?;
    let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(Tar {
        hash: short_hash(&bytes),
        path,
    })
}

/// Enough of the hash to tell one state of this file from another.
fn short_hash(content: &[u8]) -> String {
    let words: Vec<String> = Sha256::digest(content)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    words.concat()
}

fn append(
    tar: &mut tar::Builder<File>,
    kind: tar::EntryType,
    path: &str,
    mode: u32,
    content: &[u8],
) -> Result<()> {
    let mut header = header(kind, mode, content.len() as u64);
    tar.append_data(&mut header, path, content)
        .with_context(|| format!("add {path} to the fixture image"))
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header
}
