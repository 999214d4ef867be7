//! What a private engine leaves behind when it is killed: programs, mounts and its default bridge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::shell::{MINUTES_2, Shell};

/// Killed programs end at once, unless the kernel holds them up.
const KILL_LIMIT: Duration = Duration::from_secs(20);

/// Kills, unmounts and removes what is left of the engine with that folder and that data, a daemon that does not answer included.
pub(super) fn remove(shell: &Shell, run: &Path, data: Option<PathBuf>) -> Result<()> {
    kill_programs(shell, run)?;
    unmount(shell, run, data)?;
    if run.exists() {
        fs::remove_dir_all(run).with_context(|| format!("remove {}", run.display()))?;
    }
    Ok(())
}

/// Whether a process is one of the engine's own programs: one that was told a path in the engine's folder.
pub(super) fn is_program_of(pid: u32, run: &Path) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    let line = String::from_utf8_lossy(&line);
    let mut words = line.split('\0');
    let program = words
        .next()
        .and_then(|path| path.rsplit('/').next())
        .unwrap_or_default();
    let folder = format!("{}/", run.display());
    // A dead process that nobody has waited for yet has an empty line, and so is none.
    (program == "dockerd" || program.starts_with("containerd"))
        && words.any(|word| word.contains(&folder))
        && sees_our_files(pid)
}

/// Whether its paths are ours: a machine of its own within this one may have an engine at the same path.
fn sees_our_files(pid: u32) -> bool {
    let files = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    files(&pid.to_string()) == files("self")
}

fn kill_programs(shell: &Shell, run: &Path) -> Result<()> {
    let programs: Vec<u32> = processes()?
        .into_iter()
        .filter(|pid| is_program_of(*pid, run))
        .collect();
    // A shim's children are the first processes of containers; theirs end with them.
    let containers: Vec<u32> = processes()?
        .into_iter()
        .filter(|pid| parent(*pid).is_some_and(|parent| programs.contains(&parent)))
        .collect();
    for pid in programs.iter().chain(&containers) {
        // It may have ended by itself meanwhile; what has not is waited for below.
        drop(shell.signal(*pid, "KILL"));
    }
    shell.wait_until("the end of the engine's programs", KILL_LIMIT, || {
        Ok((!programs.iter().any(|pid| is_program_of(*pid, run))).then_some(()))
    })
}

fn processes() -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc").context("read /proc")? {
        pids.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    Ok(pids)
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

fn unmount(shell: &Shell, run: &Path, data: Option<PathBuf>) -> Result<()> {
    let folders: Vec<PathBuf> = data.into_iter().chain([run.to_owned()]).collect();
    let mounts = fs::read_to_string("/proc/self/mounts").context("read the mounts")?;
    // The last mounted first, since one may lie in another.
    for line in mounts.lines().rev() {
        let Some(point) = line.split(' ').nth(1).map(Path::new) else {
            continue;
        };
        if folders.iter().any(|folder| point.starts_with(folder)) {
            shell.output(Command::new("umount").arg("--lazy").arg(point), MINUTES_2)?;
        }
    }
    Ok(())
}
