//! Hands callers of the entry on to the interceptor, while it answers.
//!
//! What a caller may not reach is refused here, before the interceptor hears of it.

use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::{Request, Response, Uri, Version};
use tokio::time::timeout;

use super::forward::{broke, to_client};
use super::origin::Origin;
use super::reply::{self, Body, Sent};
use super::{Conversation, Far, Handover};
use crate::core::caller::Caller;
use crate::core::route::Destination;
use crate::core::who::who;
use crate::gateway::dial::Call;
use crate::gateway::error::{Error, Kind};
use crate::proxy::headers;
use crate::proxy::refusal::Refusal;
use crate::proxy::request::{add_host, repeatable};

/// The interceptor, ready for a request.
pub(super) struct Onward {
    /// Under which authority it is to be asked.
    authority: Destination,
    interceptor: Origin,
    /// Whether it has been asked before, and may have given up the connection just now.
    used: bool,
}

impl Conversation {
    /// The way of `call` to the interceptor. Nothing if it goes on without: it is no caller's, there is no interceptor, that
    /// does not answer, or it is not to hear of it.
    pub(super) async fn onward(&self, call: &Call) -> Result<Option<Onward>, Error> {
        if self.caller.is_none() || self.shared.interceptor(&call.scope).is_none() {
            return Ok(None);
        }
        let map = self.shared.dialler.map();
        if self.shared.exceptions.hold(&map, call) {
            return Ok(None);
        }
        let authority = self.shared.dialler.hand_on(call).await?;
        let kept = self.kept().origin.take();
        if let Some(mut interceptor) = kept
            && interceptor.intercepts().await
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

    async fn reach(&self, call: &Call) -> Result<Option<Origin>, Error> {
        let Some(interceptor) = self.shared.interceptor(&call.scope) else {
            return Ok(None);
        };
        match interceptor.reach().await {
            Some(stream) => Origin::interceptor(stream, call, &self.shared)
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    /// Lets the interceptor make a connection; what it says against it, the caller hears.
    pub(super) async fn connect_onward(
        &self,
        onward: Onward,
        call: &Call,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let failed = |error| reply::failed(&call.destination, &error);
        let authority = onward.authority.to_string();
        let mut connect = Request::connect(&authority).header(HOST, &authority);
        if let Some(introduction) = self.introduction(call) {
            connect = connect.header(PROXY_AUTHORIZATION, introduction);
        }
        let connect = connect.body(Either::Right(Empty::new()));
        let connect = connect.map_err(|e| failed(Error::new(Kind::Broken, e.to_string())))?;
        // Long enough for it to find out that there is no way.
        let patience = self.shared.deadlines.connect * 2;
        let asked = timeout(patience, self.ask(onward, call, connect)).await;
        let late = |_| Error::new(Kind::TimedOut, "the interceptor did not answer in time");
        let (mut response, interceptor) = asked.map_err(late).flatten().map_err(failed)?;
        if !response.status().is_success() {
            self.kept().origin = Some(interceptor);
            return Ok(to_client(response, None));
        }
        self.kept().handover = Some(Handover {
            client: hyper::upgrade::on(&mut request),
            far: Far::Upgrading(hyper::upgrade::on(&mut response)),
            entry: interceptor.entry,
        });
        Ok(Response::new(reply::nothing()))
    }

    /// Sends a request to the interceptor, and waits for the head of its answer for as long as it takes.
    pub(super) async fn exchange_onward(
        &self,
        onward: Onward,
        call: &Call,
        request: Request<Incoming>,
        upgrade: Option<HeaderValue>,
    ) -> Result<(Response<Incoming>, Origin), Error> {
        let mut request = to_proxy(request, &onward.authority, call, upgrade)?;
        if let Some(introduction) = self.introduction(call) {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, introduction);
        }
        self.ask(onward, call, request).await
    }

    /// How the interceptor is told who calls, if it is.
    fn introduction(&self, call: &Call) -> Option<HeaderValue> {
        self.shared.introduction.header(|| {
            let caller = Caller {
                address: call.client,
                scope: call.scope.clone(),
            };
            who(&self.shared.dialler.map(), &caller)
        })
    }

    /// On a fresh connection again, if one that was used broke and it does no harm.
    async fn ask(
        &self,
        onward: Onward,
        call: &Call,
        request: Request<Sent>,
    ) -> Result<(Response<Incoming>, Origin), Error> {
        let mut interceptor = onward.interceptor;
        self.shared.dialler.view.counts.intercepted.one();
        interceptor.requested(call, &self.shared);
        let copy = repeatable(&request);
        let mut error = match interceptor.send(request).await {
            Ok(answer) => return Ok((answer, interceptor)),
            Err(error) => error,
        };
        let again = error.take_message().or(copy).filter(|_| onward.used);
        let fresh = match &again {
            Some(_) => self.reach(call).await?,
            None => None,
        };
        let (Some(again), Some(mut fresh)) = (again, fresh) else {
            return Err(broke(error.error()));
        };
        match fresh.send(again).await {
            Ok(answer) => Ok((answer, fresh)),
            Err(error) => Err(broke(error.error())),
        }
    }
}

/// The request as a proxy gets it: in absolute form, with the `Host` that the client sent.
fn to_proxy(
    request: Request<Incoming>,
    authority: &Destination,
    call: &Call,
    upgrade: Option<HeaderValue>,
) -> Result<Request<Sent>, Error> {
    let (mut parts, body) = request.into_parts();
    parts.headers = headers::of_request(&parts.headers, upgrade);
    add_host(&mut parts);
    if *authority != call.destination {
        let path = parts.uri.path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(authority.to_string())
            .path_and_query(path)
            .build();
        parts.uri = uri.map_err(|error| Error::new(Kind::Broken, error.to_string()))?;
    }
    parts.version = Version::HTTP_11;
    Ok(Request::from_parts(parts, Either::Left(body)))
}
