//! mitmproxy in an image: no registry of images is asked, so its author's own is not to be had here.
//!
//! `MITMPROXY_IMAGE` names another one, such as the author's `mitmproxy/mitmproxy`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::console::say;
use crate::debian;
use crate::engine::{Engine, install};
use crate::once;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::tools::Tools;

const IMAGE: &str = "dockline-sidecar:mitmproxy";
const PACKAGES: &str = "python3,ca-certificates";
/// Where Debian's Python looks for modules that are not its packages'.
const MODULES: &str = "usr/local/lib/python3.11/dist-packages";
/// As pip would write it.
const PROGRAM: &str = "#!/usr/bin/python3\nfrom mitmproxy.tools.main import mitmdump\nmitmdump()\n";

/// Sees to it that the engine has such an image; answers its name.
pub(super) fn ensure(
    shell: &Shell,
    tools: &Tools,
    engine: &Engine,
    folder: &Path,
) -> Result<String> {
    if let Some(named) = std::env::var_os("MITMPROXY_IMAGE") {
        return Ok(named.to_string_lossy().into_owned());
    }
    let mut present = tools.docker(engine);
    present.args(["image", "inspect", "--format", "{{.Id}}", IMAGE]);
    if shell.try_output(&mut present, MINUTES_2).is_none() {
        let tar = archive(shell, folder)?;
        say(format_args!("engine {}: importing {IMAGE}", engine.name));
        let mut import = tools.docker(engine);
        import
            .args(["import", "--change", "ENV HOME=/home/mitmproxy"])
            .arg(tar)
            .arg(IMAGE);
        shell.output(&mut import, MINUTES_10)?;
    }
    Ok(IMAGE.to_owned())
}

/// Debian's base with Python, and mitmproxy beside it.
fn archive(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let tar = folder.join("mitmproxy.tar");
    once::make(&tar, |part| {
        say("unpacking Debian's packages and mitmproxy, which takes minutes");
        let modules = modules(shell, folder)?;
        let program = folder.join("mitmdump");
        fs::write(&program, PROGRAM).context("write mitmdump")?;
        let mut make = with_mitmproxy(shell, &modules, &program)?;
        shell.output(make.arg(part), MINUTES_10).map(drop)
    })?;
    Ok(tar)
}

fn with_mitmproxy(shell: &Shell, modules: &Path, program: &Path) -> Result<Command> {
    let copy = |from: &Path, to: &str| {
        let from = from.display();
        format!("--customize-hook=cp -a '{from}' \"$1/{to}\"")
    };
    let mut make = debian::minimal(shell, PACKAGES)?;
    make.arg(format!(
        "--customize-hook=mkdir -p \"$1/{MODULES}\" \"$1/home/mitmproxy\""
    ))
    .arg(copy(&modules.join("."), MODULES))
    .arg(copy(program, "usr/local/bin/mitmdump"))
    .arg("--customize-hook=chmod 755 \"$1/usr/local/bin/mitmdump\"");
    Ok(make)
}

/// mitmproxy and what it needs, out of Python's registry. This machine's Python is that of the image, Debian 12's, or nothing is
/// started.
fn modules(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let modules = folder.join("python");
    once::make(&modules, |part| {
        install(shell, &["python3-venv"])?;
        let venv = folder.join("venv");
        let mut make = Command::new("python3");
        shell.output(make.args(["-m", "venv"]).arg(&venv), MINUTES_2)?;
        let mut pip = Command::new(venv.join("bin/pip"));
        pip.args(["install", "--quiet", "--target"])
            .arg(part)
            .arg("mitmproxy");
        shell.output(&mut pip, MINUTES_10).map(drop)
    })?;
    Ok(modules)
}
