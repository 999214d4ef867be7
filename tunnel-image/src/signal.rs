//! The signals that end the tunnel. The kernel gives process 1 no default ones: without this, `docker stop` would wait for
//! its timeout and kill.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// How the tunnel is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Soon: what is open gets a moment.
    Stop,
    /// When the last of what is open has ended, however long that takes: a successor takes who comes from now on.
    Retire,
}

/// SIGTERM and SIGINT to stop, SIGUSR1 to retire, in the order they arrive.
///
/// To retire is a signal and no message of the link, because the two sides speak different versions of that when it is needed.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    retire: Signal,
}

impl Signals {
    /// From now on the signals are caught.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            retire: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.retire.recv() => Order::Retire,
        }
    }

    /// Waits for the next one that says to stop.
    pub(crate) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
