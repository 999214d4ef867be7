//! Hands callers of the entry on to the interceptor, while it answers.
//!
//! What a caller may not reach is refused here, before the interceptor hears of it.

use hyper::Method;
use hyper::header::HeaderValue;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::exchange::{Then, broke, conclude, head};
use super::head::{Answer, Request};
use super::origin::Origin;
use super::reply;
use super::{Conversation, Far};
use crate::core::caller::Caller;
use crate::core::route::Destination;
use crate::core::who::who;
use crate::gateway::dial::Call;
use crate::gateway::error::{Error, Kind};
use crate::proxy::refusal::Refusal;

/// The interceptor, ready for a request.
pub(super) struct Onward {
    /// Under which authority it is to be asked.
    pub(super) authority: Destination,
    pub(super) interceptor: Origin,
    /// Whether it has been asked before, and may have given up the connection just now.
    pub(super) used: bool,
}

impl Conversation {
    /// The way of `call` to the interceptor. Nothing if it goes on without: it is no caller's, there is no interceptor, that
    /// does not answer, or it is not to hear of it.
    pub(super) async fn onward(&mut self, call: &Call) -> Result<Option<Onward>, Error> {
        if !self.has_interceptor(call) {
            return Ok(None);
        }
        let map = self.shared.dialler.map();
        if self.shared.exceptions.hold(&map, call) {
            return Ok(None);
        }
        let authority = self.shared.dialler.hand_on(call).await?;
        if let Some(mut interceptor) = self.kept.take()
            && interceptor.intercepts()
        {
            return Ok(Some(Onward {
                authority,
                interceptor,
                used: true,
            }));
        }
        let fresh = self.reach(call).await?;
        Ok(fresh.map(|interceptor| Onward {
            authority,
            interceptor,
            used: false,
        }))
    }

    /// Whether there is one for this client.
    pub(super) fn has_interceptor(&self, call: &Call) -> bool {
        self.caller.is_some() && self.shared.interceptor(&call.scope).is_some()
    }

    /// A fresh connection to the interceptor; nothing if it does not answer.
    pub(super) async fn reach(&self, call: &Call) -> Result<Option<Origin>, Error> {
        let Some(interceptor) = self.shared.interceptor(&call.scope) else {
            return Ok(None);
        };
        match interceptor.reach().await {
            Some(stream) => Origin::interceptor(stream, call, &self.shared).map(Some),
            None => Ok(None),
        }
    }

    /// Lets the interceptor make a connection; what it says against it, the caller hears.
    pub(super) async fn connect_onward(
        &mut self,
        onward: Onward,
        call: &Call,
        request: &Request,
    ) -> Result<Then, Refusal> {
        let failed = |error| reply::failed(&call.destination, &error);
        // Long enough for it to find out that there is no way.
        let patience = self.shared.deadlines.connect * 2;
        let asked = timeout(patience, self.ask(onward, call)).await;
        let late = |_| Error::new(Kind::TimedOut, "the interceptor did not answer in time");
        let (answer, mut interceptor) = asked.map_err(late).flatten().map_err(failed)?;
        if (200..300).contains(&answer.status) {
            let (end, entry) = interceptor.into_end();
            return Ok(self.hand_over(request, Far { end, entry }).await);
        }
        let recipient = self.recipient(request);
        let from = &mut interceptor.side.inbound;
        let done = conclude(from, &mut self.client.outbound, answer, recipient).await;
        self.keep(done, interceptor);
        Ok(done.then)
    }

    /// Asks it for a connection; on a fresh one again, if one that was used broke.
    async fn ask(&self, onward: Onward, call: &Call) -> Result<(Answer, Origin), Error> {
        let authority = onward.authority.to_string();
        let introduction = self.introduction(call).map(|value| {
            let value = value.to_str().unwrap_or_default();
            format!("Proxy-Authorization: {value}\r\n")
        });
        let introduction = introduction.unwrap_or_default();
        let connect =
            format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{introduction}\r\n");
        let mut interceptor = onward.interceptor;
        self.shared.dialler.view.counts.intercepted.one();
        interceptor.requested(call, &self.shared);
        let mut answered = connected(&mut interceptor, &connect).await;
        if answered.is_err()
            && onward.used
            && let Some(fresh) = self.reach(call).await?
        {
            interceptor = fresh;
            answered = connected(&mut interceptor, &connect).await;
        }
        Ok((answered?, interceptor))
    }

    /// How the interceptor is told who calls, if it is.
    pub(super) fn introduction(&self, call: &Call) -> Option<HeaderValue> {
        self.shared.introduction.header(|| {
            let caller = Caller {
                address: call.client,
                scope: call.scope.clone(),
            };
            who(&self.shared.dialler.map(), &caller)
        })
    }
}

/// What it says to a CONNECT.
async fn connected(interceptor: &mut Origin, connect: &str) -> Result<Answer, Error> {
    let side = &mut interceptor.side;
    let sent = side.outbound.write_all(connect.as_bytes()).await;
    sent.map_err(broke)?;
    loop {
        let answer = head(&mut side.inbound, &Method::CONNECT).await?;
        if answer.switches() {
            return Err(broke("it switched protocols without being asked"));
        }
        if !answer.is_provisional() {
            return Ok(answer);
        }
    }
}
