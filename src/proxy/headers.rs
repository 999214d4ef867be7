//! Which headers pass: all but those that are about one connection (RFC 9110, section 7.6.1) or for dockline itself.
//!
//! `Transfer-Encoding`, `Trailer` and `Content-Length` stay: bodies go on framed as they came.
//!
//! This file is compiled into the tunnel as well, for its plain mode.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, Version};

/// The header for client hints. It never leaves the gateway.
pub(crate) const DOCKLINE_CLIENT: HeaderName = HeaderName::from_static("dockline-client");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What never passes.
const OURS: [HeaderName; 7] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TE,
    UPGRADE,
    PROXY_AUTHORIZATION,
    DOCKLINE_CLIENT,
];

/// What a `Connection` header cannot take away: without these the message would be another one.
const VITAL: [HeaderName; 4] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER];

/// The protocol that a message wants to switch to, if it does.
pub(crate) fn upgrade(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = version == Version::HTTP_11 && options(headers).any(|o| o == UPGRADE.as_str());
    headers.get(UPGRADE).filter(|_| asked).cloned()
}

/// The headers of a request, for the origin.
pub(crate) fn of_request(headers: &HeaderMap, upgrade: Option<HeaderValue>) -> HeaderMap {
    let mut passed = end_to_end(headers);
    let mut options = Vec::new();
    let trailers = headers
        .get_all(TE)
        .iter()
        .any(|te| has_token(te, "trailers"));
    if trailers {
        passed.insert(TE, HeaderValue::from_static("trailers"));
        options.push("TE");
    }
    if let Some(protocol) = upgrade {
        passed.insert(UPGRADE, protocol);
        options.push("Upgrade");
    }
    if let Ok(options) = HeaderValue::try_from(options.join(", "))
        && !options.is_empty()
    {
        passed.insert(CONNECTION, options);
    }
    passed
}

/// The headers of a response, for the client; with `upgrade`, of one that switches.
pub(crate) fn of_response(headers: &HeaderMap, upgrade: Option<HeaderValue>) -> HeaderMap {
    let mut passed = end_to_end(headers);
    if let Some(protocol) = upgrade {
        passed.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        passed.insert(UPGRADE, protocol);
    }
    passed
}

/// Whether a header goes on with a message whose `Connection` names `named`.
pub(crate) fn passes(name: &str, named: &[impl AsRef<str>]) -> bool {
    let is = |other: &HeaderName| other.as_str().eq_ignore_ascii_case(name);
    let taken = || {
        let mut named = named.iter();
        named.any(|named| named.as_ref().eq_ignore_ascii_case(name))
    };
    !OURS.iter().any(is) && (VITAL.iter().any(is) || !taken())
}

/// A copy, since taking single headers out would change the order of the others.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<String> = options(headers).collect();
    let mut passed = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers
        .iter()
        .filter(|(name, _)| passes(name.as_str(), &named))
    {
        passed.append(name.clone(), value.clone());
    }
    passed
}

/// What the `Connection` headers name, in lower case.
fn options(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(CONNECTION).into_iter();
    values.flat_map(|value| tokens(value).map(str::to_ascii_lowercase))
}

fn has_token(value: &HeaderValue, wanted: &str) -> bool {
    tokens(value).any(|token| token.eq_ignore_ascii_case(wanted))
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &str> {
    let text = value.to_str().unwrap_or_default();
    text.split(',').map(str::trim).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn print(headers: &HeaderMap) -> String {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}\n", value.to_str().unwrap())
        };
        headers.iter().map(line).collect()
    }

    #[test]
    fn what_is_about_the_connection_stays_here_and_the_rest_keeps_its_order() {
        let headers = parse(
            "host: api
             connection: close, X-Private, Content-Length
             x-private: 1
             proxy-connection: keep-alive
             keep-alive: timeout=5
             proxy-authorization: Basic dTpw
             dockline-client: web
             te: gzip, trailers
             content-length: 3
             set-cookie: a
             x-last: 1
             set-cookie: b",
        );
        let expected = "host: api\ncontent-length: 3\nset-cookie: a\nset-cookie: b\nx-last: 1\n";
        assert_eq!(
            print(&of_request(&headers, None)),
            format!("{expected}te: trailers\nconnection: TE\n")
        );
        assert_eq!(print(&of_response(&headers, None)), expected);
    }

    #[test]
    fn an_upgrade_passes_if_it_is_one() {
        let asked =
            parse("connection: keep-alive, Upgrade\nupgrade: websocket\nsec-websocket-key: k");
        let bare = parse("upgrade: h2c");
        assert_eq!(upgrade(Version::HTTP_10, &asked), None);
        assert_eq!(upgrade(Version::HTTP_11, &bare), None);
        let protocol = upgrade(Version::HTTP_11, &asked);
        assert_eq!(
            print(&of_request(&asked, protocol.clone())),
            "sec-websocket-key: k\nupgrade: websocket\nconnection: Upgrade\n"
        );
        assert_eq!(
            print(&of_response(&asked, protocol)),
            "sec-websocket-key: k\nconnection: Upgrade\nupgrade: websocket\n"
        );
        assert_eq!(print(&of_request(&bare, None)), "");
    }
}
