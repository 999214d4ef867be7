//! Calls of gRPC with one message each way, as the client would make them.

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use tokio::time::timeout;
use tracing::debug;

use super::stream::{collect, send};
use super::{Context, Obstacle};
use crate::core::llb;

/// An answer of the engine may carry graphs that are larger than what it takes.
const LARGEST_ANSWER: usize = 4 * super::LARGEST;
/// For a warning to get into a build's output; it has failed to be intercepted, and need not be held up as well.
const WARNING: Duration = Duration::from_secs(5);

const WARN: &str = "/moby.buildkit.v1.frontend.LLBBridge/Warn";
/// Which build a call of `LLBBridge` is part of.
pub(super) const BUILD: &str = "buildkit-controlapi-buildid";

/// Headers that say something of a body, or of answers, that does not hold for calls of ours.
const OF_BODIES: [&str; 2] = ["content-length", "grpc-accept-encoding"];

/// An answer, to its end.
#[derive(Debug)]
pub(super) struct Answer {
    head: http::response::Parts,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

/// Asks as `client` did, for `path`, with another message.
pub(super) async fn call(
    engine: &SendRequest<Bytes>,
    client: &Parts,
    path: Option<&str>,
    message: &[u8],
) -> Result<Answer, h2::Error> {
    let mut request = Request::new(());
    *request.method_mut() = client.method.clone();
    *request.uri_mut() = client.uri.clone();
    *request.headers_mut() = client.headers.clone();
    if let Some(path) = path {
        let mut uri = client.uri.clone().into_parts();
        uri.path_and_query = path.parse().ok();
        *request.uri_mut() = http::Uri::from_parts(uri).unwrap_or_default();
    }
    for name in OF_BODIES {
        request.headers_mut().remove(name);
    }
    let mut engine = engine.clone().ready().await?;
    let (response, mut body) = engine.send_request(request, false)?;
    let frame = llb::frame(message);
    // If it does not take all, it says why.
    if send(&mut body, frame.into()).await.is_ok() {
        let _ = body.send_data(Bytes::new(), true);
    }
    let (head, mut body) = response.await?.into_parts();
    let (collected, ended) = collect(&mut body, LARGEST_ANSWER).await?;
    if !ended {
        return Err(h2::Reason::ENHANCE_YOUR_CALM.into());
    }
    let trailers = body.trailers().await?;
    Ok(Answer {
        head,
        body: collected,
        trailers,
    })
}

impl Answer {
    fn status(&self, name: &str) -> Option<&http::HeaderValue> {
        let trailers = self.trailers.as_ref().unwrap_or(&self.head.headers);
        trailers.get(name)
    }

    /// The message, if the call succeeded; else what the engine said.
    pub(super) fn outcome(&self) -> Result<&[u8], String> {
        match self.status("grpc-status").map(http::HeaderValue::as_bytes) {
            Some(b"0") => {
                llb::message(&self.body).ok_or_else(|| "its answer is not one message".to_owned())
            }
            Some(_) | None => Err(self.words()),
        }
    }

    /// The code of an error.
    pub(super) fn code(&self) -> u64 {
        let code = self
            .status("grpc-status")
            .and_then(|code| code.to_str().ok());
        // 2 is what is said of errors that nobody knows.
        code.and_then(|code| code.parse().ok()).unwrap_or(2)
    }

    /// The words of an error.
    pub(super) fn words(&self) -> String {
        let words = self.status("grpc-message").map(http::HeaderValue::as_bytes);
        percent_decoded(words.unwrap_or_default())
    }

    /// All that was said of an error, if it was said in full.
    pub(super) fn details(&self) -> Option<Vec<u8>> {
        use base64::prelude::{BASE64_STANDARD_NO_PAD as STANDARD, Engine as _};
        let details = self.status("grpc-status-details-bin")?.as_bytes();
        let details = details.strip_suffix(b"==").unwrap_or(details);
        let details = details.strip_suffix(b"=").unwrap_or(details);
        STANDARD.decode(details).ok()
    }

    /// The same answer with another message.
    pub(super) fn with_message(mut self, message: &[u8]) -> Self {
        self.body = llb::frame(message).into();
        self.head.headers.remove("content-length");
        self
    }

    /// Hands it to the client.
    pub(super) async fn send(self, respond: &mut SendResponse<Bytes>) {
        let Self {
            head,
            body,
            trailers,
        } = self;
        let ended = body.is_empty() && trailers.is_none();
        let sent = async {
            let mut to = respond.send_response(Response::from_parts(head, ()), ended)?;
            if !ended {
                send(&mut to, body).await.map_err(h2::Error::from)?;
                match trailers {
                    Some(trailers) => to.send_trailers(trailers)?,
                    None => to.send_data(Bytes::new(), true)?,
                }
            }
            Ok::<_, h2::Error>(())
        };
        if let Err(error) = sent.await {
            debug!(%error, "a build's client does not wait for its answer");
        }
    }
}

fn percent_decoded(text: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| str::from_utf8(digits).ok());
        let coded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(coded) = coded.filter(|_| byte == b'%') {
            decoded.push(coded);
            rest = &after[2..];
        } else {
            decoded.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Says in the log, and in the output of the build that `client` is part of, that it is not intercepted.
pub(super) async fn warn(context: &Context, client: &Parts, why: &Obstacle) {
    tracing::warn!("a build is not intercepted: {why}");
    let text = format!("dockline: this build is not intercepted: {why}");
    let message = llb::warning(&text);
    let said = call(&context.engine, client, Some(WARN), &message);
    match timeout(WARNING, said).await {
        Ok(Ok(answer)) if answer.outcome().is_ok() => {}
        other => debug!(?other, "the build's output does not say so"),
    }
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn words_of_errors() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a%20b%3A %C3%BC", "a b: ü"),
            ("100% %4 %", "100% %4 %"),
        ] {
            assert_eq!(percent_decoded(text.as_bytes()), expected);
        }
    }
}
