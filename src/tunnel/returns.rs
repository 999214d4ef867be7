//! The engine's returns: whatever failed while it was away is worth another attempt at once.

use tokio::sync::watch;

use crate::core::engine_state::EngineState;

/// See the module.
#[derive(Debug)]
pub(super) struct Returns {
    engine: watch::Receiver<EngineState>,
    /// The listing that is known of.
    seen: u64,
}

impl Returns {
    /// Those after what `engine` says now.
    pub(super) fn of(engine: &watch::Receiver<EngineState>) -> Self {
        let engine = engine.clone();
        let seen = engine.borrow().resyncs;
        Self { engine, seen }
    }

    /// Waits until the engine is back, and everything has been looked at; for ever, when nobody looks any more.
    pub(super) async fn next(&mut self) {
        let seen = self.seen;
        let back = |state: &EngineState| state.synced && state.resyncs != seen;
        match self.engine.wait_for(back).await.map(|state| state.resyncs) {
            Ok(resyncs) => self.seen = resyncs,
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn state(resyncs: u64, synced: bool) -> EngineState {
        EngineState {
            synced,
            resyncs,
            ..EngineState::default()
        }
    }

    #[tokio::test]
    async fn each_return_counts_once_and_not_before_everything_was_looked_at() {
        let (engine, seen) = watch::channel(state(1, true));
        let mut returns = Returns::of(&seen);
        for (now, is_return) in [
            (state(1, true), false),
            (state(1, false), false),
            (state(2, false), false),
            (state(2, true), true),
            (state(2, true), false),
            (state(3, false), false),
            (state(4, true), true),
        ] {
            engine.send_replace(now.clone());
            let returned = returns.next().now_or_never().is_some();
            assert_eq!(returned, is_return, "{now:?}");
        }
        drop(engine);
        assert_eq!(returns.next().now_or_never(), None);
    }
}
