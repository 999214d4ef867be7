//! What is done about each call: what passes, what is changed, what waits, what is refused.
//!
//! What cannot be found out is not held against the client: its call passes, and the log says why.

mod commit;
mod create;
mod network;
mod start;

use std::sync::Arc;

use tracing::debug;

use super::Shared;
use super::classic::{self, Reshape};
use super::exchange::{Rewrite, Rule};
use super::head::RequestHead;
use super::leases::Held;
use crate::core::api::{ApiCall, parameter};
use crate::core::membership;
use crate::core::rewrite::list::{Shown, hashes_in};
use crate::core::rewrite::network::inspect;

/// How a call goes on.
pub(super) struct Forward {
    pub(super) change: Change,
    /// What is done with its answer.
    pub(super) rule: Rule,
    /// What is asked of the tunnel until the call has been answered.
    pub(super) held: Option<Held>,
}

/// What of the request is changed.
pub(super) enum Change {
    Nothing,
    Body(Vec<u8>),
    Target(String),
    /// What is built of a context, for another target.
    Context(String, Box<Reshape>),
}

/// A call that does not go on.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: String,
}

impl Forward {
    pub(super) fn as_it_came() -> Self {
        Self::by(Rule::AsItCame)
    }

    pub(super) fn by(rule: Rule) -> Self {
        Self {
            change: Change::Nothing,
            rule,
            held: None,
        }
    }
}

/// Decides about a call. `body`: what the request carries, where it is [read whole](ApiCall::has_short_body).
pub(super) async fn decide(
    shared: &Arc<Shared>,
    call: &ApiCall,
    head: &RequestHead,
    body: Option<Vec<u8>>,
) -> Result<Forward, Refusal> {
    match call {
        ApiCall::Ping => {
            let instance = shared.instance.to_string();
            Ok(Forward::by(Rule::Line("Dockline-Instance", instance)))
        }
        ApiCall::ListContainers => Ok(list(shared, head)),
        ApiCall::InspectContainer(_) => {
            let shown = shown(shared);
            Ok(Forward::by(body_rule(move |answer| shown.inspect(answer))))
        }
        ApiCall::InspectNetwork(_) => {
            let map = shared.map();
            let hidden = move |member: &str| membership::is_tunnel(&map, member);
            Ok(Forward::by(body_rule(move |answer| {
                inspect(answer, &hidden)
            })))
        }
        ApiCall::StopContainer(reference) => Ok(stop(shared, reference)),
        ApiCall::PreviewContainer
        | ApiCall::Commit
        | ApiCall::BuildKit
        | ApiCall::Hijack
        | ApiCall::Exec(_)
        | ApiCall::Other => Ok(Forward::as_it_came()),
        ApiCall::Build => {
            let build = classic::decide(Arc::clone(shared), head.target.clone(), head.is_old());
            elsewhere(shared, build).await
        }
        ApiCall::CreateContainer => {
            let (target, body) = (head.target.clone(), body.unwrap_or_default());
            elsewhere(shared, create::decide(Arc::clone(shared), target, body)).await
        }
        ApiCall::StartContainer(reference) => {
            let started = start::decide(Arc::clone(shared), reference.clone());
            elsewhere(shared, started).await
        }
        ApiCall::RemoveNetwork(reference) => {
            let removed = network::remove(Arc::clone(shared), reference.clone());
            elsewhere(shared, removed).await
        }
        ApiCall::PruneNetworks => elsewhere(shared, network::prune(Arc::clone(shared))).await,
    }
}

/// What dockline itself says to a call, with the status; nothing if the call is to go on. `body`: as for [`decide`].
pub(super) async fn answer(
    shared: &Arc<Shared>,
    call: &ApiCall,
    head: &RequestHead,
    body: &[u8],
) -> Result<Option<(u16, Vec<u8>)>, Refusal> {
    let parts = || (Arc::clone(shared), head.target.clone(), body.to_vec());
    match call {
        ApiCall::PreviewContainer => {
            let (own, target, body_too) = parts();
            let decision = create::decide(own, target, body_too);
            let shown = match elsewhere(shared, decision).await?.change {
                Change::Body(changed) => changed,
                Change::Nothing | Change::Target(_) | Change::Context(..) => body.to_vec(),
            };
            Ok(Some((200, shown)))
        }
        ApiCall::Commit => {
            let (own, target, body) = parts();
            let made = elsewhere(shared, commit::answer(own, target, body)).await?;
            Ok(made.map(|made| (201, made)))
        }
        _ => Ok(None),
    }
}

/// Decides about a call for which the engine is to be asked, or the tunnel has something to do: not where bytes are passed.
async fn elsewhere<T: Send + 'static>(
    shared: &Shared,
    decision: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let decided = shared.elsewhere(decision).await;
    decided.unwrap_or_else(|| {
        Err(Refusal {
            status: 503,
            reason: "dockline: the service is ending".to_owned(),
        })
    })
}

/// The tunnel stays for a container's last requests: nobody who stops it here is in the way of what comes next here.
fn stop(shared: &Shared, reference: &str) -> Forward {
    let map = shared.map();
    let container = map.find_container(reference);
    Forward {
        held: container.map(|known| Held::stopping(&shared.leases, known.container.id.clone())),
        ..Forward::as_it_came()
    }
}

fn shown(shared: &Shared) -> Shown {
    Shown::new(shared.instance.clone(), shared.foreign_allowed)
}

fn list(shared: &Shared, head: &RequestHead) -> Forward {
    let mut shown = shown(shared);
    let mut change = Change::Nothing;
    let filters = parameter(&head.target, "filters");
    if let Some((filters, hashes)) = filters.and_then(|filters| hashes_in(&filters)) {
        shown.hashes = hashes;
        change = match crate::core::api::with_parameter(&head.target, "filters", &filters) {
            Some(target) => Change::Target(target),
            None => Change::Nothing,
        };
    }
    Forward {
        change,
        rule: body_rule(move |answer| shown.list(answer)),
        held: None,
    }
}

/// What is not understood passes as it is.
fn body_rule(
    rewrite: impl Fn(&[u8]) -> serde_json::Result<Option<Vec<u8>>> + Send + Sync + 'static,
) -> Rule {
    let rewrite: Rewrite = Arc::new(move |answer| {
        rewrite(answer).unwrap_or_else(|error| {
            debug!(%error, "an answer of the engine is not understood; it passes as it is");
            None
        })
    });
    Rule::Body(rewrite)
}
