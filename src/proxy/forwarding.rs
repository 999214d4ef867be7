//! What becomes of a request that a proxy forwards: from the form in which proxies are asked to that in which servers are.
//!
//! This file is compiled into the tunnel as well, for its plain mode.

use http_body_util::{Either, Empty};
use hyper::body::{Body, Bytes};
use hyper::header::{HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Uri, Version};

/// The longest name of a host: as much as SOCKS5 can carry, and no name in DNS has more. What is longer would be looked up in
/// every way that names can be read, and remembered and shown.
pub(crate) const LONGEST_HOST: usize = 255;

/// What its client is told.
pub(crate) const HOST_TOO_LONG: &str = "No host has so long a name: it has 255 bytes at most.";

/// Whether that may name a host.
pub(crate) fn fits(host: &str) -> bool {
    host.len() <= LONGEST_HOST
}

/// Makes a request one of HTTP/1.1 in origin form, with the `Host` that the client sent.
pub(crate) fn to_origin_form(parts: &mut Parts) {
    add_host(parts);
    let path = parts.uri.path_and_query().cloned();
    parts.uri = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    parts.version = Version::HTTP_11;
}

/// For clients of HTTP/1.0, which need not send it.
fn add_host(parts: &mut Parts) {
    if !parts.headers.contains_key(HOST)
        && let Some(Ok(host)) = host_of(&parts.uri).map(HeaderValue::try_from)
    {
        parts.headers.insert(HOST, host);
    }
}

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

/// What `Host` says in a request for it.
pub(crate) fn host_of(uri: &Uri) -> Option<String> {
    let host = uri.host()?;
    Some(match uri.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// What a caller of the entry asks for that names the server by `Host` alone, as PHP does: whom it was told to use is a proxy
/// anyway. One that names the entry itself, by its port, asks a server that is none.
pub(crate) fn by_host(uri: &Uri, host: Option<&[u8]>, entry: u16) -> Option<Uri> {
    if uri.authority().is_some() || !uri.path().starts_with('/') {
        return None;
    }
    let host = host.and_then(|host| Authority::try_from(host).ok());
    let host = host.filter(|host| host.port_u16() != Some(entry) && !host.host().is_empty());
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(host?);
    // What cannot be put together is no request to a proxy.
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_be_named_by_host_alone() {
        for (uri, host, becomes) in [
            ("/a?b", Some("web"), "http://web/a?b"),
            ("/", Some("web:81"), "http://web:81/"),
            ("/", Some("[fd00::2]:81"), "http://[fd00::2]:81/"),
            ("http://web/", Some("other"), "http://web/"),
            ("web:443", Some("other"), "web:443"),
            ("/", Some("dockline-tunnel-default:8790"), "/"),
            ("/", Some("two words"), "/"),
            ("/", Some(""), "/"),
            ("/", None, "/"),
            ("*", Some("web"), "*"),
        ] {
            let uri: Uri = uri.parse().unwrap();
            let absolute = by_host(&uri, host.map(str::as_bytes), 8790);
            let asked = absolute.as_ref().unwrap_or(&uri);
            assert_eq!(asked.to_string(), becomes, "{uri} {host:?}");
        }
    }
}
