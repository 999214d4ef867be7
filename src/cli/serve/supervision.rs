//! What a supervisor like systemd is told, if there is one that asks (`sd_notify(3)`): that the service takes connections,
//! that it lives, and that it ends.

#[cfg(target_os = "linux")]
use sd_notify::{NotifyState, watchdog_enabled};
use tokio_util::sync::CancellationToken;

/// Tells it all, for ever.
#[cfg(target_os = "linux")]
pub(super) async fn tell(stop: &CancellationToken) {
    say(NotifyState::Ready);
    let watchdog = async {
        let Some(patience) = watchdog_enabled() else {
            return std::future::pending().await;
        };
        // Twice as often as it has to be: one that comes late does not end the service.
        let mut beat = tokio::time::interval(patience / 2);
        loop {
            beat.tick().await;
            say(NotifyState::Watchdog);
        }
    };
    tokio::select! {
        () = stop.cancelled() => say(NotifyState::Stopping),
        () = watchdog => {}
    }
    std::future::pending::<()>().await;
}

#[cfg(target_os = "linux")]
fn say(news: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[news]) {
        tracing::debug!(%error, "the supervisor was not told");
    }
}

/// There is none that asks.
#[cfg(not(target_os = "linux"))]
pub(super) async fn tell(_stop: &CancellationToken) {
    std::future::pending().await
}
