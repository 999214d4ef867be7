//! The tasks of a shell: counted, finished with patience when service ends, and never outliving who serves.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, debug};

/// Tasks that somebody waits for in the end.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: TaskTracker,
    /// No more patience: every task ends at once.
    cut: CancellationToken,
}

impl Tasks {
    /// Starts a task, in the span of who starts it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Boxed, because each of the layers around it would have room for it twice.
        let task = Box::pin(task.in_current_span());
        let task = self.cut.clone().run_until_cancelled_owned(task);
        self.running.spawn(task);
    }

    /// Has a task done on another runtime. Nothing if it was cut off.
    pub(crate) async fn done_on<T: Send + 'static>(
        &self,
        runtime: &Handle,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let cut = self.cut.clone();
        let task = cut.run_until_cancelled_owned(task.in_current_span());
        let done = self.running.spawn_on(task, runtime).await;
        // A panic has been told of where it was.
        done.ok().flatten()
    }

    /// Ends all tasks when it is dropped, so that whoever drops the future that serves leaves none behind.
    pub(crate) fn guard(&self) -> DropGuard {
        self.cut.clone().drop_guard()
    }

    /// Waits for what is under way, for a grace period at most; then cuts it off.
    pub(crate) async fn finish(&self, grace: Duration) {
        self.running.close();
        if timeout(grace, self.running.wait()).await.is_err() {
            debug!(open = self.running.len(), "what is under way is cut off");
            self.cut.cancel();
            self.running.wait().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_has_its_time_and_no_more() {
        let (tasks, done) = (Tasks::default(), Arc::new(AtomicBool::new(false)));
        let finished = Arc::clone(&done);
        tasks.spawn(async move {
            sleep(Duration::from_secs(2)).await;
            finished.store(true, Ordering::Relaxed);
        });
        tasks.spawn(pending());
        let begun = Instant::now();
        tasks.finish(Duration::from_secs(3)).await;
        assert!(done.load(Ordering::Relaxed));
        assert_eq!(begun.elapsed().as_secs(), 3);
    }

    #[tokio::test]
    async fn dropping_the_guard_ends_all() {
        let tasks = Tasks::default();
        tasks.spawn(pending());
        drop(tasks.guard());
        tasks.running.close();
        tasks.running.wait().await;
    }
}
