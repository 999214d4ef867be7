//! dockline's program as users get it: static, and built for size and speed with `[profile.dist]`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::console::say;
use crate::engine::install;
use crate::shell::Shell;
use crate::workspace::Workspace;

/// Of `Cargo.toml`.
pub(crate) const PROFILE: &str = "dist";
/// Cold, optimized, on a small machine.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Processor architectures that engines run on, by Docker's words, which are Debian's too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    Amd64,
    Arm64,
}

impl Architecture {
    /// What was asked for, else this machine's.
    pub(crate) fn or_here(asked: Option<Self>) -> Result<Self> {
        match asked {
            Some(asked) => Ok(asked),
            None => Self::here(),
        }
    }

    pub(crate) fn here() -> Result<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Self::Amd64),
            "aarch64" => Ok(Self::Arm64),
            other => bail!("dockline is not built for {other} here"),
        }
    }

    /// Docker's word.
    pub(crate) fn docker(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Rust's target whose programs need no library of the machine that they run on.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }

    /// Runs its programs on others.
    pub(crate) fn emulator(self) -> &'static str {
        match self {
            Self::Amd64 => "qemu-x86_64-static",
            Self::Arm64 => "qemu-aarch64-static",
        }
    }

    /// Debian's compiler for it on other machines, and the package that brings it.
    fn cross_compiler(self) -> (&'static str, &'static str) {
        match self {
            Self::Amd64 => ("x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu"),
            Self::Arm64 => ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
        }
    }
}

/// Builds it; answers where it is.
pub(crate) fn build(
    shell: &Shell,
    workspace: &Workspace,
    architecture: Architecture,
) -> Result<PathBuf> {
    let target = architecture.target();
    say(format_args!("building for {target}, which takes minutes"));
    let mut build = workspace.cargo();
    build
        .args(["build", "--locked", "--bin", "dockline"])
        .args(["--profile", PROFILE, "--target", target]);
    compile_c(shell, &mut build, architecture)?;
    shell.run(&mut build, LIMIT).with_context(|| {
        format!("build dockline for {target} (`rustup target add {target}` if Rust lacks it)")
    })?;
    let folder = workspace.target().join(target).join(PROFILE);
    Ok(folder.join("dockline"))
}

/// Names a compiler for what is in C, unless the environment does. Nothing there needs more of the C library than headers, which
/// are alike: a compiler of musl's own need not be there.
fn compile_c(shell: &Shell, build: &mut Command, architecture: Architecture) -> Result<()> {
    let target = architecture.target();
    let variable = format!("CC_{}", target.replace('-', "_"));
    if std::env::var_os(&variable).is_some() {
        return Ok(());
    }
    if architecture == Architecture::here()? {
        build.env(&variable, "cc");
        return Ok(());
    }
    let (compiler, package) = architecture.cross_compiler();
    install(shell, &[package])?;
    // Rust brings all that musl needs but a linker for foreign architectures.
    let name = target.to_uppercase().replace('-', "_");
    build
        .env(&variable, compiler)
        .env(format!("CARGO_TARGET_{name}_LINKER"), "rust-lld");
    Ok(())
}
