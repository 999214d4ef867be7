//! `cargo xtask lint`: everything about the code that a program can check without running it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::console::say;
use crate::shell::{MINUTES_2, Shell, command_line};
use crate::workspace::Workspace;

/// A cold build of all dependencies takes minutes on a small machine.
const LINT_LIMIT: Duration = Duration::from_secs(20 * 60);

struct Check {
    /// As cargo gets them.
    args: &'static [&'static str],
    /// For checks that do not come with Rust: the package to install.
    package: Option<&'static str>,
}

const CHECKS: [Check; 5] = [
    Check {
        args: &["fmt", "--all", "--", "--check"],
        package: None,
    },
    Check {
        args: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        package: None,
    },
    Check {
        args: &[
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ],
        package: None,
    },
    // Advisories are left out: their database has to be fetched, and would fail a build that changed nothing.
    Check {
        args: &["deny", "check", "bans", "licenses", "sources"],
        package: Some("cargo-deny"),
    },
    Check {
        args: &["machete"],
        package: Some("cargo-machete"),
    },
];

/// Runs all checks, also after one has failed, and fails if any did.
pub(crate) fn run(shell: &Shell, workspace: &Workspace) -> Result<()> {
    let mut failed = Vec::new();
    for check in &CHECKS {
        let mut command = workspace.cargo();
        command.args(check.args).env("RUSTDOCFLAGS", "-D warnings");
        let line = command_line(&command);
        if let Some(package) = check.package
            && !is_installed(shell, package)
        {
            say(format_args!(
                "skipped `{line}`: not here, `cargo install --locked {package}` brings it"
            ));
            continue;
        }
        say(format_args!("$ {line}"));
        if let Err(error) = shell.run(&mut command, LINT_LIMIT) {
            say(format_args!("{error:#}"));
            failed.push(line);
        }
    }
    ensure!(
        failed.is_empty(),
        "{} of the checks failed:\n    {}",
        failed.len(),
        failed.join("\n    ")
    );
    Ok(())
}

fn is_installed(shell: &Shell, program: &str) -> bool {
    shell
        .try_output(Command::new(program).arg("--version"), MINUTES_2)
        .is_some()
}
