//! `dockline run -- COMMAND…`

use std::ffi::OsString;
#[cfg(unix)]
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::shell::{self, Changes};
use super::{Failure, Global, output, serve, variables};
use crate::control::client;
use crate::control::report::shape::Status;
use crate::service::Service;
use crate::signal;

/// For a service that is started for the command to be ready, its tunnel included.
const READY: Duration = Duration::from_secs(30);
/// How often it is asked.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Flags of `run`.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// For the service that is started if none runs.
    #[command(flatten)]
    pub(super) serve: serve::Flags,
    /// The command, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(super) async fn run(global: &Global, flags: Flags) -> Result<ExitCode, Failure> {
    let (program, arguments) = flags
        .command
        .split_first()
        .ok_or_else(|| Failure::Usage(anyhow::anyhow!("there is no command after --")))?;
    let mut command = Command::new(program);
    command.args(arguments);
    let failed = || format!("run {}", program.display());
    match client::get::<Status>(&global.control_socket(), "/v1/status", &[]).await {
        Ok(status) => {
            apply(&mut command, &changes(global, &status)?);
            instead(command)
                .with_context(failed)
                .map_err(Failure::Other)
        }
        Err(client::Error::NotRunning(_)) => {
            let status = with_service(global, flags.serve, command).await?;
            Ok(ExitCode::from(code(status.with_context(failed)?)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Runs the command beside a service that ends with it.
async fn with_service(
    global: &Global,
    flags: serve::Flags,
    command: Command,
) -> Result<std::io::Result<ExitStatus>, Failure> {
    let warnings = serve::start_logging(&flags)?.warnings;
    let on_exit = flags.on_exit;
    let config = serve::config(global, flags, serve::Stdout::Anothers, warnings)?;
    let service = Service::bind(config).await?;
    let stop = CancellationToken::new();
    let asked = {
        let stop = stop.clone();
        async move {
            let outcome = beside(global, command).await;
            stop.cancel();
            outcome
        }
    };
    // Signals from the terminal reach the command as well, and it decides: the service ends after it.
    let heard = CancellationToken::new();
    tokio::select! {
        (served, asked) = async { tokio::join!(service.run(stop.clone()), asked) } => {
            serve::part(global, on_exit, served?, output::note).await?;
            asked
        }
        ended = signal::watch(heard) => {
            ended.map_err(anyhow::Error::from)?;
            Err(Failure::Interrupted)
        }
    }
}

/// Waits for the service, then for the command.
async fn beside(
    global: &Global,
    mut command: Command,
) -> Result<std::io::Result<ExitStatus>, Failure> {
    let give_up = Instant::now() + READY;
    let status = loop {
        let answer = client::get::<Status>(&global.control_socket(), "/v1/status", &[]).await;
        let settled = answer.as_ref().is_ok_and(|status| {
            status.ready && matches!(status.tunnel.state.as_str(), "running" | "failed")
        });
        if settled || Instant::now() >= give_up {
            break answer?;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    };
    if !status.ready {
        let problem = status.engine.problem;
        return Err(Failure::NoEngine(anyhow::anyhow!(
            problem.unwrap_or_else(|| "the service is not ready".to_owned())
        )));
    }
    apply(&mut command, &changes(global, &status)?);
    let waited = tokio::task::spawn_blocking(move || command.status()).await;
    Ok(waited.unwrap_or_else(|error| Err(std::io::Error::other(error))))
}

fn changes(global: &Global, status: &Status) -> Result<Changes, Failure> {
    shell::intercept(&variables(), status, &global.endpoint()?)
}

fn apply(command: &mut Command, changes: &Changes) {
    for (name, value) in changes {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// Runs the command in the place of this process: its terminal, signals and exit code are the command's own.
#[cfg(unix)]
fn instead(mut command: Command) -> std::io::Result<ExitCode> {
    Err(command.exec())
}

/// No process takes another's place here.
#[cfg(not(unix))]
fn instead(mut command: Command) -> std::io::Result<ExitCode> {
    command.status().map(|status| ExitCode::from(code(status)))
}

/// As shells count.
fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    #[cfg(not(unix))]
    let code = status.code();
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
