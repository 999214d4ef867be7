//! `cargo xtask`: prepares engines and fixture images, and runs the demo, the lints, all tests, the comparison
//! with Docker's resolver, the tables of clients, builds and interceptors, the page in a browser, the benches and the soak.
//!
//! In reading order: [`shell`] runs programs, [`workspace`] knows the folders, [`engine`] makes Docker engines,
//! [`tools`] drives them, [`images`] fills them, [`setup`] does all of that at once for [`mod@test`], [`conform`], [`deaths`], [`soak`],
//! [`mod@bench`], [`mod@clients`], [`mod@builds`], [`mod@interceptors`], [`page`] and [`demo`]. [`image`] and [`mod@package`] make
//! what is given to users of [`program`], [`sidecar`] tries the image. Images and trials begin from [`debian`]'s, and what takes
//! long to make is kept by [`once`].

mod bench;
mod builds;
mod clients;
mod conform;
mod console;
mod deaths;
mod debian;
mod demo;
mod dockline;
mod engine;
mod image;
mod images;
mod interceptors;
mod lint;
mod once;
mod package;
mod page;
mod program;
mod python;
mod setup;
mod shell;
mod sidecar;
mod soak;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};

use crate::console::{complain, say};
use crate::engine::Version;
use crate::setup::Setup;
use crate::shell::Shell;
use crate::workspace::Workspace;

/// What developers of dockline run besides cargo.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    /// The engine that `demo` and `test --engine current` use [default: what the Docker CLI uses].
    #[arg(long, env = "DOCKER_HOST", global = true)]
    host: Option<String>,
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Private Docker engines, which need root on Debian 12.
    #[command(subcommand)]
    Engine(EngineTask),
    /// All tests, those on real engines included.
    Test(test::Flags),
    /// Churns on a real engine while dockline serves, and looks whether it stays right, small and quick.
    Soak(soak::Flags),
    /// Compares names with Docker's own resolver, in a town of containers that changes at random.
    Conform(conform::Flags),
    /// Has dockline, its tunnel and its engine die at every step of `attach` and `detach`; half an hour.
    Deaths(deaths::Flags),
    /// Formatting, lints, documentation, dependencies.
    Lint,
    /// Tries which programs in containers are intercepted by mitmproxy; half an hour, and ten gigabytes.
    Clients(clients::Flags),
    /// Tries whether what curl, pip, npm and go ask for in builds is intercepted by mitmproxy.
    Builds,
    /// Uses the page at `--http` in a real browser, and takes its pictures for the documents.
    Page(page::Flags),
    /// Tries real interceptors with two projects of the same names, and a browser; minutes, and the image of `clients`.
    Interceptors(interceptors::Flags),
    /// Makes dockline's own image, without a builder or a registry.
    Image(image::Flags),
    /// Makes the Debian package, and tries it on a bare machine.
    Package(package::Flags),
    /// Brings up `docs/sidecar/` and uses it: mitmproxy and dockline in containers.
    Sidecar,
    /// Measures dockline beside limits and peers.
    Bench(bench::Flags),
    /// Shows what dockline does, on a real engine, and cleans up after itself.
    Demo,
}

#[derive(Debug, Subcommand)]
enum EngineTask {
    /// Starts private engines with the fixture image, and leaves them running.
    Up {
        /// Which one [default: both].
        #[arg(long, value_enum)]
        version: Option<Version>,
    },
    /// Stops private engines, with all that runs in them.
    Down {
        /// Which one [default: both].
        #[arg(long, value_enum)]
        version: Option<Version>,
    },
    /// Prints the shell lines that lead the Docker CLI to a running private engine.
    Env {
        /// Which one [default: the newest that runs].
        #[arg(long, value_enum)]
        version: Option<Version>,
    },
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("xtask failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let shell = Shell::new()?;
    let workspace = Workspace::find()?;
    // An empty variable is as good as none to Docker's own programs.
    let host = cli.host.as_deref().filter(|host| !host.is_empty());
    match &cli.command {
        Task::Engine(EngineTask::Up { version }) => {
            let setup = Setup::private(&shell, &workspace, &chosen(*version))?;
            for engine in &setup.engines {
                say(format_args!(
                    "engine {}: ready at {}",
                    engine.name, engine.endpoint
                ));
            }
            say("`eval \"$(cargo xtask engine env)\"` leads the Docker CLI there");
            Ok(())
        }
        Task::Engine(EngineTask::Down { version }) => chosen(*version)
            .into_iter()
            .try_for_each(|version| engine::down(&shell, &workspace, version)),
        Task::Engine(EngineTask::Env { version }) => print_env(&shell, &workspace, *version),
        Task::Test(flags) => test::run(&shell, &workspace, host, flags),
        Task::Soak(flags) => soak::run(&shell, &workspace, flags),
        Task::Conform(flags) => conform::run(&shell, &workspace, host, flags),
        Task::Deaths(flags) => deaths::run(&shell, &workspace, host, flags),
        Task::Lint => lint::run(&shell, &workspace),
        Task::Clients(flags) => clients::run(&shell, &workspace, host, flags),
        Task::Builds => builds::run(&shell, &workspace, host),
        Task::Page(flags) => page::run(&shell, &workspace, host, flags),
        Task::Interceptors(flags) => interceptors::run(&shell, &workspace, host, flags),
        Task::Image(flags) => image::run(&shell, &workspace, host, flags),
        Task::Package(flags) => package::run(&shell, &workspace, host, flags),
        Task::Sidecar => sidecar::run(&shell, &workspace, host),
        Task::Bench(flags) => bench::run(&shell, &workspace, host, flags),
        Task::Demo => demo::run(&shell, &workspace, host),
    }
}

fn chosen(version: Option<Version>) -> Vec<Version> {
    version.map_or_else(|| Version::ALL.to_vec(), |version| vec![version])
}

fn print_env(shell: &Shell, workspace: &Workspace, version: Option<Version>) -> Result<()> {
    let engines: Vec<_> = chosen(version)
        .into_iter()
        .filter_map(engine::running)
        .collect();
    ensure!(
        !engines.is_empty(),
        "no such private engine runs: `cargo xtask engine up` starts them"
    );
    let setup = Setup {
        tools: tools::Tools::unpacked(shell, workspace)?,
        engines,
    };
    if let Some(newest) = setup.engines.last() {
        say(format_args!("export DOCKER_HOST='{}'", newest.endpoint));
    }
    if let Some(folder) = setup.tools.docker.parent() {
        say(format_args!("export PATH='{}':\"$PATH\"", folder.display()));
    }
    for (name, value) in test::variables(&setup) {
        say(format_args!("export {name}='{value}'"));
    }
    Ok(())
}
