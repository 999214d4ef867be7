//! `cargo xtask interceptors`: two compose projects, of which each has an `api` and a `db`, ask these by HTTP and HTTPS through
//! real interceptors. Every request has to be seen by the interceptor, with its caller's name where it can know it, and
//! answered by the caller's own project. Writes the table of `docs/interceptors.md`.

mod browser;
mod har;
mod programs;
mod projects;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use self::programs::{Program, Running};
use self::projects::{PROJECTS, Projects};
use crate::clients::image;
use crate::console::say;
use crate::dockline::{Dockline, Profile};
use crate::engine::{Engine, Version};
use crate::setup::Setup;
use crate::shell::{MINUTES_2, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// The instance, so that no other one is touched.
const INSTANCE: &str = "interceptors";

/// How many of the requests that went wrong are told of, for each reason.
const SHOWN: usize = 20;

/// Flags of `interceptors`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Flags {
    /// Only those whose name contains this.
    only: Option<String>,
    /// Requests that each of the two projects sends.
    #[arg(long, default_value_t = 500)]
    requests: usize,
    /// How many each sends at a time.
    #[arg(long, default_value_t = 10)]
    at_a_time: usize,
    /// Leave out the browser.
    #[arg(long)]
    no_browser: bool,
}

/// Tries all interceptors, or those that were asked for.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    flags: &Flags,
) -> Result<()> {
    Dockline::build(shell, workspace, Profile::Debug)?;
    let setup = Setup::any(shell, workspace, host, &[Version::V26])?;
    let engine = setup.engines.last().context("no engine was prepared")?;
    let tried = image::ensure(shell, workspace, &setup.tools, engine).and_then(|()| {
        let trial = Trial {
            shell,
            workspace,
            tools: &setup.tools,
            engine,
            flags,
            folder: programs::folder(workspace)?,
            run: format!("run-{}", std::process::id()),
        };
        trial.all()
    });
    tried.and(setup.stop_started(workspace))
}

struct Trial<'a> {
    shell: &'a Shell,
    workspace: &'a Workspace,
    tools: &'a Tools,
    engine: &'a Engine,
    flags: &'a Flags,
    folder: PathBuf,
    /// What the paths of all its requests begin with.
    run: String,
}

/// A line of the table.
struct Row {
    served: usize,
    seen: usize,
    attributed: Option<usize>,
    problems: Vec<String>,
}

impl Trial<'_> {
    fn all(&self) -> Result<()> {
        programs::origins_authority(self.shell, self.tools, self.engine, &self.folder)?;
        let total = PROJECTS.len() * self.flags.requests;
        let mut rows = vec![
            "| interceptor | served by the own project | seen | with the caller's name |\n|---|---|---|---|"
                .to_owned(),
        ];
        let mut problems = Vec::new();
        let wanted = |program: &Program| match &self.flags.only {
            Some(only) => program.name().contains(only.as_str()),
            None => true,
        };
        for program in Program::ALL.into_iter().filter(wanted) {
            say(format_args!("\n{}", program.name()));
            let row = self.one(program).with_context(|| program.name())?;
            let attributed = match row.attributed {
                Some(number) => format!("{number} of {total}"),
                None => "it cannot know".to_owned(),
            };
            rows.push(format!(
                "| {} | {} of {total} | {} of {total} | {attributed} |",
                program.name(),
                row.served,
                row.seen
            ));
            let named = row.problems.into_iter();
            problems.extend(named.map(|problem| format!("{}: {problem}", program.name())));
        }
        say(format_args!("\n{}", rows.join("\n")));
        ensure!(problems.is_empty(), "went wrong:\n{}", problems.join("\n"));
        Ok(())
    }

    fn one(&self, program: Program) -> Result<Row> {
        let dockline = Dockline::built(
            self.workspace,
            Profile::Debug,
            INSTANCE,
            &self.engine.endpoint,
        )?;
        let (flags, ready) = program.prepare(self.shell, self.workspace, &self.folder)?;
        program.goes_on(self.shell, &ready)?;
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let mut service = dockline.serve(&flags)?;
        let mut running = None;
        let mut projects = None;
        let tried = dockline
            .wait_ready(self.shell, &mut service)
            .and_then(|status| {
                running = Some(program.start(&ready, &status)?);
                dockline.wait_linked(self.shell)?;
                let api = Engine {
                    endpoint: text(&status, "api_socket")?.to_owned(),
                    ..self.engine.clone()
                };
                let up = Projects::new(self.shell, self.tools, api, self.engine, &self.folder)?;
                projects.insert(up).up()?;
                let up = projects.as_ref().context("projects that are up")?;
                self.look(&dockline, program)?;
                let row = self.ask(up, program, running.as_ref(), &dockline)?;
                if program == Program::BuiltIn && !self.flags.no_browser {
                    browser::opens_pages(self.shell, &status)?;
                }
                Ok(row)
            });
        let cleaned = projects.map_or(Ok(()), |projects| projects.down());
        let ended = running.map_or(Ok(()), Running::end);
        let stopped = dockline.stop(&Shell::for_cleanup(), service);
        let row = tried?;
        cleaned.and(ended).and(stopped)?;
        if program == Program::BuiltIn {
            let total = PROJECTS.len() * self.flags.requests;
            har::check(self.shell, self.workspace, &self.folder, &self.run, total)?;
        }
        Ok(row)
    }

    /// What a user would do first.
    fn look(&self, dockline: &Dockline, program: Program) -> Result<()> {
        let mut check = dockline.command(&["integrate", program.recipe(), "--check"]);
        let found = self.shell.output(&mut check, MINUTES_2)?;
        let last = found.lines().last().unwrap_or_default();
        say(format_args!(
            "  dockline integrate {} --check: {last}",
            program.recipe()
        ));
        let said = self
            .shell
            .output(&mut dockline.command(&["doctor", "--json"]), MINUTES_2)?;
        let report: Value = serde_json::from_str(&said).context("read doctor's report")?;
        let checks = report["checks"].as_array().context("its checks")?;
        let signs = checks.iter().find(|check| check["check"] == "ca");
        let signs = signs.context("a check of the CA")?;
        ensure!(
            signs["outcome"] == "ok",
            "doctor does not see the CA: {signs}"
        );
        say(format_args!("  dockline doctor: {}", text(signs, "text")?));
        Ok(())
    }

    fn ask(
        &self,
        projects: &Projects<'_>,
        program: Program,
        running: Option<&Running>,
        dockline: &Dockline,
    ) -> Result<Row> {
        let run = &self.run;
        let Flags {
            requests,
            at_a_time,
            ..
        } = *self.flags;
        let (served, mut problems) = projects.ask(run, requests, at_a_time)?;
        let expected = || {
            PROJECTS.into_iter().flat_map(|project| {
                let run = run.clone();
                (0..requests).map(move |n| (project, format!("/{run}/{project}/{n}/")))
            })
        };
        // What was answered a moment ago may not be written yet.
        let mut seen = String::new();
        let all_there = self.shell.wait_until("its lines", programs::WRITTEN, || {
            seen = match running.and_then(Running::log) {
                Some(log) => std::fs::read_to_string(log)?,
                None => dockline.log()?,
            };
            Ok(expected()
                .all(|(_, path)| seen.contains(&path))
                .then_some(()))
        });
        if let Err(error) = all_there {
            say(format_args!("  {error:#}"));
        }
        let hidden = problems.len().saturating_sub(SHOWN);
        let mut row = Row {
            served,
            seen: 0,
            attributed: program.knows_callers().then_some(0),
            problems: Vec::new(),
        };
        problems.truncate(SHOWN);
        if hidden > 0 {
            problems.push(format!("and {hidden} more were not served"));
        }
        row.judge(&seen, run, expected());
        row.problems.splice(0..0, problems);
        Ok(row)
    }
}

impl Row {
    /// Counts what was seen, and with whose name; `expected` are projects and paths.
    fn judge<'a>(
        &mut self,
        seen: &str,
        run: &str,
        expected: impl Iterator<Item = (&'a str, String)>,
    ) {
        let lines: BTreeMap<&str, &str> = seen
            .lines()
            .filter_map(|line| Some((path_in(line, run)?, line)))
            .collect();
        for (project, path) in expected {
            let Some(line) = lines.get(path.as_str()) else {
                self.problem(format!("the interceptor did not see {path}"));
                continue;
            };
            self.seen += 1;
            let Some(attributed) = &mut self.attributed else {
                continue;
            };
            // Compose 1 writes `_1`.
            let caller = |word: &str| word.replace('_', "-") == format!("{project}-web-1");
            if line.split(' ').any(caller) {
                *attributed += 1;
            } else {
                self.problem(format!("not attributed: {line}"));
            }
        }
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < SHOWN {
            self.problems.push(problem);
        }
    }
}

/// `/RUN/PROJECT/NUMBER/` in a line that tells of such a request.
fn path_in<'a>(line: &'a str, run: &str) -> Option<&'a str> {
    let from = line.find(&format!("/{run}/"))?;
    let path = line[from..].split(' ').next()?;
    Some(path)
}

fn text<'a>(status: &'a Value, name: &str) -> Result<&'a str> {
    match status[name].as_str() {
        Some(text) => Ok(text),
        None => bail!("`dockline status --json` has no {name}"),
    }
}
