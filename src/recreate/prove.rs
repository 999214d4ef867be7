//! Whether the one in its place does.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::Asked as _;
use super::{Error, Recreation};
use crate::core::recreate::Original;

/// A container without a health check has proved itself when it has run for so long.
const PROOF: Duration = Duration::from_secs(1);
/// A health check that said yes to the one before is given so long to say it again, at most.
const HEALTH: Duration = Duration::from_secs(300);
/// How often it is looked at meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Recreation<'_> {
    /// Waits until the one in its place is healthy, if the one before was; else until it has run for a while.
    pub(super) async fn prove(&self, original: &Original, new: &str) -> Result<(), Error> {
        let checked = original.health() == Some("healthy");
        if checked {
            (self.progress)(original.name(), "waiting for its health check");
        }
        let since = Instant::now();
        loop {
            let seen = self
                .engine
                .inspect_whole(new)
                .await
                .asked("inspect the container")?;
            let Some(seen) = seen.map(Original::new) else {
                return Err(Error::Unproved("it was removed at once".to_owned()));
            };
            if let Some(problem) = problem(&seen) {
                return Err(Error::Unproved(problem));
            }
            let proved = match seen.health().filter(|_| checked) {
                Some("unhealthy") => {
                    return Err(Error::Unproved("its health check fails".to_owned()));
                }
                Some(health) => health == "healthy",
                None => since.elapsed() >= PROOF,
            };
            if proved {
                return Ok(());
            }
            if since.elapsed() >= HEALTH {
                return Err(Error::Unproved("it is not healthy yet".to_owned()));
            }
            // Not past the end of the proof: nobody waits longer for it than it takes.
            let left = PROOF.saturating_sub(since.elapsed());
            let is_last = !left.is_zero() && !checked;
            sleep(if is_last {
                LOOK_AGAIN.min(left)
            } else {
                LOOK_AGAIN
            })
            .await;
        }
    }
}

/// Why a container that was just started will not do.
fn problem(seen: &Original) -> Option<String> {
    let inspect = seen.inspect();
    let restarted = inspect["RestartCount"]
        .as_u64()
        .is_some_and(|count| count > 0);
    let state = &inspect["State"];
    if seen.is_running() && !restarted {
        return None;
    }
    Some(if restarted {
        "it ended at once, and its restart policy started it again".to_owned()
    } else {
        format!("it ended at once, with exit code {}", state["ExitCode"])
    })
}
