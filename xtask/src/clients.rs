//! `cargo xtask clients`: which programs are intercepted, and verify what is not. Writes the table of `docs/clients.md`.
//!
//! Each program fetches pages in containers of an image that has them all, while mitmproxy, with an authority of its own,
//! intercepts. A page counts as intercepted if mitmproxy tells of it.

pub(crate) mod image;
mod programs;

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use self::programs::{CIRCUMSTANCES, PAGES, PROGRAMS, Program};
use crate::console::say;
use crate::dockline::{Dockline, Profile};
use crate::engine::Engine;
use crate::setup::Setup;
use crate::shell::{MINUTES_2, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// The instance, so that no other one is touched; a label of what is made here has the same value.
const INSTANCE: &str = "clients";
const LABEL: &str = "dockline-clients=1";
/// A cold build takes minutes on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// For mitmproxy to have written what it saw: it does so before it answers, or a moment later.
const WRITTEN: Duration = Duration::from_secs(1);

/// Tries all programs, or those whose name contains `only`.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    only: Option<&str>,
) -> Result<()> {
    let mut build = workspace.cargo();
    build.args(["build", "--quiet", "--package", "dockline"]);
    shell.run(&mut build, BUILD_LIMIT)?;
    let setup = Setup::any(shell, workspace, host)?;
    let engine = setup.engines.first().context("no engine was prepared")?;
    let tried = image::ensure(shell, workspace, &setup.tools, engine)
        .and_then(|()| on_engine(shell, workspace, &setup.tools, engine, only));
    tried.and(setup.stop_started(workspace))
}

fn on_engine(
    shell: &Shell,
    workspace: &Workspace,
    tools: &Tools,
    engine: &Engine,
    only: Option<&str>,
) -> Result<()> {
    let folder = image::folder(workspace)?;
    let (programs, settings) = image::mitmproxy(shell, &folder)?;
    let dockline = Dockline::built(workspace, Profile::Debug, INSTANCE, &engine.endpoint)?;
    // Free a moment ago: mitmproxy has to be named before it can be told the gateway.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let interceptor = format!("127.0.0.1:{port}");
    let ca = settings.join("mitmproxy-ca-cert.pem").display().to_string();
    let flags = ["--interceptor", &interceptor, "--ca", &ca];
    let mut service =
        dockline.serve(&[&flags[..], &["--pass-through", "private.test"]].concat())?;
    let mut lab = Lab {
        shell,
        tools,
        engine,
        seen: folder.join("mitmproxy.log"),
        count: 0,
    };
    let mut mitmproxy = None;
    let tried = dockline.wait_ready(shell, &mut service).and_then(|status| {
        let text = |name: &str| status[name].as_str().context("a status without it");
        mitmproxy = Some(lab.intercept(&programs, &settings, port, text("gateway")?)?);
        lab.until_linked(&dockline)?;
        let api = Engine {
            endpoint: text("api_socket")?.to_owned(),
            ..engine.clone()
        };
        lab.serve_pages()?;
        lab.table(&api, only)
    });
    let cleaned = Lab {
        shell: &Shell::for_cleanup(),
        ..lab
    }
    .clean();
    if let Some(mut mitmproxy) = mitmproxy {
        mitmproxy.kill()?;
        mitmproxy.wait()?;
    }
    let stopped = dockline.stop(&Shell::for_cleanup(), service);
    tried.and(cleaned).and(stopped)
}

struct Lab<'a> {
    shell: &'a Shell,
    tools: &'a Tools,
    engine: &'a Engine,
    /// What mitmproxy wrote.
    seen: PathBuf,
    /// Pages fetched so far: each has a path of its own.
    count: usize,
}

impl Lab<'_> {
    fn docker(&self, engine: &Engine, arguments: &[&str]) -> Result<String> {
        let mut command = self.tools.docker(engine);
        self.shell.output(command.args(arguments), MINUTES_2)
    }

    /// Starts mitmproxy with the gateway as its upstream.
    fn intercept(
        &self,
        programs: &Path,
        settings: &Path,
        port: u16,
        gateway: &str,
    ) -> Result<Child> {
        let log = File::create(&self.seen).context("write mitmproxy's log")?;
        let mut command = Command::new(programs.join("mitmdump"));
        command
            .env("PYTHONUNBUFFERED", "1")
            .args(["--mode", &format!("upstream:http://{gateway}")])
            .args(["--listen-host", "127.0.0.1", "-p", &port.to_string()])
            .args(["--set", &format!("confdir={}", settings.display())])
            // Its upstream's certificate is of a root that is trusted in the image alone.
            .args(["--set", "ssl_insecure=true"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        command.spawn().context("start mitmdump")
    }

    fn until_linked(&self, dockline: &Dockline) -> Result<()> {
        self.shell
            .wait_until("link and interceptor", MINUTES_2, || {
                let mut status = dockline.command(&["status", "--json"]);
                let text = self.shell.output(&mut status, MINUTES_2)?;
                let status: serde_json::Value = serde_json::from_str(&text)?;
                let there = status["interceptor"]["reachable"] == true
                    && status["tunnel"]["link"]["state"] == "up";
                Ok(there.then_some(()))
            })
    }

    /// One server by two names, whom nobody intercepts.
    fn serve_pages(&self) -> Result<()> {
        self.docker(
            self.engine,
            &["network", "create", "--label", LABEL, INSTANCE],
        )?;
        let names = [
            "--network-alias",
            "origin.test",
            "--network-alias",
            "private.test",
        ];
        let fixed = ["run", "-d", "--label", LABEL, "--network", INSTANCE];
        let serve = [image::IMAGE, "python3", "/pki/serve.py"];
        self.docker(self.engine, &[&fixed[..], &names, &serve].concat())?;
        Ok(())
    }

    fn table(&mut self, api: &Engine, only: Option<&str>) -> Result<()> {
        let mut surprises = Vec::new();
        for (circumstances, options) in CIRCUMSTANCES {
            say(format_args!(
                "\n{circumstances}\n\n| program | HTTP | HTTPS | HTTPS passed through, private root |\n|---|---|---|---|"
            ));
            let wanted = |program: &&Program| only.is_none_or(|only| program.name.contains(only));
            for program in PROGRAMS.iter().filter(wanted) {
                let mut cells = Vec::new();
                for (page, intercepted) in PAGES {
                    let cell = self.fetch(api, program, page, options);
                    let expected = if intercepted && program.heeds {
                        Cell::Intercepted
                    } else {
                        Cell::Direct
                    };
                    if cell != expected {
                        surprises.push(format!("{}, {page}, {circumstances}", program.name));
                    }
                    cells.push(cell.words());
                }
                say(format_args!("| {} | {} |", program.name, cells.join(" | ")));
            }
        }
        ensure!(
            surprises.is_empty(),
            "not as expected:\n{}",
            surprises.join("\n")
        );
        Ok(())
    }

    fn fetch(&mut self, api: &Engine, program: &Program, page: &str, options: &[&str]) -> Cell {
        self.count += 1;
        let path = format!("/page-{}/", self.count);
        let script = program.script.replace("@@", &format!("{page}{path}"));
        let fixed = ["run", "--rm", "--label", LABEL, "--network", INSTANCE];
        let command = [image::IMAGE, "sh", "-c", &script];
        let mut run = self.tools.docker(api);
        run.args(fixed).args(options).args(command);
        let got = self.shell.try_output(&mut run, MINUTES_2);
        if !got.is_some_and(|text| text.contains("hello")) {
            return Cell::Failed;
        }
        let seen = || {
            Ok(fs::read_to_string(&self.seen)?
                .contains(&path)
                .then_some(()))
        };
        let seen = self.shell.wait_until("mitmproxy's word", WRITTEN, seen);
        if seen.is_ok() {
            Cell::Intercepted
        } else {
            Cell::Direct
        }
    }

    fn clean(&self) -> Result<()> {
        let filter = format!("label={LABEL}");
        let all = self.docker(self.engine, &["ps", "-aq", "--filter", &filter])?;
        for id in all.lines() {
            self.docker(self.engine, &["rm", "-fv", id])?;
        }
        let networks = ["network", "prune", "-f", "--filter", &filter];
        self.docker(self.engine, &networks).map(drop)
    }
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Intercepted,
    /// It came, by a way of its own or as one that is passed through.
    Direct,
    Failed,
}

impl Cell {
    fn words(self) -> &'static str {
        match self {
            Self::Intercepted => "intercepted",
            Self::Direct => "not intercepted",
            Self::Failed => "**fails**",
        }
    }
}
