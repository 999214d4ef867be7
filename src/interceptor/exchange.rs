//! One request and its answer, on their way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::Either;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tracing::{debug, trace};

use super::bodies::{Body, Sent, Tap};
use super::origin::{Origin, Target};
use super::records::{Begin, Open, Side};
use super::tapped::Tapped;
use super::{Client, refusal};
use crate::proxy::forwarding::{repeatable, to_origin_form};
use crate::proxy::half_close::{Answers, Due};
use crate::proxy::headers;
use crate::proxy::provisional::Interjector;
use crate::proxy::refusal::Refusal;
use crate::relay::carry;

/// What is known of one client connection from request to request.
pub(super) struct Conversation {
    pub(super) client: Client,
    /// For what comes before an answer.
    interjector: Interjector,
    answers: Answers,
    /// To where the last request went. Nobody ever waits for this.
    kept: Mutex<Option<Origin>>,
    /// What everybody is told, if there is no way to where all requests go.
    refusal: Option<Refusal>,
}

impl Conversation {
    pub(super) fn new(client: Client, (interjector, answers): (Interjector, Answers)) -> Self {
        Self {
            client,
            interjector,
            answers,
            kept: Mutex::default(),
            refusal: None,
        }
    }

    /// All of whose requests go to one origin.
    pub(super) fn inside(
        client: Client,
        (interjector, answers): (Interjector, Answers),
        reached: Result<Origin, Refusal>,
    ) -> Self {
        let (origin, refusal) = match reached {
            Ok(origin) => (Some(origin), None),
            Err(refusal) => (None, Some(refusal)),
        };
        Self {
            client,
            interjector,
            answers,
            kept: Mutex::new(origin),
            refusal,
        }
    }

    /// Expects the answer to a request: as soon as that is there, because its client may have said that it was the last.
    pub(super) fn expect(&self, request: &Request<Incoming>) -> Arc<Due> {
        let due = Arc::new(self.answers.expect());
        if request.body().is_end_stream() {
            due.begin();
        }
        due
    }

    /// Sends a request to `target`, and answers what comes of it.
    pub(super) async fn pass(
        &self,
        target: Target,
        request: Request<Incoming>,
        due: Arc<Due>,
    ) -> Response<Body> {
        let version = request.version();
        let recorder = &self.client.shared.recorder;
        self.client.shared.counts.intercepted.one();
        // Whom the client trusts has been settled, where it matters.
        let open = match self.client.exception(&target.destination, true) {
            Some(_) => recorder.silent(),
            None => recorder.begin(Begin {
                who: &self.client.who,
                method: request.method().clone(),
                url: url(&target, &request),
                version,
                headers: request.headers(),
            }),
        };
        let exchanged = self.exchange(&target, request, (&open, &due)).await;
        exchanged.unwrap_or_else(|refusal| {
            open.answered(refusal.status, version, &HeaderMap::new());
            open.passes(Side::Response, refusal.text.as_bytes());
            open.remark(&refusal.text);
            refusal.into_response()
        })
    }

    async fn exchange(
        &self,
        target: &Target,
        mut request: Request<Incoming>,
        (open, due): (&Arc<Open>, &Arc<Due>),
    ) -> Result<Response<Body>, Refusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let upgrade = headers::upgrade(request.version(), request.headers());
        let asked = upgrade.is_some();
        // Taken even if there is none: it must not go on to the origin.
        let near = hyper::upgrade::on(&mut request);
        let sent = self.interjector.pass(request, async |request| {
            let request = outgoing(target, request, upgrade, (open, due));
            // Boxed, so that nobody has room for it twice.
            Box::pin(self.send(target, request)).await
        });
        let (mut response, origin) = sent.await?;
        let mut switched = None;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            switched = headers::upgrade(Version::HTTP_11, response.headers());
            if !asked || switched.is_none() {
                let reason = "it switched protocols without being asked";
                return Err(refusal::broken(&target.destination, reason));
            }
        } else if !target.is_h2() {
            *self.kept() = Some(origin);
        }
        open.answered(response.status(), response.version(), response.headers());
        if let Some(protocol) = &switched {
            open.switched(protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
            self.relay(near, hyper::upgrade::on(&mut response), Arc::clone(open));
        }
        Ok(to_client(response, switched, (open, due)))
    }

    /// Sends the request and waits for the head of its answer, for as long as it takes. On a fresh connection again, if the
    /// last one broke and it does no harm.
    async fn send(
        &self,
        target: &Target,
        mut request: Request<Sent>,
    ) -> Result<(Response<Incoming>, Origin), Refusal> {
        let broken = |error: &hyper::Error| {
            let reason = format!("the connection broke before the answer came: {error}");
            refusal::broken(&target.destination, reason)
        };
        if let Some(mut origin) = self.take()
            && origin.serves(target).await
        {
            let copy = repeatable(&request);
            let mut error = match origin.send(request).await {
                Ok(answer) => return Ok((answer, origin)),
                Err(error) => error,
            };
            request = match error.take_message().or(copy) {
                Some(again) => again,
                None => return Err(broken(error.error())),
            };
            debug!(error = %error.error(), "an idle connection ended, the request is sent again");
        }
        let mut origin = Origin::open(&self.client, target).await?;
        if let Some(shared) = origin.share() {
            *self.kept() = Some(shared);
        }
        match origin.send(request).await {
            Ok(answer) => Ok((answer, origin)),
            Err(error) => Err(broken(error.error())),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Origin>> {
        // Whole even if a holder panicked: it is only ever replaced as a whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection of the last request; a handle of it, if it takes several at a time.
    fn take(&self) -> Option<Origin> {
        let mut kept = self.kept();
        let shared = kept.as_ref().and_then(Origin::share);
        shared.or_else(|| kept.take())
    }

    /// Lets both sides talk as they like, once they have switched.
    fn relay(&self, near: OnUpgrade, far: OnUpgrade, of: Arc<Open>) {
        let client = self.client.clone();
        self.client.shared.tasks.spawn(async move {
            let (Ok(near), Ok(far)) = tokio::join!(near, far) else {
                debug!("a connection ended before it was handed over");
                return;
            };
            let stream = TokioIo::new(near);
            let (mut near, mut far) = (Tapped { stream, of }, TokioIo::new(far));
            let ended = carry(&mut near, &mut far, Bytes::new(), Bytes::new()).await;
            trace!(?ended, "relay ended");
            drop(client);
        });
    }
}

/// As people write it.
fn url(target: &Target, request: &Request<Incoming>) -> String {
    let uri = request.uri();
    let scheme = match target.server_name {
        Some(_) => "https",
        None => "http",
    };
    let host = request.headers().get(HOST).and_then(|h| h.to_str().ok());
    let host = uri.authority().map(Authority::as_str).or(host);
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    match host {
        Some(host) => format!("{scheme}://{host}{path}"),
        None => format!("{scheme}://{}{path}", target.destination),
    }
}

/// The request as the origin gets it.
fn outgoing(
    target: &Target,
    request: Request<Incoming>,
    upgrade: Option<HeaderValue>,
    exchange: (&Arc<Open>, &Arc<Due>),
) -> Request<Sent> {
    let (mut parts, body) = request.into_parts();
    parts.headers = headers::of_request(&parts.headers, upgrade);
    if target.is_h2() {
        parts.headers.remove(CONNECTION);
    } else {
        to_origin_form(&mut parts);
    }
    let tap = tap(body, Side::Request, exchange);
    Request::from_parts(parts, Either::Left(tap))
}

/// The answer as the client gets it; with `switched`, the last one of its connection.
fn to_client(
    response: Response<Incoming>,
    switched: Option<HeaderValue>,
    exchange: (&Arc<Open>, &Arc<Due>),
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers = headers::of_response(&parts.headers, switched);
    if parts.version != Version::HTTP_2 {
        // Ours to the client, whatever the origin spoke; hyper lowers it for clients of HTTP/1.0.
        parts.version = Version::HTTP_11;
    }
    let tap = tap(body, Side::Response, exchange);
    Response::from_parts(parts, Either::Left(tap))
}

fn tap(body: Incoming, side: Side, (open, due): (&Arc<Open>, &Arc<Due>)) -> Tap {
    Tap {
        body,
        of: Arc::clone(open),
        side,
        due: Arc::clone(due),
    }
}
