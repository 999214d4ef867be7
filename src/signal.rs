//! SIGINT and SIGTERM, on Windows Ctrl-C and Ctrl-Break: the first asks for an orderly end, the second for an end.

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{ctrl_break, ctrl_c};
use tokio_util::sync::CancellationToken;

/// Cancels `stop` at the first signal, and returns at the second.
pub async fn watch(stop: CancellationToken) -> std::io::Result<()> {
    #[cfg(unix)]
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    #[cfg(windows)]
    let (mut interrupt, mut terminate) = (ctrl_c()?, ctrl_break()?);
    for _ in 0..2 {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    }
    Ok(())
}

/// Returns when the terminal is gone, or somebody says so (SIGHUP).
pub async fn hung_up() {
    #[cfg(unix)]
    if let Ok(mut hangup) = signal(SignalKind::hangup()) {
        hangup.recv().await;
        return;
    }
    std::future::pending::<()>().await;
}
