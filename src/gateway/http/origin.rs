//! A connection to where requests are forwarded, kept from one request of a client to its next.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::exchange::Far;
use crate::gateway::Shared;
use crate::gateway::connections::Entry;
use crate::gateway::dial::{Call, Dialled, Way};
use crate::gateway::error::{Error, Kind};
use crate::http1::Side;
use crate::metered::{Meter, Metered};
use crate::relay::End;
use crate::traffic::Pair;

/// An open connection that speaks HTTP.
pub(super) struct Origin {
    to: To,
    pub(super) side: Side<Metered>,
    /// Keeps the connection in the table.
    entry: Entry,
}

/// Who is at the other end.
enum To {
    Origin(Box<(Call, Way)>),
    Interceptor,
}

impl Origin {
    /// Dials.
    pub(super) async fn open(call: Call, shared: &Shared) -> Result<Self, Error> {
        let Dialled { end, way, entry } = shared.dialler.dial(call.clone()).await?;
        if !end.early.is_empty() {
            return Err(Error::new(Kind::Broken, "it spoke before it was asked"));
        }
        Ok(Self {
            to: To::Origin(Box::new((call, way))),
            side: Side::new(end.stream),
            entry,
        })
    }

    /// The same over a connection to the interceptor, which `call` is to be handed on to.
    pub(super) fn interceptor(
        stream: TcpStream,
        call: &Call,
        shared: &Shared,
    ) -> Result<Self, Error> {
        let called = shared.hints.callers.enter(&stream, call.scope.clone());
        let called = called.map_err(|error| Error::new(Kind::Broken, error.to_string()))?;
        let connections = &shared.dialler.connections;
        let entry = connections.enter(call, "interceptor");
        let meter = Meter {
            talk: Arc::clone(entry.talk()),
            tunnel: None,
        };
        Ok(Self {
            to: To::Interceptor,
            side: Side::new(Metered::new(stream, meter)),
            entry: entry.with(called),
        })
    }

    /// As an exchange takes it.
    pub(super) fn far(&mut self) -> Far<'_> {
        Far {
            side: &mut self.side,
            talk: self.entry.talk(),
        }
    }

    pub(super) fn is_interceptor(&self) -> bool {
        matches!(self.to, To::Interceptor)
    }

    /// Whether the interceptor is at the other end, and can take a request now.
    pub(super) fn intercepts(&mut self) -> bool {
        self.is_interceptor() && self.side.inbound.is_quiet()
    }

    /// Whether it can take a request for `call` now.
    pub(super) fn serves(&mut self, call: &Call, shared: &Shared) -> bool {
        match &self.to {
            To::Origin(made) => {
                let (made_for, way) = &**made;
                *made_for == *call
                    && shared.dialler.permits(call, way)
                    && self.side.inbound.is_quiet()
            }
            To::Interceptor => false,
        }
    }

    /// Counts a request that `call` is about to make on it, which may be another than the one that it was opened for.
    pub(super) fn requested(&self, call: &Call, shared: &Shared) {
        let talk = self.entry.talk();
        let Pair { from, to, via } = &talk.pair;
        if *from == call.scope && *to == call.destination {
            return talk.requested();
        }
        let traffic = shared.dialler.connections.traffic();
        traffic
            .between(&call.scope, &call.destination, via)
            .requested();
    }

    /// What keeps it in the table; it is closed.
    pub(super) fn into_entry(self) -> Entry {
        self.entry
    }

    /// The bare connection, with what keeps it in the table.
    pub(super) fn into_end(self) -> (End, Entry) {
        let (stream, early) = self.side.into_parts();
        (End { stream, early }, self.entry)
    }
}

/// Waits until a connection that nobody uses now has ended, or has said something unasked. For ever, if there is none.
pub(super) async fn ended(kept: &mut Option<Origin>) {
    match kept {
        // Either way, it will take no more requests.
        Some(kept) => drop(kept.side.inbound.begins().await),
        None => std::future::pending().await,
    }
}
