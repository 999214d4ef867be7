//! What proxies do with requests.

use bytes::Bytes;
use http_body_util::{Either, Empty};
use hyper::body::Body;
use hyper::header::HeaderValue;
use hyper::{Request, Uri};

/// A copy of a request that may be sent twice (RFC 9110, section 9.2.2).
pub(crate) fn repeatable<B: Body<Data = Bytes>>(
    request: &Request<Either<B, Empty<Bytes>>>,
) -> Option<Request<Either<B, Empty<Bytes>>>>
where
    Either<B, Empty<Bytes>>: Body,
{
    let harmless = request.method().is_idempotent() && request.body().is_end_stream();
    harmless.then(|| {
        let mut copy = Request::new(Either::Right(Empty::new()));
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        copy
    })
}

/// For clients of HTTP/1.0, which need not send it.
pub(crate) fn host_of(uri: &Uri) -> Option<HeaderValue> {
    let host = uri.host()?;
    let host = match uri.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    HeaderValue::try_from(host).ok()
}
