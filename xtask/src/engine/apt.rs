//! What is asked of apt: a few packages for the machine, and a package source of our own beside the machine's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::host::CODENAME;
use crate::console::say;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};

/// What the private engines and the fixtures use of the machine itself.
const PREREQUISITES: [&str; 7] = [
    "busybox-static",     // the fixture image
    "curl",               // the demo
    "docker-compose",     // compose 1.29.2
    "iproute2",           // the engines' default bridges
    "iptables",           // the engines' networks
    "libdevmapper1.02.1", // engine 20's only library that a bare machine lacks
    "runc",               // runs the containers of both engines: Debian 13's needs a newer libc
];

/// Installs what is missing of the packages that engines and fixtures use.
pub(crate) fn install_prerequisites(shell: &Shell) -> Result<()> {
    install(shell, &PREREQUISITES)
}

/// Installs those packages that are missing, and starts no service that comes with them.
pub(crate) fn install(shell: &Shell, packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !is_installed(shell, package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    say(format_args!("installing with apt: {}", missing.join(" ")));
    shell.output(apt_get().arg("update"), MINUTES_10)?;
    shell.output(
        apt_get()
            // Debian starts what it installs, except in single-user mode.
            .env("RUNLEVEL", "1")
            .args(["install", "-y", "--no-install-recommends"])
            .args(missing),
        MINUTES_10,
    )?;
    Ok(())
}

/// Whether a Debian package is installed; nothing is, where there is no `dpkg`.
pub(crate) fn is_installed(shell: &Shell, package: &str) -> bool {
    let query = ["--show", "--showformat", "${db:Status-Status}", package];
    shell
        .try_output(Command::new("dpkg-query").args(query), MINUTES_2)
        .is_some_and(|status| status == "installed")
}

/// Downloads packages of a Debian release, of which the machine's own package lists learn nothing.
pub(super) fn download(
    shell: &Shell,
    suite: &str,
    packages: &[&str],
    folder: &Path,
) -> Result<Vec<PathBuf>> {
    let sources = folder.join("sources");
    let lists = folder.join("lists");
    let cache = folder.join("cache");
    let debs = folder.join("debs");
    for path in [
        &sources,
        &lists.join("partial"),
        &cache.join("archives/partial"),
        &debs,
    ] {
        fs::create_dir_all(path).with_context(|| format!("make {}", path.display()))?;
    }
    fs::write(sources.join("dockline.sources"), source(suite)?)?;
    let apt = || {
        let mut command = apt_get();
        command
            .current_dir(&debs)
            .arg("-oDir::Etc::sourcelist=/dev/null");
        for (option, path) in [
            ("Etc::sourceparts", &sources),
            ("State::Lists", &lists),
            ("Cache", &cache),
        ] {
            command.arg(format!("-oDir::{option}={}", path.display()));
        }
        // Nothing is verified less for it: apt would only complain that its own user may not write here.
        command
            .arg("-oAPT::Sandbox::User=root")
            .arg("-oAcquire::Languages=none");
        command
    };
    shell.output(apt().arg("update"), MINUTES_10)?;
    shell.output(apt().arg("download").args(packages), MINUTES_10)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(&debs)? {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "-oDPkg::Lock::Timeout=300"]);
    command
}

/// A package source for `suite` at the mirror that the machine itself uses.
fn source(suite: &str) -> Result<String> {
    for path in source_files()? {
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let found = match path.extension() {
            Some(kind) if kind == "sources" => from_stanzas(&text),
            _ => text.lines().find_map(from_line),
        };
        if let Some(mirror) = found {
            return Ok(format!(
                "Types: deb\nSuites: {suite}\nComponents: main\n{mirror}"
            ));
        }
    }
    anyhow::bail!("apt's sources name no mirror for `{CODENAME} main`")
}

fn source_files() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let parts = Path::new("/etc/apt/sources.list.d");
    for entry in fs::read_dir(parts).with_context(|| format!("read {}", parts.display()))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|kind| kind == "sources" || kind == "list")
        {
            files.push(path);
        }
    }
    files.sort();
    let list = PathBuf::from("/etc/apt/sources.list");
    files.extend(list.exists().then_some(list));
    Ok(files)
}

/// The fields that say where and by whom, of the paragraph for the machine's own release.
fn from_stanzas(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let stanza = lines.split(|line| line.trim().is_empty()).find(|stanza| {
        let has = |field: &str, word: &str| {
            let value = stanza.iter().find_map(|line| line.strip_prefix(field));
            value.is_some_and(|value| value.split_whitespace().any(|found| found == word))
        };
        has("Types:", "deb") && has("Suites:", CODENAME) && has("Components:", "main")
    })?;
    let mut kept = String::new();
    let mut keep = false;
    for line in stanza {
        // A line that starts with a blank goes on with the field before it (a key written out, say).
        if !line.starts_with(' ') {
            keep = line.starts_with("URIs:") || line.starts_with("Signed-By:");
        }
        if keep {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    Some(kept)
}

/// The same of a line `deb [signed-by=KEY] URI SUITE COMPONENT…`.
fn from_line(line: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let uri = words.next()?;
    if words.next()? != CODENAME || !words.any(|word| word == "main") {
        return None;
    }
    let key = options
        .split_whitespace()
        .find_map(|option| option.strip_prefix("signed-by="));
    let signed = key.map_or_else(String::new, |key| format!("Signed-By: {key}\n"));
    Some(format!("URIs: {uri}\n{signed}"))
}

#[cfg(test)]
mod tests {
    use super::{from_line, from_stanzas};

    #[test]
    fn takes_the_mirror_of_the_release_itself() {
        let text = "# why\nTypes: deb\nURIs: http://a.test/security\nSuites: bookworm-security\nComponents: main\n\n\
                    Types: deb\nURIs: http://a.test/debian\nSuites: bookworm bookworm-updates\n\
                    Components: main contrib\nSigned-By:\n KEY\n .\n";
        assert_eq!(
            from_stanzas(text).as_deref(),
            Some("URIs: http://a.test/debian\nSigned-By:\n KEY\n .\n")
        );
        assert_eq!(
            from_stanzas("Types: deb\nURIs: http://a.test\nSuites: sid\nComponents: main\n"),
            None
        );
    }

    #[test]
    fn takes_the_mirror_from_a_line_of_the_old_form() {
        for (line, found) in [
            (
                "deb http://a.test/debian bookworm main",
                Some("URIs: http://a.test/debian\n"),
            ),
            (
                "deb [arch=amd64 signed-by=/k.gpg] http://a.test bookworm main contrib",
                Some("URIs: http://a.test\nSigned-By: /k.gpg\n"),
            ),
            ("deb http://a.test/debian bookworm-updates main", None),
            ("deb-src http://a.test/debian bookworm main", None),
            ("# deb http://a.test/debian bookworm main", None),
            ("deb http://a.test/debian bookworm contrib", None),
        ] {
            assert_eq!(from_line(line).as_deref(), found, "{line}");
        }
    }
}
