//! SIGINT and SIGTERM, on Windows Ctrl-C and Ctrl-Break: the first asks for an orderly end, the second for an end.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
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

/// Hang-ups: the terminal is gone, or somebody says so (SIGHUP). There are none on Windows.
#[derive(Debug)]
pub struct Hangups {
    #[cfg(unix)]
    signals: Option<Signal>,
}

impl Hangups {
    /// From here on, they do not end the program.
    #[cfg(unix)]
    pub fn new() -> Self {
        Self {
            signals: signal(SignalKind::hangup()).ok(),
        }
    }

    /// None will come.
    #[cfg(not(unix))]
    pub fn new() -> Self {
        Self {}
    }

    /// Waits for one.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

impl Default for Hangups {
    fn default() -> Self {
        Self::new()
    }
}
