//! What the driver says of the tunnel.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::Error;
use super::container::Tunnel;
use crate::core::tunnel_state::{Stage, TunnelState};

/// An error with all its causes.
pub(super) fn describe(error: Error) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

/// That it could not be brought up; said once for as long as the reason stays.
pub(super) fn failed(state: &watch::Sender<TunnelState>, error: Error) {
    let problem = describe(error);
    let news = state.send_if_modified(|s| {
        let news = s.stage != Stage::Failed || s.problem.as_ref() != Some(&problem);
        *s = TunnelState {
            stage: Stage::Failed,
            problem: Some(problem.clone()),
            ..TunnelState::default()
        };
        news
    });
    if news {
        tracing::warn!(error = %problem, "tunnel not up; trying again");
    }
}

/// That it is up.
pub(super) fn running(tunnel: &Tunnel) -> TunnelState {
    TunnelState {
        stage: Stage::Running,
        container: Some(tunnel.id.clone()),
        image: Some(tunnel.image.clone()),
        socks: Some(tunnel.socks.clone()),
        engine_is_here: tunnel.engine_is_here,
        problem: tunnel.loss.clone(),
        refused: BTreeMap::new(),
    }
}
