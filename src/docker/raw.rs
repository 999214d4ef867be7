//! Calls whose bodies go and come as they are: what is made anew of a container must not lose what our models of the
//! API do not know.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
pub(super) use hyper::Method;
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde::Deserialize;

use super::dial::dial;
use super::{Endpoint, Error};

/// What a call carries.
#[derive(Clone, Debug, Default)]
pub(super) enum Payload {
    #[default]
    Nothing,
    Json(Bytes),
    Tar(Bytes),
}

/// The engine's errors.
#[derive(Deserialize)]
struct Problem {
    message: String,
}

/// Makes one call, on a connection of its own; the body of an answer that says that it was done.
pub(super) async fn call(
    endpoint: &Endpoint,
    deadline: Duration,
    method: Method,
    target: &str,
    payload: Payload,
) -> Result<Bytes, Error> {
    match tokio::time::timeout(deadline, exchange(endpoint, method, target, payload)).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::Timeout(deadline)),
    }
}

async fn exchange(
    endpoint: &Endpoint,
    method: Method,
    target: &str,
    payload: Payload,
) -> Result<Bytes, Error> {
    let lost = |error: &dyn std::fmt::Display| Error::Unreachable {
        endpoint: endpoint.to_string(),
        reason: error.to_string(),
    };
    let stream = dial(endpoint).await.map_err(|error| lost(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| lost(&error))?;
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, "docker");
    let (request, body) = match payload {
        Payload::Nothing => (request, Bytes::new()),
        Payload::Json(body) => (request.header(CONTENT_TYPE, "application/json"), body),
        Payload::Tar(body) => (request.header(CONTENT_TYPE, "application/x-tar"), body),
    };
    let request = request
        .body(Full::new(body))
        .map_err(|error| Error::Unexpected(Box::new(error)))?;
    let asked = async move {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        Ok::<_, hyper::Error>((status, answer.into_body().collect().await?.to_bytes()))
    };
    // The connection is driven by whoever waits for the answer, and ends with its sender.
    let (answer, _) = tokio::join!(asked, connection);
    let (status, body) = answer.map_err(|error| lost(&error))?;
    if status.is_success() || status.as_u16() == 304 {
        return Ok(body);
    }
    let said = serde_json::from_slice(&body).map(|problem: Problem| problem.message);
    Err(Error::Refused {
        status: status.as_u16(),
        message: said.unwrap_or_else(|_| String::from_utf8_lossy(&body).trim().to_owned()),
    })
}
