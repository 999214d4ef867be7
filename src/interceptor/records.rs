//! What is written down of each request: a line for people, an entry of the HAR file.
//!
//! An exchange is over when the last of its bodies is: then its record goes to one writer, over a queue that has an end. What
//! passes never waits for the writer; what it cannot take is counted and left out.

mod lines;
mod messages;
mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hyper::{HeaderMap, Method, StatusCode, Version};
use tokio::sync::mpsc;

pub use lines::Lines;
pub(super) use lines::{seconds, time};
pub(super) use messages::{Mark, Messages};
pub(super) use writer::open;

use super::bodies::{Budget, Kept};
use crate::core::who::Who;

/// One direction of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// One half of an exchange.
#[derive(Debug, Default)]
pub(super) struct Half {
    pub(super) version: Version,
    /// Empty unless they are wanted.
    pub(super) headers: HeaderMap,
    pub(super) body: Kept,
    /// What the body is made of, on a WebSocket.
    pub(super) messages: Option<Messages>,
}

/// Everything that is written down of one request.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) who: Arc<Who>,
    pub(super) began: SystemTime,
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) request: Half,
    pub(super) response: Half,
    /// Nothing if the client left before there was an answer.
    pub(super) status: Option<StatusCode>,
    /// What dockline itself had to say.
    pub(super) remark: Option<String>,
    /// Until the answer's head was there.
    pub(super) waited: Duration,
    /// Until the end.
    pub(super) took: Duration,
}

/// An exchange that is under way. Its record is written when nobody holds it any more.
#[derive(Debug)]
pub(super) struct Open {
    recorder: Recorder,
    began: Instant,
    record: Mutex<Option<Record>>,
}

/// Takes records.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    records: mpsc::Sender<Record>,
    lost: Arc<AtomicU64>,
    /// Of bodies and headers, if anybody wants them.
    budget: Option<Budget>,
}

/// What is known when a request has come.
pub(super) struct Begin<'a> {
    pub(super) who: &'a Arc<Who>,
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) version: Version,
    pub(super) headers: &'a HeaderMap,
}

impl Recorder {
    /// Begins a record.
    pub(super) fn begin(&self, begin: Begin<'_>) -> Arc<Open> {
        let record = Record {
            who: Arc::clone(begin.who),
            began: SystemTime::now(),
            method: begin.method,
            url: begin.url,
            request: self.half(begin.version, begin.headers),
            response: Half::default(),
            status: None,
            remark: None,
            waited: Duration::ZERO,
            took: Duration::ZERO,
        };
        Arc::new(Open {
            recorder: self.clone(),
            began: Instant::now(),
            record: Mutex::new(Some(record)),
        })
    }

    /// A record of nothing: what it is told, nobody hears of.
    pub(super) fn silent(&self) -> Arc<Open> {
        Arc::new(Open {
            recorder: self.clone(),
            began: Instant::now(),
            record: Mutex::new(None),
        })
    }

    fn half(&self, version: Version, headers: &HeaderMap) -> Half {
        let wanted = self.budget.as_ref().map(|_| headers.clone());
        Half {
            version,
            headers: wanted.unwrap_or_default(),
            body: Kept::within(self.budget.clone()),
            messages: None,
        }
    }
}

impl Open {
    fn record(&self) -> MutexGuard<'_, Option<Record>> {
        // Whole even if a holder panicked: nothing in it depends on anything else.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece of a body has passed.
    pub(super) fn passes(&self, side: Side, data: &[u8]) {
        if let Some(record) = self.record().as_mut() {
            let half = match side {
                Side::Request => &mut record.request,
                Side::Response => &mut record.response,
            };
            match &mut half.messages {
                Some(messages) => messages.push(data, self.began.elapsed(), &mut half.body),
                None => half.body.push(data),
            }
        }
    }

    /// From here on both sides speak something else than HTTP. Only of a WebSocket anything is kept.
    pub(super) fn switched(&self, to_websocket: bool) {
        let budget = self.recorder.budget.clone().filter(|_| to_websocket);
        if let Some(record) = self.record().as_mut() {
            for half in [&mut record.request, &mut record.response] {
                half.body = Kept::within(budget.clone());
                half.messages = budget.as_ref().map(|_| Messages::default());
            }
        }
    }

    /// The answer's head has come.
    pub(super) fn answered(&self, status: StatusCode, version: Version, headers: &HeaderMap) {
        if let Some(record) = self.record().as_mut() {
            record.status = Some(status);
            record.response = self.recorder.half(version, headers);
            record.waited = self.began.elapsed();
        }
    }

    /// A body has ended before its end.
    pub(super) fn broke(&self, side: Side, error: &hyper::Error) {
        let what = match side {
            Side::Request => "request",
            Side::Response => "answer",
        };
        let error = anyhow::Chain::new(error).map(ToString::to_string);
        let reason = error.collect::<Vec<_>>().join(": ");
        self.remark(format!("the {what} broke off: {reason}"));
    }

    /// dockline has something to say of it.
    pub(super) fn remark(&self, text: impl Into<String>) {
        if let Some(record) = self.record().as_mut() {
            record.remark = Some(text.into());
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(mut record) = self.record().take() else {
            return;
        };
        record.took = self.began.elapsed();
        if record.status.is_none() {
            record.waited = record.took;
        }
        if self.recorder.records.try_send(record).is_err() {
            self.recorder.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
