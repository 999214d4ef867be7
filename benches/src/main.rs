//! Measures dockline beside limits and peers, all in one run: the machine's mood is the same for all, and ratios are taken
//! within each round. `cargo xtask bench` prepares what is needed and starts this.
//!
//! Programs that are measured or that help are processes of their own, so that `/proc` tells what each costs. In reading
//! order: [`measure`] and [`report`]; [`process`] and [`dockline`]; a module a suite: [`dns`], [`socks`], [`tunnel`], [`entry`],
//! [`events`], [`interceptor`], [`names`], [`api`], [`build`], [`mod@start`], [`trust`], [`mod@attach`]; and [`engine`], real or made up.

mod api;
mod attach;
mod build;
mod dns;
mod dockline;
mod engine;
mod entry;
mod events;
mod interceptor;
mod measure;
mod names;
mod process;
mod report;
mod socks;
mod start;
mod trust;
mod tunnel;

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::report::{Report, progress};

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

/// What this process is.
#[derive(Debug, Subcommand)]
enum Role {
    /// The one who measures.
    Run(Run),
    /// A DNS server that looks nothing up.
    DnsLimit { address: SocketAddr },
    /// What connections are made to.
    Sink { address: SocketAddr },
    /// A web server: `GET /N` answers N bytes.
    Httpd { address: SocketAddr },
    /// Builds a map of so many containers, and says how much memory it has then.
    Hold { count: usize },
    /// An engine that takes everything and keeps nothing.
    StandIn { socket: PathBuf },
    /// A DNS server that makes the same calls to an engine as dockline has to, and no others.
    Floor {
        address: SocketAddr,
        engine: PathBuf,
        network: String,
    },
}

/// Where everything is.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    suite: Suite,
    /// The program `dockline`, as released.
    #[arg(long)]
    dockline: PathBuf,
    /// The program of the tunnel's image.
    #[arg(long)]
    tunnel: PathBuf,
    /// The socket of an engine on this machine that has the image; without it, what needs one is left out.
    #[arg(long)]
    engine: Option<PathBuf>,
    /// The Docker CLI, with compose; without it, what needs one is left out.
    #[arg(long)]
    docker: Option<PathBuf>,
    /// An image with `sleep`.
    #[arg(long, default_value = "dockline-fixture:latest")]
    image: String,
    /// For results.
    #[arg(long)]
    out: PathBuf,
    /// Rounds; medians are taken over them.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    Dns,
    Socks,
    Tunnel,
    Entry,
    Events,
    Interceptor,
    Names,
    Api,
    Build,
    Start,
    Trust,
    Attach,
    All,
}

fn main() -> ExitCode {
    match start(Cli::parse().role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("bench failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn start(role: Role) -> Result<()> {
    raise_file_limit();
    match role {
        Role::Run(run) => {
            if !process::put_first(std::process::id()) {
                progress("  not root: other programs on this machine get in the way");
            }
            measure_all(&run)
        }
        Role::DnsLimit { address } => dns::limit::serve(address),
        Role::Sink { address } => socks::sink::serve(address),
        Role::Httpd { address } => socks::httpd::serve(address),
        Role::Hold { count } => {
            let held = names::hold(count)?;
            writeln!(std::io::stdout(), "{held}").context("say how much memory it is")
        }
        Role::StandIn { socket } => api::stand_in::serve(&socket),
        Role::Floor {
            address,
            engine,
            network,
        } => events::floor::serve(address, &engine, network),
    }
}

type Measure = fn(&Run, &mut Report) -> Result<()>;

fn measure_all(run: &Run) -> Result<()> {
    let suites: [(Suite, Measure); 12] = [
        (Suite::Dns, dns::measure),
        (Suite::Socks, socks::measure),
        (Suite::Events, events::measure),
        (Suite::Interceptor, interceptor::measure),
        (Suite::Names, names::measure),
        (Suite::Tunnel, tunnel::measure),
        (Suite::Api, api::measure),
        (Suite::Build, build::measure),
        (Suite::Entry, entry::measure),
        (Suite::Start, start::measure),
        (Suite::Trust, trust::measure),
        (Suite::Attach, attach::measure),
    ];
    fs::create_dir_all(&run.out).with_context(|| format!("make {}", run.out.display()))?;
    let mut report = Report::default();
    let wanted = |suite: Suite| [suite, Suite::All].contains(&run.suite);
    let mut outcome = Ok(());
    for (_, measure) in suites.into_iter().filter(|(suite, _)| wanted(*suite)) {
        // The others' figures are worth having all the same.
        if let Err(error) = measure(run, &mut report) {
            progress(&format!("{error:#}"));
            outcome = Err(error);
        }
    }
    report.write(&run.out)?;
    report.print()?;
    outcome
}

/// Five thousand tunnels take two files each.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, raised);
}
