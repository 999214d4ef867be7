//! SIGHUP: what can be changed while the service runs is read again.

use std::io::{IsTerminal as _, stderr, stdin, stdout};

use tokio_util::sync::CancellationToken;

use super::logging::Log;
use crate::cli::output;
use crate::cli::settings::Source;
use crate::signal::Hangups;

/// What is taken over.
const CHANGEABLE: &str = "log";

/// Goes on until nobody waits for it. Where somebody looks on, a hang-up says that the terminal is gone, and ends the
/// service in order.
pub(super) async fn on_hangup(source: &Source, log: &Log, stop: &CancellationToken) {
    let is_watched = stdin().is_terminal() || stdout().is_terminal() || stderr().is_terminal();
    let mut hangups = Hangups::new();
    loop {
        hangups.next().await;
        if is_watched {
            stop.cancel();
        } else {
            again(source, log);
        }
    }
}

fn again(source: &Source, log: &Log) {
    let read = source.again();
    let taken = read.and_then(|(flags, changed)| {
        log.refilter(flags.log())?;
        Ok((flags, changed))
    });
    let (flags, mut changed) = match taken {
        Ok(taken) => taken,
        Err(failure) => {
            let problem = output::chain(&failure);
            return tracing::warn!(error = %problem, "settings not read again; they stay as they are");
        }
    };
    tracing::info!(log = flags.log(), "settings read again");
    changed.retain(|key| key != CHANGEABLE);
    if !changed.is_empty() {
        let settings = changed.join(", ");
        tracing::warn!(%settings, "changed in the file; dockline has to be started again for them");
    }
}
