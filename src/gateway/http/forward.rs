//! Forwards a request in absolute form to its origin, and the answer back.

use http_body_util::Either;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode, Uri, Version};
use tracing::debug;

use super::origin::Origin;
use super::reply::{self, Body, Sent};
use super::{Conversation, Far, Handover};
use crate::core::route::Destination;
use crate::gateway::dial::Call;
use crate::gateway::error::{Error, Kind};
use crate::proxy::headers;
use crate::proxy::refusal::Refusal;
use crate::proxy::request::{absolute_destination, repeatable, to_origin_form};

impl Conversation {
    pub(super) async fn forward(
        &self,
        mut request: Request<Incoming>,
        hint: Option<String>,
    ) -> Result<Response<Body>, Refusal> {
        let destination = destination(request.uri())?;
        let call = self.call(hint.as_deref(), destination.clone(), true);
        let upgrade = headers::upgrade(request.version(), request.headers());
        // Taken even if there is none: it must not go on to the origin.
        let client = hyper::upgrade::on(&mut request);
        let switching = upgrade.is_some();
        let failed = |error| reply::failed(&destination, &error);
        let onward = Box::pin(self.onward(&call)).await.map_err(failed)?;
        let exchanged = self
            .interjector
            .pass(request, async |request| match onward {
                Some(onward) => {
                    Box::pin(self.exchange_onward(onward, &call, request, upgrade)).await
                }
                None => Box::pin(self.exchange(&call, to_origin(request, upgrade))).await,
            })
            .await;
        let (mut response, origin) = exchanged.map_err(failed)?;

        let mut switched = None;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let protocol = headers::upgrade(Version::HTTP_11, response.headers());
            if !switching || protocol.is_none() {
                let error = Error::new(Kind::Broken, "it switched protocols without being asked");
                return Err(reply::failed(&destination, &error));
            }
            switched = protocol;
            self.kept().handover = Some(Handover {
                client,
                far: Far::Upgrading(hyper::upgrade::on(&mut response)),
                entry: origin.entry,
            });
        } else {
            self.kept().origin = Some(origin);
        }
        Ok(to_client(response, switched))
    }

    /// Sends the request to the origin and waits for the head of its answer, for as long as it takes.
    async fn exchange(
        &self,
        call: &Call,
        request: Request<Sent>,
    ) -> Result<(Response<Incoming>, Origin), Error> {
        let (origin, request) = match self.reuse(call, request).await? {
            Reused::Answered(answer, origin) => {
                origin.requested(call, &self.shared);
                return Ok((answer, origin));
            }
            Reused::Not(request) => (Origin::open(call.clone(), &self.shared).await?, request),
        };
        let mut origin = origin;
        origin.requested(call, &self.shared);
        match origin.send(request).await {
            Ok(answer) => Ok((answer, origin)),
            Err(error) => Err(broke(&error.into_error())),
        }
    }

    /// Tries the connection of the last request. An origin may close a connection that it kept at any time, just now
    /// as well; then the request is sent again on a fresh one, if that does no harm.
    async fn reuse(&self, call: &Call, request: Request<Sent>) -> Result<Reused, Error> {
        let kept = self.kept().origin.take();
        let Some(mut origin) = kept else {
            return Ok(Reused::Not(request));
        };
        if !origin.serves(call, &self.shared).await {
            return Ok(Reused::Not(request));
        }
        let copy = repeatable(&request);
        let mut error = match origin.send(request).await {
            Ok(answer) => return Ok(Reused::Answered(answer, origin)),
            Err(error) => error,
        };
        match error.take_message().or(copy) {
            Some(request) => {
                debug!(error = %error.error(), "an idle connection ended, the request is sent again");
                Ok(Reused::Not(request))
            }
            None => Err(broke(error.error())),
        }
    }
}

/// What became of the connection of the last request.
enum Reused {
    Answered(Response<Incoming>, Origin),
    /// It did not do; the request is still to be sent.
    Not(Request<Sent>),
}

pub(super) fn broke(error: &hyper::Error) -> Error {
    let reason = format!("the connection broke before the answer came: {error}");
    Error::new(Kind::Broken, reason)
}

/// Where a request in absolute form is to go.
fn destination(uri: &Uri) -> Result<Destination, Refusal> {
    let scheme = uri.scheme_str().ok_or_else(reply::not_a_server)?;
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(reply::not_by_tls(scheme));
    }
    absolute_destination(uri).ok_or_else(reply::not_a_server)
}

/// The request as the origin gets it: in origin form, with the `Host` that the client sent.
fn to_origin(request: Request<Incoming>, upgrade: Option<HeaderValue>) -> Request<Sent> {
    let (mut parts, body) = request.into_parts();
    parts.headers = headers::of_request(&parts.headers, upgrade);
    to_origin_form(&mut parts);
    Request::from_parts(parts, Either::Left(body))
}

/// The answer as the client gets it; with `switched`, the last one of its connection.
pub(super) fn to_client(
    response: Response<Incoming>,
    switched: Option<HeaderValue>,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers = headers::of_response(&parts.headers, switched);
    // Ours to the client, whatever the origin spoke; hyper lowers it for clients of HTTP/1.0.
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, Either::Left(body))
}
