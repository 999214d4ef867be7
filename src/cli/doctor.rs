//! `dockline doctor`: goes the whole way, step by step, and says where it ends, why, and what to do.
//!
//! Nothing is changed but by `--fix`. What the running service says of itself is judged in `reported`, what is on the ports is
//! asked in `listeners`, and what the engine has is looked at in `engine`.

mod authority;
mod engine;
mod finding;
mod listeners;
mod reported;

use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::{Failure, Global, clean, output};
use crate::control::client;
use crate::control::report::shape::Status;
use crate::docker::{Client, Endpoint};
use finding::{Finding, Outcome};

/// Flags of `doctor`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// Remove what this instance left behind, if it does not run and intercepts no container; nothing else is ever changed
    #[arg(long)]
    fix: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// All findings, for programs.
#[derive(Serialize)]
struct Report<'a> {
    healthy: bool,
    checks: &'a [Finding],
}

/// Findings as they are made: people see each at once.
struct Notebook {
    findings: Vec<Finding>,
    shown: bool,
    since: Instant,
}

impl Notebook {
    fn note(&mut self, finding: Finding) {
        let finding = finding.after(self.since.elapsed());
        if self.shown {
            output::data(&finding.to_string());
        }
        self.findings.push(finding);
        self.since = Instant::now();
    }
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    let mut book = Notebook {
        findings: Vec::new(),
        shown: !flags.json,
        since: Instant::now(),
    };
    let client = look_at_engine(global, &mut book).await;
    let status = look_at_service(global, &mut book).await;
    if let Some((client, endpoint)) = &client {
        look_at_leftovers(global, client, flags.fix, &mut book).await;
        book.note(engine::builder(endpoint).await);
    }
    book.note(engine::compose().await);
    if let Some(status) = &status {
        book.note(reported::shell(status, &Global::surroundings().variables));
    }
    let failed = |check: &str| {
        let mut failures = book
            .findings
            .iter()
            .filter(|f| f.outcome == Outcome::Failure);
        failures.any(|f| check.is_empty() || f.check == check)
    };
    if flags.json {
        output::json(&Report {
            healthy: !failed(""),
            checks: &book.findings,
        })?;
    }
    let what = || anyhow::anyhow!("something is wrong; what to do is said above");
    match () {
        () if failed("engine") => Err(Failure::NoEngine(what())),
        () if failed("service") => Err(Failure::NotRunning(client::Error::NotRunning(
            global.control_socket(),
        ))),
        () if failed("") => Err(Failure::Other(what())),
        () => Ok(()),
    }
}

/// The engine, if it answers.
async fn look_at_engine(global: &Global, book: &mut Notebook) -> Option<(Client, Endpoint)> {
    let endpoint = match global.endpoint() {
        Ok(endpoint) => endpoint,
        Err(failure) => {
            let remedy = "name the engine with --host unix:///PATH, or unset what is wrong";
            book.note(Finding::failure("engine", output::chain(&failure), remedy));
            return None;
        }
    };
    let client = Client::new(endpoint.clone());
    let others = crate::docker::endpoint::present(&endpoint, &Global::surroundings());
    let finding = engine::answers(&client, &endpoint, &others).await;
    let there = finding.outcome != Outcome::Failure;
    book.note(finding);
    there.then_some((client, endpoint))
}

/// What the service says of itself and what its ports say, if it runs.
async fn look_at_service(global: &Global, book: &mut Notebook) -> Option<Status> {
    let status = client::get::<Status>(&global.control_socket(), "/v1/status", &[]).await;
    let status = match status {
        Ok(status) => status,
        Err(error) => {
            let remedy = "start it in another terminal: dockline serve";
            book.note(Finding::failure("service", error, remedy));
            for finding in listeners::free(&global.instance) {
                book.note(finding);
            }
            return None;
        }
    };
    let engine = global.endpoint().map(|endpoint| endpoint.to_string());
    book.note(reported::service(&status, engine.ok().as_deref()));
    book.note(reported::map(&status));
    book.note(reported::tunnel(&status));
    book.note(reported::networks(&status));
    book.note(reported::link(&status));
    book.note(listeners::dns(&status).await);
    book.note(listeners::gateway(&status).await);
    book.note(listeners::http(&status).await);
    book.note(listeners::api_proxy(&status).await);
    book.note(reported::interceptor(&status));
    for finding in authority::all(&status).await {
        book.note(finding);
    }
    book.note(reported::trust(&status));
    Some(status)
}

async fn look_at_leftovers(global: &Global, client: &Client, fix: bool, book: &mut Notebook) {
    let left = match engine::leftovers(client).await {
        Ok(left) => left,
        Err(error) => {
            let remedy = "see whether the engine is well: docker ps";
            return book.note(Finding::failure("leftovers", error, remedy));
        }
    };
    // Another one's may be somebody else's, who runs it where this command does not look.
    if !fix || !left.stale.contains(&global.instance) {
        return book.note(engine::told_of(&left));
    }
    let instance = &global.instance;
    book.note(match clean::own_things(global).await {
        Ok(()) => Finding::ok("leftovers", format!("of instance {instance}: removed")),
        Err(failure) => {
            let remedy = format!("dockline --instance {instance} clean");
            Finding::failure("leftovers", output::chain(&failure), remedy)
        }
    });
}
