//! The command line: flags and environment in, a command out, its outcome as an exit code.
//!
//! One file a command in `cli/`. Data goes to stdout, everything else to stderr.

mod anew;
mod attach;
mod ca;
mod clean;
mod context;
mod detach;
mod doctor;
mod env;
mod install;
mod integrate;
mod misuse;
mod output;
mod pause;
mod plugin;
mod resolve;
mod route;
mod run;
mod serve;
mod settings;
mod shell;
mod status;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::control;
use crate::core::id::Instance;
use crate::docker::{self, Endpoint, endpoint};
use crate::recreate;
use crate::runtime_dir::Places;

/// Gives an HTTP(S) interceptor every Docker container: names, routes and traffic.
#[derive(Debug, Parser)]
#[command(name = "dockline", version = env!("DOCKLINE_VERSION"), about, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    /// Without a command: serve.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Flags,
}

/// Flags of all commands.
#[derive(Clone, Debug, Args)]
struct Global {
    /// The instance: several may run side by side
    #[arg(
        long,
        global = true,
        env = "DOCKLINE_INSTANCE",
        default_value = "default",
        value_name = "NAME"
    )]
    instance: Instance,
    /// The engine, such as `unix:///var/run/docker.sock` or `tcp://HOST:PORT` [env: `DOCKLINE_HOST`, `DOCKER_HOST`]
    // Their variables come after both flags, so they are not clap's.
    #[arg(long, global = true, value_name = "ENDPOINT")]
    host: Option<String>,
    /// The docker context whose engine is meant [env: `DOCKLINE_CONTEXT`, `DOCKER_CONTEXT`]
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service in the foreground, until SIGINT or SIGTERM
    Serve(Box<serve::Flags>),
    /// Show what runs where
    Status(status::Flags),
    /// Show what a name resolves to
    Resolve(resolve::Flags),
    /// Show where a connection would go, and why
    Route(route::Flags),
    /// Print shell lines that make Docker's clients use the API proxy: eval "$(dockline env)"
    Env(env::Flags),
    /// Run one command in that environment; starts a service for it if none runs
    Run(Box<run::Flags>),
    /// Make or remove a docker context that leads to the API proxy
    Context(context::Flags),
    /// Let what containers send go on without the interceptor, without touching a container
    Pause,
    /// Intercept again
    Resume,
    /// Print the certificate authority that containers trust: its file, or itself
    Ca(ca::Flags),
    /// Print the exact settings for an interceptor
    Integrate(integrate::Flags),
    /// Find out what is wrong, and what to do about it
    Doctor(doctor::Flags),
    /// Make a running container anew, intercepted: as it was in all else
    Attach(attach::Flags),
    /// Make intercepted containers anew, as they were
    Detach(detach::Flags),
    /// Remove everything that dockline left in the engine
    Clean(clean::Flags),
    /// Show the service's settings, and where each comes from
    Config(settings::Flags),
    /// Print completions for a shell
    Completions(install::Completions),
    /// Write manual pages, for packages
    #[command(hide = true)]
    Man(install::Man),
}

/// Why a command failed, by its exit code.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    NotRunning(control::client::Error),
    #[error(transparent)]
    NoEngine(anyhow::Error),
    #[error(transparent)]
    Usage(anyhow::Error),
    #[error("stopped at once; `dockline clean` removes what was left in the engine")]
    Interrupted,
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::NotRunning(_) => 3,
            Self::NoEngine(_) => 4,
            // As a shell counts a command that SIGINT ended.
            Self::Interrupted => 130,
        }
    }
}

impl From<control::client::Error> for Failure {
    fn from(error: control::client::Error) -> Self {
        match error {
            control::client::Error::NotRunning(_) => Self::NotRunning(error),
            other => Self::Other(other.into()),
        }
    }
}

impl From<docker::Error> for Failure {
    fn from(error: docker::Error) -> Self {
        match error {
            docker::Error::Unreachable { .. } | docker::Error::Timeout(_) => {
                Self::NoEngine(error.into())
            }
            other => Self::Other(other.into()),
        }
    }
}

impl From<recreate::Error> for Failure {
    fn from(error: recreate::Error) -> Self {
        match error {
            recreate::Error::Interrupted => Self::Interrupted,
            recreate::Error::Engine(
                action,
                lost @ (docker::Error::Unreachable { .. } | docker::Error::Timeout(_)),
            ) => Self::NoEngine(anyhow::Error::new(lost).context(action)),
            other => Self::Other(other.into()),
        }
    }
}

impl From<endpoint::EndpointError> for Failure {
    fn from(error: endpoint::EndpointError) -> Self {
        Self::Usage(error.into())
    }
}

impl Global {
    fn surroundings() -> endpoint::Surroundings {
        endpoint::Surroundings {
            variables: variables(),
        }
    }

    fn endpoint(&self) -> Result<Endpoint, Failure> {
        Ok(endpoint::find(
            self.host.as_deref(),
            self.context.as_deref(),
            &Self::surroundings(),
        )?)
    }

    fn places() -> Places {
        let variables = variables();
        let folder = |name: &str| {
            variables
                .get(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        Places {
            explicit: folder("DOCKLINE_RUNTIME_DIR"),
            xdg: folder("XDG_RUNTIME_DIR"),
            temporary: std::env::temp_dir(),
        }
    }

    fn control_socket(&self) -> PathBuf {
        Self::places().control_socket(&self.instance)
    }
}

/// The environment; what is not Unicode is nothing that dockline reads.
fn variables() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// For what cannot be called off when the command is over.
const PARTING: Duration = Duration::from_millis(500);

/// Runs the command that was given.
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let words = match plugin::words(words) {
        plugin::Called::Metadata => {
            output::data(&plugin::metadata());
            return ExitCode::SUCCESS;
        }
        plugin::Called::Command(words) => words,
    };
    let settings::Asked {
        cli,
        matches,
        source,
    } = match settings::asked(words) {
        Ok(asked) => asked,
        Err(failure) => return output::failed(&failure),
    };
    let Cli {
        global,
        command,
        serve,
    } = cli;
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return output::failed(&Failure::Other(error.into())),
    };
    let outcome = runtime.block_on(async {
        match command.unwrap_or(Command::Serve(Box::new(serve))) {
            Command::Serve(flags) => source.placed(serve::run(&global, *flags, &source).await),
            Command::Status(flags) => status::run(&global, &flags).await,
            Command::Resolve(flags) => resolve::run(&global, &flags).await,
            Command::Route(flags) => route::run(&global, &flags).await,
            Command::Env(flags) => env::run(&global, &flags).await,
            Command::Run(flags) => {
                return source.placed(Box::pin(run::run(&global, *flags)).await);
            }
            Command::Context(flags) => context::run(&global, &flags).await,
            Command::Pause => pause::pause(&global).await,
            Command::Resume => pause::resume(&global).await,
            Command::Ca(flags) => ca::run(&global, &flags).await,
            Command::Integrate(flags) => integrate::run(&global, &flags).await,
            Command::Doctor(flags) => doctor::run(&global, &flags).await,
            Command::Attach(flags) => attach::run(&global, &flags).await,
            Command::Detach(flags) => detach::run(&global, &flags).await,
            Command::Clean(flags) => clean::run(&global, &flags).await,
            Command::Config(flags) => settings::show(&flags, &matches, &source),
            Command::Completions(flags) => {
                install::completions(&flags);
                Ok(())
            }
            Command::Man(flags) => install::man(&flags),
        }
        .map(|()| ExitCode::SUCCESS)
    });
    // A look-up in the system's resolver cannot be called off; nobody waits for it.
    runtime.shutdown_timeout(PARTING);
    match outcome {
        Ok(code) => code,
        Err(failure) => output::failed(&failure),
    }
}
