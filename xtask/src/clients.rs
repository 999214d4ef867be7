//! `cargo xtask clients`: which programs are intercepted, and verify what is not. Writes the table of `docs/clients.md`.
//!
//! Each program fetches pages in containers of an image that has them all, while mitmproxy, with an authority of its own,
//! intercepts. A page counts as intercepted if mitmproxy tells of it.

pub(crate) mod brought;
pub(crate) mod image;
mod lab;
mod programs;
mod ways;

use anyhow::{Context as _, Result, ensure};

use self::lab::Lab;
use self::programs::{PAGES, PROGRAMS, Program};
use self::ways::{WAYS, Way};
use crate::console::say;
use crate::dockline::{Dockline, Profile, free_port};
use crate::engine::{Engine, Version};
use crate::setup::Setup;
use crate::shell::Shell;
use crate::tools::Tools;
use crate::workspace::Workspace;

/// The instance, so that no other one is touched; what is made here is named by it.
const INSTANCE: &str = "clients";

/// Flags of `cargo xtask clients`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Only programs whose name contains this.
    only: Option<String>,
    /// Only in ways whose words begin with this (`docker run`, `compose 2`).
    #[arg(long)]
    way: Option<String>,
    /// Only programs that stand for their kind; as on older engines always.
    #[arg(long)]
    some: bool,
    /// Measures instead, over so many rounds, how much longer programs take to start.
    #[arg(long, value_name = "ROUNDS")]
    starts: Option<u32>,
}

/// Tries all programs, on the engine that the user has or on private ones.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    flags: &Flags,
) -> Result<()> {
    Dockline::build(shell, workspace, Profile::Debug)?;
    let setup = Setup::any(shell, workspace, host, &[Version::V26, Version::V20])?;
    let mut engines = setup.engines.iter();
    let tried = engines.try_for_each(|engine| {
        image::ensure(shell, workspace, &setup.tools, engine)?;
        on_engine(shell, workspace, &setup.tools, engine, flags)
    });
    tried.and(setup.stop_started(workspace))
}

fn on_engine(
    shell: &Shell,
    workspace: &Workspace,
    tools: &Tools,
    engine: &Engine,
    flags: &Flags,
) -> Result<()> {
    let folder = image::folder(workspace)?;
    let (programs, settings) = brought::mitmproxy(shell, &folder)?;
    let dockline = Dockline::built(workspace, Profile::Debug, INSTANCE, &engine.endpoint)?;
    let port = free_port()?;
    let interceptor = format!("127.0.0.1:{port}");
    let ca = settings.join("mitmproxy-ca-cert.pem").display().to_string();
    let with = ["--interceptor", &interceptor, "--ca", &ca];
    let mut service = dockline.serve(&[&with[..], &["--pass-through", "private.test"]].concat())?;
    let mut lab = Lab {
        shell,
        tools,
        engine,
        folder,
        count: 0,
    };
    let mut mitmproxy = None;
    let tried = dockline.wait_ready(shell, &mut service).and_then(|status| {
        let text = |name: &str| status[name].as_str().context("a status without it");
        let gateway = text("gateway")?;
        let started = brought::start_mitmproxy(&lab.log(), &programs, &settings, port, gateway);
        mitmproxy = Some(started?);
        dockline.wait_linked(shell)?;
        let api = Engine {
            endpoint: text("api_socket")?.to_owned(),
            ..engine.clone()
        };
        match flags.starts {
            Some(rounds) => lab.starts(&api, rounds),
            None => all_ways(&mut lab, &api, flags),
        }
    });
    if let Some(mut mitmproxy) = mitmproxy {
        mitmproxy.kill()?;
        mitmproxy.wait()?;
    }
    let stopped = dockline.stop(&Shell::for_cleanup(), service);
    tried.and(stopped)
}

fn all_ways(lab: &mut Lab<'_>, api: &Engine, flags: &Flags) -> Result<()> {
    let some = flags.some || lab.engine.private == Some(Version::V20);
    let begins = |way: &&Way| {
        let start = flags.way.as_deref();
        start.is_none_or(|start| way.words.starts_with(start))
    };
    let mut surprises = Vec::new();
    for way in WAYS.iter().filter(begins) {
        let network = lab.serve_pages(api, way);
        let tried = network.and_then(|network| {
            say(format_args!(
                "\n{}, engine {}\n\n| program | HTTP | HTTPS | HTTPS passed through, private root | HTTPS to a service |\n\
                 |---|---|---|---|---|",
                way.words, lab.engine.name
            ));
            let whole = way.whole && !some;
            let wanted = |program: &&Program| {
                let only = flags.only.as_deref();
                // A file that variables name is not in there.
                let has_values = !way.own || program.image != image::SCRATCH;
                only.is_none_or(|only| program.name.contains(only))
                    && (whole || only.is_some() || program.stands)
                    && has_values
            };
            for program in PROGRAMS.iter().filter(wanted) {
                surprises.extend(line(lab, api, &network, way, program)?);
            }
            Ok(())
        });
        let cleaned = Lab {
            shell: &Shell::for_cleanup(),
            folder: lab.folder.clone(),
            ..*lab
        }
        .clean(api, way);
        tried.and(cleaned)?;
    }
    ensure!(
        surprises.is_empty(),
        "not as expected:\n{}",
        surprises.join("\n")
    );
    Ok(())
}

/// Writes a line of the table; answers what is not as expected.
fn line(
    lab: &mut Lab<'_>,
    api: &Engine,
    network: &str,
    way: &Way,
    program: &Program,
) -> Result<Option<String>> {
    let (cells, complaints) = lab.fetch(api, network, way, program)?;
    let words: Vec<_> = PAGES
        .iter()
        .zip(&cells)
        .map(|(page, cell)| cell.words(page))
        .collect();
    say(format_args!("| {} | {} |", program.name, words.join(" | ")));
    let surprise = format!("{}, {}:{complaints}", program.name, way.words);
    Ok((cells != program.expected(way.own)).then_some(surprise))
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Intercepted,
    /// It came, by a way of its own or as one that is passed through.
    Direct,
    Failed,
    Untried,
}

impl Cell {
    fn words(self, page: &str) -> &'static str {
        match self {
            Self::Intercepted => "intercepted",
            Self::Direct if page.contains("private") => "verifies",
            Self::Direct => "not intercepted",
            Self::Failed => "**fails**",
            Self::Untried => "",
        }
    }
}
