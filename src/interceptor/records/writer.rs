//! Writes down what the recorder was told.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Lines, Record, Recorder};
use crate::interceptor::bodies::Budget;
use crate::interceptor::har::Har;

/// Records that the writer has yet to take.
const QUEUE: usize = 1_024;
/// For whoever reads the lines to take the last ones.
const PARTING: Duration = Duration::from_millis(500);

/// Both ends of the queue; `served`: that nothing more comes.
pub(in crate::interceptor) fn open(
    lines: Lines,
    har: Option<Har>,
    served: CancellationToken,
) -> (Recorder, Writer) {
    // From exchanges to the writer.
    let (records_tx, records_rx) = mpsc::channel(QUEUE);
    let lost = Arc::new(AtomicU64::new(0));
    let recorder = Recorder {
        records: records_tx,
        lost: Arc::clone(&lost),
        budget: har.as_ref().map(|_| Budget::default()),
    };
    let writer = Writer {
        records: records_rx,
        lost,
        lines,
        har,
        served,
    };
    (recorder, writer)
}

/// See the module.
#[derive(Debug)]
pub(in crate::interceptor) struct Writer {
    records: mpsc::Receiver<Record>,
    lost: Arc<AtomicU64>,
    lines: Lines,
    har: Option<Har>,
    served: CancellationToken,
}

impl Writer {
    /// Writes until every recorder is gone.
    pub(in crate::interceptor) async fn run(mut self) -> io::Result<()> {
        let mut out: Option<Box<dyn AsyncWrite + Send + Unpin>> = match self.lines {
            Lines::Text | Lines::Json => Some(Box::new(tokio::io::stdout())),
            Lines::Aside => Some(Box::new(tokio::io::stderr())),
            Lines::None => None,
        };
        let mut batch = Vec::new();
        while self.records.recv_many(&mut batch, QUEUE).await > 0 {
            if let Some(lines) = &mut out {
                let text: String = batch.iter().map(|r| self.lines.line(r) + "\n").collect();
                let written = async {
                    lines.write_all(text.as_bytes()).await?;
                    lines.flush().await
                };
                let too_late = async {
                    self.served.cancelled().await;
                    sleep(PARTING).await;
                };
                let taken = tokio::select! {
                    written = written => written.is_ok(),
                    () = too_late => false,
                };
                // Nobody reads them any more, and that is nobody's fault.
                out = out.filter(|_| taken);
            }
            let records = std::mem::take(&mut batch);
            if let Some(har) = self.har.take() {
                self.har = har.append(records).await;
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                warn!(lost, "requests came faster than they could be written down");
            }
        }
        Ok(())
    }
}
