//! Where programs are tried: an interceptor, a server, and containers that fetch from it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::image::{self, SCRATCH};
use super::programs::{PAGES, Program};
use super::ways::{Tool, Way, compose_file, preload};
use super::{Cell, INSTANCE};
use crate::console::say;
use crate::engine::Engine;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::tools::Tools;

/// What is made here has this label.
const LABEL: &str = "dockline-clients=1";
/// For mitmproxy to have written what it saw: it does so before it answers, or a moment later.
const WRITTEN: Duration = Duration::from_secs(1);
/// What every page says.
const HELLO: &str = "hello, world";
const STARTS: &str = include_str!("../../clients/starts.py");

pub(super) struct Lab<'a> {
    pub(super) shell: &'a Shell,
    pub(super) tools: &'a Tools,
    pub(super) engine: &'a Engine,
    /// Where the compose file and the log are.
    pub(super) folder: PathBuf,
    /// Pages fetched so far: each has a path of its own.
    pub(super) count: usize,
}

impl Lab<'_> {
    fn docker(&self, engine: &Engine, arguments: &[&str]) -> Result<String> {
        let mut command = self.tools.docker(engine);
        self.shell.output(command.args(arguments), MINUTES_2)
    }

    /// What mitmproxy sees.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("mitmproxy.log")
    }

    /// One server by three names; and its network, which is answered.
    pub(super) fn serve_pages(&self, api: &Engine, way: &Way) -> Result<String> {
        if way.tool != Tool::Cli {
            fs::write(self.folder.join("compose.yml"), compose_file()).context("write a file")?;
            let mut up = way.compose(self.tools, api, INSTANCE)?;
            up.current_dir(&self.folder).args(["up", "-d", "shop"]);
            self.shell.output(&mut up, MINUTES_2)?;
            let mut ask = way.compose(self.tools, api, INSTANCE)?;
            ask.current_dir(&self.folder).args(["exec", "-T", "shop"]);
            self.until_served(&mut ask)?;
            return Ok(INSTANCE.to_owned());
        }
        let network = format!("{INSTANCE}-pages");
        self.docker(
            self.engine,
            &["network", "create", "--label", LABEL, &network],
        )?;
        let aliases = ["shop", "origin.test", "private.test"];
        let aliases = aliases.map(|name| ["--network-alias", name]);
        let fixed = ["run", "-d", "--label", LABEL, "--network", &network];
        let serve = [image::DEBIAN, "python3", "/pki/serve.py"];
        let serve = [&fixed[..], aliases.as_flattened(), &serve].concat();
        let server = self.docker(self.engine, &serve)?;
        let mut ask = self.tools.docker(self.engine);
        self.until_served(ask.args(["exec", server.trim()]))?;
        Ok(network)
    }

    /// The last port that the server listens at is that of HTTPS.
    fn until_served(&self, ask: &mut Command) -> Result<()> {
        let script = "import socket; socket.create_connection((\"127.0.0.1\", 443))";
        ask.args(["python3", "-c", script]);
        self.shell.wait_until("the server", MINUTES_2, || {
            Ok(self.shell.try_output(ask, MINUTES_2).map(drop))
        })
    }

    /// Measures how much longer programs take to start in an injected container.
    pub(super) fn starts(&self, api: &Engine, rounds: u32) -> Result<()> {
        let rounds = rounds.to_string();
        let measure = ["python3", "-c", STARTS, &rounds];
        let run = ["run", "--rm", "--label", LABEL, image::DEBIAN];
        let mut command = self.tools.docker(api);
        let table = self
            .shell
            .output(command.args(run).args(measure), MINUTES_10)?;
        say(format_args!(
            "\n| program | begins after | without | longer | ends later by | processor's time, longer |\n|---|---|---|---|---|---|\n{table}"
        ));
        Ok(())
    }

    /// Removes what `serve_pages` made.
    pub(super) fn clean(&self, api: &Engine, way: &Way) -> Result<()> {
        if way.tool != Tool::Cli {
            let mut down = way.compose(self.tools, api, INSTANCE)?;
            down.current_dir(&self.folder)
                .args(["down", "-v", "--remove-orphans", "-t", "0"]);
            return self.shell.output(&mut down, MINUTES_2).map(drop);
        }
        let filter = format!("label={LABEL}");
        let all = self.docker(self.engine, &["ps", "-aq", "--filter", &filter])?;
        for id in all.lines() {
            self.docker(self.engine, &["rm", "-fv", id])?;
        }
        let networks = ["network", "prune", "-f", "--filter", &filter];
        self.docker(self.engine, &networks).map(drop)
    }

    /// What becomes of all pages, and what the program said where that is not as expected.
    pub(super) fn fetch(
        &mut self,
        api: &Engine,
        network: &str,
        way: &Way,
        program: &Program,
    ) -> Result<(Vec<Cell>, String)> {
        let paths: Vec<String> = PAGES.iter().map(|_| self.path()).collect();
        let said = if program.image == SCRATCH {
            self.run_bare(api, network, way, program, &paths)?
        } else {
            self.run_all(api, network, way, program, &paths)?
        };
        self.shell.go_on()?;
        let marker = preload(program.name).filter(|_| way.own);
        let mut cells = Vec::new();
        let mut complaints = String::new();
        let expected = program.expected(way.own);
        for ((expected, said), path) in expected.iter().zip(&said).zip(&paths) {
            let got = said.contains(HELLO) && marker.is_none_or(|marker| said.contains(marker));
            let cell = match expected {
                Cell::Untried => Cell::Untried,
                _ if !got => Cell::Failed,
                expected => self.seen(path, *expected)?,
            };
            if cell != *expected {
                complaints.push_str(&crate::shell::tail(said));
            }
            cells.push(cell);
        }
        Ok((cells, complaints))
    }

    fn path(&mut self) -> String {
        self.count += 1;
        format!("/page-{}/", self.count)
    }

    /// All pages in one container.
    fn run_all(
        &self,
        api: &Engine,
        network: &str,
        way: &Way,
        program: &Program,
        paths: &[String],
    ) -> Result<Vec<String>> {
        let parts = PAGES.iter().zip(paths).zip(program.expected);
        let script: Vec<String> = parts
            .map(|((page, path), expected)| {
                let tried = expected != Cell::Untried;
                let script = program.script.replace("@@", &format!("{page}{path}"));
                let script = if tried { &script } else { "true" };
                format!("( export HOME=$(mktemp -d -p /dev/shm); export TMPDIR=$HOME\n{script}\n) 2>&1 </dev/null\n")
            })
            .collect();
        let script = script.join("echo; echo ======\n") + "true";
        let mut run = way.run(
            self.tools,
            api,
            program.image,
            &["sh", "-c", &script],
            (network, LABEL),
        )?;
        let said = self
            .shell
            .output(run.current_dir(&self.folder), MINUTES_2)
            .unwrap_or_else(|error| format!("{error:#}"));
        let mut said: Vec<String> = said.split("\n======\n").map(str::to_owned).collect();
        said.resize(PAGES.len(), String::new());
        Ok(said)
    }

    /// A container for each page: there is no shell.
    fn run_bare(
        &self,
        api: &Engine,
        network: &str,
        way: &Way,
        program: &Program,
        paths: &[String],
    ) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for (page, path) in PAGES.iter().zip(paths) {
            let script = program.script.replace("@@", &format!("{page}{path}"));
            let words: Vec<&str> = script.split(' ').collect();
            let mut run = way.run(self.tools, api, program.image, &words, (network, LABEL))?;
            let said = self
                .shell
                .output(run.current_dir(&self.folder), MINUTES_2)
                // Not all programs say what they got; all say by their exit code whether they did.
                .map_or_else(|error| format!("{error:#}"), |said| said + HELLO);
            all.push(said);
        }
        Ok(all)
    }

    /// How a page came that did come.
    fn seen(&self, path: &str, expected: Cell) -> Result<Cell> {
        let is_there = || Ok(fs::read_to_string(self.log())?.contains(path).then_some(()));
        let seen = if expected == Cell::Intercepted {
            self.shell
                .wait_until("mitmproxy's word", WRITTEN, is_there)
                .is_ok()
        } else {
            is_there()?.is_some()
        };
        Ok(if seen {
            Cell::Intercepted
        } else {
            Cell::Direct
        })
    }
}
