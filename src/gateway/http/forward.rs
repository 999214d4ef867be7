//! Forwards a request in absolute form to its origin, and the answer back.

use bytes::Bytes;
use hyper::Uri;
use tracing::debug;

use super::exchange::{Done, Failed, Terms, Then, exchange};
use super::head::Request;
use super::origin::Origin;
use super::reply;
use super::{Conversation, Far};
use crate::core::route::Destination;
use crate::gateway::dial::Call;
use crate::gateway::error::{Error, Kind};
use crate::proxy::refusal::Refusal;
use crate::proxy::request::absolute_destination;

/// Where a request goes next, and as what.
struct Next {
    to: Origin,
    /// Whether it has served a request before, and may have been given up just now.
    used: bool,
    /// The head as it goes there.
    begin: Bytes,
}

impl Conversation {
    pub(super) async fn forward(
        &mut self,
        request: &Request,
        hint: Option<String>,
    ) -> Result<Then, Refusal> {
        let destination = destination(&request.uri)?;
        let leaves_tls = request.leaves_tls();
        let call = self.call(hint.as_deref(), destination.clone(), !leaves_tls);
        if leaves_tls && !self.has_interceptor(&call) {
            return Err(reply::not_by_tls("https"));
        }
        let failed = |error| reply::failed(&destination, &error);
        // Boxed, as it is over before the long part begins.
        let mut next = Box::pin(self.next_hop(&call, request))
            .await
            .map_err(failed)?;
        next.to.requested(&call, &self.shared);
        let again = Some(next.begin.clone()).filter(|_| next.used && request.is_repeatable());
        let mut exchanged = self.exchange(&mut next.to, next.begin, request).await;
        if let (
            Err(Failed::Unanswered {
                error,
                half_closed: false,
            }),
            Some(begin),
        ) = (&exchanged, again)
        {
            debug!(%error, "an idle connection ended, the request is sent again");
            let fresh = Box::pin(self.again(&next.to, &call)).await;
            if let Some(fresh) = fresh.map_err(failed)? {
                next.to = fresh;
                exchanged = self.exchange(&mut next.to, begin, request).await;
            }
        }
        match exchanged {
            Ok(done) => Ok(self.after(done, next.to)),
            // Whatever it has of the answer is not to look complete.
            Err(Failed::Gone) => Ok(Then::Reset),
            Err(Failed::Unanswered { error, .. }) => Err(failed(error)),
        }
    }

    async fn exchange(
        &mut self,
        to: &mut Origin,
        begin: Bytes,
        request: &Request,
    ) -> Result<Done, Failed> {
        let terms = Terms {
            deadlines: &self.shared.deadlines,
            stop: &self.shared.stop,
        };
        exchange(&mut self.client, to.far(), begin, request, terms).await
    }

    /// To the interceptor if it is to have the request, else to the origin, where the last request went if that will do.
    async fn next_hop(&mut self, call: &Call, request: &Request) -> Result<Next, Error> {
        if let Some(onward) = self.onward(call).await? {
            self.shared.dialler.view.counts.intercepted.one();
            let introduction = self.introduction(call);
            let asked = &call.destination;
            let begin = request.to_proxy(&onward.authority, asked, introduction.as_ref())?;
            return Ok(Next {
                to: onward.interceptor,
                used: onward.used,
                begin,
            });
        }
        if request.leaves_tls() {
            let reason = "the interceptor that would speak TLS for you does not answer, or is not to hear of it";
            return Err(Error::new(Kind::Broken, reason));
        }
        let mut kept = self.kept.take();
        let used = kept
            .as_mut()
            .is_some_and(|kept| kept.serves(call, &self.shared));
        let to = match kept.filter(|_| used) {
            Some(kept) => kept,
            None => Origin::open(call.clone(), &self.shared).await?,
        };
        let begin = request.to_origin();
        Ok(Next { to, used, begin })
    }

    /// A fresh connection to where `last` led. Nothing if that was the interceptor, and it answers no more.
    async fn again(&self, last: &Origin, call: &Call) -> Result<Option<Origin>, Error> {
        if last.is_interceptor() {
            return self.reach(call).await;
        }
        Origin::open(call.clone(), &self.shared).await.map(Some)
    }

    /// Keeps what can be used again.
    pub(super) fn keep(&mut self, done: Done, to: Origin) {
        if done.persists {
            self.kept = Some(to);
        } else {
            self.last = Some(to.into_entry());
        }
    }

    fn after(&mut self, done: Done, to: Origin) -> Then {
        if done.then == Then::Stream {
            let (end, entry) = to.into_end();
            self.far = Some(Far { end, entry });
        } else {
            self.keep(done, to);
        }
        done.then
    }
}

/// Where a request in absolute form is to go.
fn destination(uri: &Uri) -> Result<Destination, Refusal> {
    let scheme = uri.scheme_str().ok_or_else(reply::not_a_server)?;
    if !["http", "https"].contains(&scheme) {
        return Err(reply::not_by_tls(scheme));
    }
    absolute_destination(uri, reply::not_a_server)
}
