//! Which headers pass: all but those that are about one connection (RFC 9110, section 7.6.1) or for proxies.
//!
//! `Transfer-Encoding`, `Trailer` and `Content-Length` stay, because hyper frames the forwarded body by them.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, Version};

/// What never passes.
const OURS: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    UPGRADE,
    PROXY_AUTHORIZATION,
];

/// What a `Connection` header cannot take away: without these the message would be another one.
const VITAL: [HeaderName; 4] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER];

/// The protocol that a message wants to switch to, if it does.
pub(super) fn upgrade(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = version == Version::HTTP_11 && has_token(headers, &CONNECTION, UPGRADE.as_str());
    headers.get(UPGRADE).filter(|_| asked).cloned()
}

/// The headers of a request, for the origin; with `upgrade`, of one that asks to switch.
pub(super) fn of_request(headers: &HeaderMap, upgrade: Option<HeaderValue>) -> HeaderMap {
    let mut passed = end_to_end(headers);
    if has_token(headers, &TE, "trailers") {
        passed.insert(TE, HeaderValue::from_static("trailers"));
        passed.append(CONNECTION, HeaderValue::from_static("TE"));
    }
    switching(passed, upgrade)
}

/// The headers of a response, for the client; with `upgrade`, of one that switches.
pub(super) fn of_response(headers: &HeaderMap, upgrade: Option<HeaderValue>) -> HeaderMap {
    switching(end_to_end(headers), upgrade)
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let stays = |name: &HeaderName| {
        let named = || has_token(headers, &CONNECTION, name.as_str());
        !OURS.contains(name) && (VITAL.contains(name) || !named())
    };
    let mut passed = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers.iter().filter(|(name, _)| stays(name)) {
        passed.append(name.clone(), value.clone());
    }
    passed
}

fn switching(mut passed: HeaderMap, upgrade: Option<HeaderValue>) -> HeaderMap {
    if let Some(protocol) = upgrade {
        passed.insert(UPGRADE, protocol);
        passed.append(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    passed
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    let mut tokens = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    tokens.any(|token| token.trim().eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in text.lines().filter_map(|line| line.trim().split_once(": ")) {
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
             te: gzip, trailers
             content-length: 3
             x-last: 1",
        );
        assert_eq!(
            print(&of_request(&headers, None)),
            "host: api\ncontent-length: 3\nx-last: 1\nte: trailers\nconnection: TE\n"
        );
        assert_eq!(
            print(&of_response(&headers, None)),
            "host: api\ncontent-length: 3\nx-last: 1\n"
        );
    }

    #[test]
    fn an_upgrade_passes_if_it_is_one() {
        let asked = parse("connection: keep-alive, Upgrade\nupgrade: websocket");
        let bare = parse("upgrade: h2c");
        assert_eq!(upgrade(Version::HTTP_10, &asked), None);
        assert_eq!(upgrade(Version::HTTP_11, &bare), None);
        let protocol = upgrade(Version::HTTP_11, &asked);
        assert_eq!(
            print(&of_request(&asked, protocol)),
            "upgrade: websocket\nconnection: Upgrade\n"
        );
        assert_eq!(print(&of_request(&bare, None)), "");
    }
}
