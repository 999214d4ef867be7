//! What `attach`, `detach` and `clean` have in common: containers are made anew, a few at a time, and each is told.

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Failure, Global, output};
use crate::core::recreate::difference::Difference;
use crate::docker::Client;
use crate::recreate::{Error, Recreation};
use crate::runtime_dir::{self, Lock};
use crate::signal;

/// What became of a container, for people and programs.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) name: String,
    /// Whether it was made anew.
    pub(super) done: bool,
    /// What is different, or would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) difference: Option<Difference>,
    /// What went wrong, or why there was nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip)]
    pub(super) failure: Option<Failure>,
}

impl Outcome {
    pub(super) fn done(name: &str, difference: Difference) -> Self {
        Self {
            name: name.to_owned(),
            done: true,
            difference: Some(difference),
            reason: None,
            failure: None,
        }
    }

    pub(super) fn needless(name: &str, reason: &str) -> Self {
        Self {
            name: name.to_owned(),
            done: false,
            difference: None,
            reason: Some(reason.to_owned()),
            failure: None,
        }
    }

    pub(super) fn failed(name: &str, failure: Failure) -> Self {
        Self {
            name: name.to_owned(),
            done: false,
            difference: None,
            reason: Some(output::chain(&failure)),
            failure: Some(failure),
        }
    }
}

/// Containers that are made anew at a time: most of it is waiting for programs to end.
const AT_A_TIME: usize = 8;

/// Several at a time, until somebody has enough of it (SIGINT, SIGTERM): what was begun is brought to an end then, and
/// the rest is left. Whatever is named twice is made anew once.
pub(super) async fn each(
    engine: &Client,
    references: &[String],
    make: impl AsyncFn(&str, &CancellationToken) -> Result<Outcome, Failure>,
) -> Vec<Outcome> {
    let enough = CancellationToken::new();
    let (make, enough) = (&make, &enough);
    let outcomes = stream::iter(distinct(engine, references).await)
        .map(async |reference| {
            let outcome = if enough.is_cancelled() {
                Err(Failure::Interrupted)
            } else {
                make(reference, enough).await
            };
            outcome.unwrap_or_else(|failure| Outcome::failed(reference, failure))
        })
        .buffered(AT_A_TIME)
        .collect();
    let heard = async {
        // Where no signal can be waited for, none asks for an end; and the second changes nothing.
        let _ = signal::watch(enough.clone()).await;
        pending().await
    };
    tokio::select! {
        outcomes = outcomes => outcomes,
        outcomes = heard => outcomes,
    }
}

/// One reference for each container. What leads to none is kept, for its error to be told.
async fn distinct<'a>(engine: &Client, references: &'a [String]) -> Vec<&'a str> {
    let mut ids = BTreeSet::new();
    let mut distinct = Vec::new();
    for reference in references {
        let found = engine.inspect_whole(reference).await.ok().flatten();
        if found.is_none_or(|found| ids.insert(found["Id"].to_string())) {
            distinct.push(reference.as_str());
        }
    }
    distinct
}

/// For whoever else makes containers anew to be through.
const TURN: Duration = Duration::from_secs(60);
/// How often it is looked whether they are.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Keeps other commands, and the service, from making containers of the instance anew at the same time; waits for its
/// turn.
pub(super) async fn alone(global: &Global) -> Result<Lock, Failure> {
    let socket = global.control_socket();
    let folder = socket.parent().unwrap_or(&socket);
    let give_up = Instant::now() + TURN;
    loop {
        match runtime_dir::claim_recreation(folder, &global.instance) {
            Err(runtime_dir::Error::Recreating(_)) if Instant::now() < give_up => {
                sleep(LOOK_AGAIN).await;
            }
            claimed => return Ok(claimed.map_err(anyhow::Error::from)?),
        }
    }
}

/// What `attach` and `detach` work with.
pub(super) struct Ready<'a> {
    pub(super) recreation: Recreation<'a>,
    /// Held to the end, so that nobody else does the same meanwhile.
    _alone: Option<Lock>,
}

/// Sees to it that nobody else makes containers anew, and that none is left half-way; not for one who only looks.
pub(super) async fn ready<'a>(
    global: &'a Global,
    engine: &'a Client,
    starter: &'a Client,
    dry_run: bool,
) -> Result<Ready<'a>, Failure> {
    engine.negotiate().await?;
    let recreation = Recreation {
        engine,
        starter,
        instance: &global.instance,
        progress: &progress,
    };
    let mut held = None;
    if !dry_run {
        held = Some(alone(global).await?);
        settle(&recreation).await?;
    }
    Ok(Ready {
        recreation,
        _alone: held,
    })
}

/// Says what is being done.
pub(super) fn progress(name: &str, what: &str) {
    output::note(&format!("{name}: {what}"));
}

/// Tells what became of all of them; fails if one of them did.
pub(super) fn report(
    outcomes: Vec<Outcome>,
    done: &str,
    json: bool,
    dry_run: bool,
) -> Result<(), Failure> {
    if json {
        output::json(&outcomes)?;
    } else {
        for outcome in &outcomes {
            let name = &outcome.name;
            match (&outcome.difference, &outcome.reason) {
                (Some(difference), _) if dry_run => {
                    output::data(name);
                    for line in difference.lines() {
                        output::data(&format!("  {line}"));
                    }
                }
                (Some(_), _) => output::data(&format!("{done} {name}")),
                (None, Some(reason)) if outcome.failure.is_none() => {
                    output::note(&format!("{name}: {reason}"));
                }
                (None, _) => {}
            }
        }
    }
    let count = outcomes.len();
    let mut failures = outcomes
        .into_iter()
        .filter_map(|o| Some((o.name, o.failure?)));
    let Some((name, first)) = failures.next() else {
        return Ok(());
    };
    for (name, failure) in failures {
        output::note(&format!("{name}: {}", output::chain(&failure)));
    }
    if count > 1 {
        output::note(&format!("{name} was not {done}"));
    }
    Err(first)
}

/// Brings to an end what was left half-way, and says so.
pub(super) async fn settle(recreation: &Recreation<'_>) -> Result<(), Error> {
    for name in recreation.settle_all().await? {
        progress(&name, "what was left half-way is settled");
    }
    Ok(())
}

/// Whether the engine that a running service has is the one that this command means.
pub(super) fn refuse_another_engine(global: &Global, engine: &str) -> Result<(), Failure> {
    let meant = global.endpoint()?.to_string();
    if meant == engine {
        return Ok(());
    }
    Err(Failure::Usage(anyhow::anyhow!(
        "the running service is connected to {engine}, this command to {meant}; name the same with --host"
    )))
}
