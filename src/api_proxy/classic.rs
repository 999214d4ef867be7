//! `POST /build`, for the classic builder or for BuildKit: the context passes as a stream, with another Dockerfile in it.
//!
//! ```text
//! client ─► unpacked ─► core::context ─► engine       the archive, of which the Dockerfile alone is held back
//!                            │ core::dockerfile
//!                          Build
//!                            │ which steps are ours
//! client ◄─ core::dockerfile::output ◄── engine       the user's own steps, by their own numbers
//! ```
//!
//! Whatever is not as expected goes on as the client sent it, and both dockline's log and the build's own output say so.

mod answer;
mod body;
mod files;

use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

pub(super) use body::{Heads, Reshape};
pub(super) use files::files_of;

use super::build::Building;
use super::calls::{Change, Forward, Refusal};
use super::exchange::Rule;
use super::{Shared, entry};
use crate::core::dockerfile::query::{BuildCall, Exempt, intercepted};
use crate::core::dockerfile::{PROXIES, Source, StageInjection, Steps};
use crate::core::inject::{Attached, Authority, Entry, Injection, Undo, environment};
use crate::docker;

/// The folder in a context that has the files, where no image can.
const FOLDER: &str = ".dockline-build/";

/// Why a build is not intercepted.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error(transparent)]
    Exempt(#[from] Exempt),
    #[error("its query is not understood")]
    Query,
    #[error("its client speaks HTTP/1.0")]
    Old,
    #[error(transparent)]
    Entry(#[from] entry::Obstacle),
    #[error("the engine has no default bridge, where the tunnel would be reached")]
    NoBridge,
    #[error("the files by which its steps would trust could not be put into an image: {0}")]
    Files(#[source] docker::Error),
}

/// A build under way: what its request found out, and its answer needs to know.
#[derive(Debug)]
pub(super) struct Build {
    quiet: bool,
    found: Mutex<Found>,
    /// As long as it is there, callers whom nobody knows are builds.
    _building: Option<Building>,
}

#[derive(Clone, Debug, Default)]
struct Found {
    /// The steps of ours.
    steps: Arc<Steps>,
    /// Why it is not intercepted.
    warning: Option<String>,
}

impl Build {
    fn new(quiet: bool, building: Option<Building>) -> Self {
        Self {
            quiet,
            found: Mutex::default(),
            _building: building,
        }
    }

    fn found(&self) -> Found {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.clone()
    }

    fn has(&self, steps: Steps) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        *found = Found {
            steps: Arc::new(steps),
            warning: None,
        };
    }

    fn is_not_intercepted(&self, obstacle: &dyn std::fmt::Display) {
        warn!("a build is not intercepted: {obstacle}");
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        *found = Found {
            steps: Arc::default(),
            warning: Some(format!(
                "[Warning] dockline: this build is not intercepted: {obstacle}"
            )),
        };
    }
}

/// Decides about a build call.
pub(super) async fn decide(
    shared: Arc<Shared>,
    target: String,
    without_chunks: bool,
) -> Result<Forward, Refusal> {
    if !shared.intercept_builds {
        return Ok(Forward::as_it_came());
    }
    let call = BuildCall::read(&target);
    let quiet = call.as_ref().is_some_and(|call| call.quiet);
    let prepared = match call {
        Some(_) if without_chunks => Err(Obstacle::Old),
        Some(call) => prepare(&shared, &target, call).await,
        None => Err(Obstacle::Query),
    };
    match prepared {
        Ok(forward) => Ok(forward),
        // What has no network asks for nothing.
        Err(Obstacle::Exempt(Exempt::NoNetwork)) => Ok(Forward::as_it_came()),
        Err(obstacle) => {
            let build = Build::new(quiet, None);
            build.is_not_intercepted(&obstacle);
            Ok(Forward::by(Rule::Output(Arc::new(build))))
        }
    }
}

async fn prepare(shared: &Shared, target: &str, call: BuildCall) -> Result<Forward, Obstacle> {
    call.is_exempt()?;
    let Entry::Address(address) = entry::of(shared, Attached::DefaultBridge).await? else {
        return Err(Obstacle::NoBridge);
    };
    let target = intercepted(target, &shared.instance, address.ip()).ok_or(Obstacle::Query)?;
    let mut added = Vec::new();
    let files = if call.fetches {
        files::in_folder(shared, FOLDER).map(|archive| {
            added = archive;
            Source::Folder(FOLDER.to_owned())
        })
    } else {
        let image = files::in_image(shared).await;
        image.map_err(Obstacle::Files)?.map(Source::Image)
    };
    let injection = StageInjection {
        instance: shared.instance.clone(),
        builder: call.builder,
        syntax: call.syntax.clone(),
        variables: variables(shared, &call, files.is_some()),
        files,
        target: call.target,
    };
    let build = Arc::new(Build::new(call.quiet, Some(Building::new(&shared.builds))));
    let reshape = Reshape::new(call.dockerfile, injection, added, Arc::clone(&build));
    Ok(Forward {
        change: Change::Context(target, Box::new(reshape)),
        ..Forward::by(Rule::Output(build))
    })
}

/// The variables of a step: what its image has besides, the engine alone knows.
fn variables(shared: &Shared, call: &BuildCall, trusts: bool) -> Vec<String> {
    let exceptions = PROXIES
        .iter()
        .filter(|name| name.eq_ignore_ascii_case("no_proxy"));
    let own =
        exceptions.filter_map(|name| Some(format!("{name}={}", call.own_proxies.get(*name)?)));
    let injection = Injection {
        instance: shared.instance.clone(),
        entry: Entry::Name(shared.instance.clone()),
        authority: trusts.then(|| Authority {
            sha256: String::new(),
            volume: String::new(),
            included: std::collections::BTreeSet::new(),
        }),
        no_proxy: String::new(),
        intercept_loopback: shared.intercept_loopback,
    };
    let own: Vec<String> = own.collect();
    environment::inject(&own, &[], &injection, &mut Undo::default())
}
