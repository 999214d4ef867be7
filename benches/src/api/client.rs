//! The Docker CLI and compose, as their users wait for them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::measure::{median, millis};

/// Runs of which the median is taken.
const RUNS: usize = 7;
const PROJECT: &str = "dockline-bench-up";

/// The median time of `docker run`, in milliseconds.
pub(crate) fn run(docker: &Path, socket: &Path, image: &str) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let began = Instant::now();
        client(
            docker,
            socket,
            &["run", "--rm", "--label", "dockline-bench=", image, "true"],
        )?;
        times.push(millis(began.elapsed()));
    }
    Ok(median(&times))
}

/// The time of `docker compose up -d` of so many services, in milliseconds.
pub(crate) fn up(docker: &Path, socket: &Path, image: &str, services: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut text = "services:\n".to_owned();
    for service in 0..services {
        writeln!(
            text,
            " s{service}: {{ image: \"{image}\", command: sleep 1000, stop_signal: SIGKILL, labels: {{ dockline-bench: '' }} }}"
        )?;
    }
    let file = folder.path().join("compose.yml");
    std::fs::write(&file, text)?;
    let file = file.to_str().context("a path of text")?;
    let compose = ["compose", "-p", PROJECT, "-f", file];
    let began = Instant::now();
    client(docker, socket, &[&compose[..], &["up", "-d"]].concat())?;
    let time = millis(began.elapsed());
    client(
        docker,
        socket,
        &[&compose[..], &["down", "-t", "0"]].concat(),
    )?;
    Ok(time)
}

fn client(docker: &Path, socket: &Path, arguments: &[&str]) -> Result<()> {
    let status = Command::new(docker)
        .args(arguments)
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .env_remove("DOCKER_CONTEXT")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("run {}", docker.display()))?;
    ensure!(status.success(), "docker {arguments:?} ended with {status}");
    Ok(())
}
