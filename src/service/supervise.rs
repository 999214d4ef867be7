//! What runs, and in which order it ends.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::tunnel::Leftover;

/// What runs, for as long as the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Dns,
    Gateway,
    Interceptor,
    Fetch,
    Link,
    Control,
    ApiProxy,
    Leftovers,
    Watcher,
    Tunnel,
}

impl Part {
    const ALL: [Self; 10] = [
        Self::Dns,
        Self::Gateway,
        Self::Interceptor,
        Self::Fetch,
        Self::Link,
        Self::Control,
        Self::ApiProxy,
        Self::Leftovers,
        Self::Watcher,
        Self::Tunnel,
    ];

    /// Whether it is there for others, and so ends before what it relies on.
    fn is_front(self) -> bool {
        matches!(
            self,
            Self::Dns
                | Self::Gateway
                | Self::Interceptor
                | Self::Fetch
                | Self::Link
                | Self::Control
                | Self::ApiProxy
                | Self::Leftovers
        )
    }
}

/// How a part ended.
type Ended = anyhow::Result<Option<Leftover>>;

/// All parts. What others use ends first; then what keeps it working.
pub(super) struct Parts {
    running: JoinSet<(Part, Ended)>,
    stop: CancellationToken,
    retire: CancellationToken,
}

impl Parts {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            running: JoinSet::new(),
            stop,
            retire: CancellationToken::new(),
        }
    }

    /// Starts a part, which is to end when its token says so.
    pub(super) fn add<R: Future<Output = Ended> + Send + 'static>(
        &mut self,
        part: Part,
        run: impl FnOnce(CancellationToken) -> R,
    ) {
        let token = if part.is_front() {
            &self.stop
        } else {
            &self.retire
        };
        let running = run(token.clone());
        self.running.spawn(async move { (part, running.await) });
    }

    /// Waits for the end. A part that ends before it was told to stops the others, and makes the outcome an error.
    pub(super) async fn supervise(self) -> Ended {
        let Self {
            mut running,
            stop,
            retire,
        } = self;
        let mut fronts = Part::ALL.into_iter().filter(|part| part.is_front()).count();
        let mut outcome = Ok(());
        let mut leftover = None;
        while let Some(ended) = running.join_next().await {
            let early = !stop.is_cancelled();
            stop.cancel();
            let failure = match ended {
                Ok((part, result)) => {
                    fronts = usize::saturating_sub(fronts, usize::from(part.is_front()));
                    match result {
                        Err(error) => Some(error.context(format!("{part:?} ended"))),
                        Ok(_) if early => Some(anyhow::anyhow!("{part:?} ended by itself")),
                        Ok(stays) => {
                            leftover = leftover.or(stays);
                            None
                        }
                    }
                }
                // Which one it was, is not known: none is waited for any more.
                Err(panic) => {
                    fronts = 0;
                    Some(panic.into())
                }
            };
            if fronts == 0 {
                retire.cancel();
            }
            // The first failure is the cause; what follows from it is not news.
            if let (Ok(()), Some(failure)) = (&outcome, failure) {
                outcome = Err(failure);
            }
        }
        outcome.map(|()| leftover)
    }
}
