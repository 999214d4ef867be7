//! A stand-in for the image of Testcontainers' reaper, which its clients would pull.

use std::fs::{self, File};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{HASH_LABEL, append, is_present, short_hash};
use crate::console::say;
use crate::engine::Engine;
use crate::shell::{MINUTES_2, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// As the Testcontainers of [`Tools::python`] has it.
const NAME: &str = "testcontainers/ryuk:0.8.1";
/// Its program, which is compiled alone.
const SOURCE: &str = "xtask/examples/reaper.rs";

/// Makes sure that a private engine has it. On others the name is somebody else's.
pub(super) fn ensure(
    shell: &Shell,
    workspace: &Workspace,
    tools: &Tools,
    engine: &Engine,
) -> Result<()> {
    let source = workspace.root().join(SOURCE);
    let text = fs::read(&source).with_context(|| format!("read {}", source.display()))?;
    let hash = short_hash(&text);
    if is_present(shell, tools, engine, NAME, &hash) {
        return Ok(());
    }
    say(format_args!("engine {}: importing {NAME}", engine.name));
    let program = workspace.engines().join("reaper");
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--edition", "2024", "-C", "opt-level=s"])
        .args(["-C", "strip=symbols", "-C", "target-feature=+crt-static"])
        .arg(&source)
        .arg("-o")
        .arg(&program);
    shell.output(rustc.current_dir(workspace.root()), MINUTES_2)?;
    let path = workspace.engines().join("reaper.tar");
    let file = File::create(&path).with_context(|| format!("write {}", path.display()))?;
    let mut tar = tar::Builder::new(file);
    let program = fs::read(&program).with_context(|| format!("read {}", program.display()))?;
    append(&mut tar, tar::EntryType::Regular, "reaper", 0o755, &program)?;
    tar.finish()
        .with_context(|| format!("write {}", path.display()))?;
    let mut import = tools.docker(engine);
    import
        .args(["import", "--change", "ENTRYPOINT [\"/reaper\"]", "--change"])
        .arg(format!("LABEL {HASH_LABEL}={hash}"))
        .arg(&path)
        .arg(NAME);
    shell.output(&mut import, MINUTES_2).map(drop)
}
