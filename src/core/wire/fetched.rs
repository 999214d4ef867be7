//! What an engine fetches by itself for a build (`ADD https://…`), as it is to ask the entry for it: the URL as a path.
//!
//! With dockline there, the answer is what the interceptor makes of it; without, the entry sends the engine where it wanted
//! to go.

use std::net::SocketAddr;

/// Under which the entry has what is elsewhere. Nobody asks a proxy for a path by itself.
pub const PREFIX: &str = "/.dockline/fetch/";

const SCHEMES: [&str; 2] = ["http", "https"];

/// A URL as it is asked for at the entry. Nothing for what is no plain URL of HTTP: one that has a password, above all, which
/// clients do not send from one host to another.
pub fn at_entry(url: &str, entry: SocketAddr) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = SCHEMES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(scheme))?;
    let (host, path) = split(rest);
    let is_plain = !url.contains('#') && url.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || !is_host(host) || path.starts_with(PREFIX) {
        return None;
    }
    // A query without a path asks for the root's.
    let root = if path.starts_with('/') { "" } else { "/" };
    Some(format!("http://{entry}{PREFIX}{scheme}/{host}{root}{path}"))
}

/// The URL that a request with this path and query is for.
pub fn wanted(target: &str) -> Option<String> {
    let (scheme, rest) = target.strip_prefix(PREFIX)?.split_once('/')?;
    let (host, path) = split(rest);
    let is_known = SCHEMES.contains(&scheme) && is_host(host) && path.starts_with('/');
    is_known.then(|| format!("{scheme}://{rest}"))
}

/// A host with its port, and what follows.
fn split(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

/// Addresses in brackets are left out: what stands in them could be a zone of the engine's machine.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "80"));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !host.is_empty() && host.bytes().all(is_name) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_at_the_entry_is_what_was_wanted() {
        let entry = SocketAddr::from(([172, 17, 0, 9], 8790));
        for (url, path, wants) in [
            ("https://a.test/x.tar", "https/a.test/x.tar", ""),
            (
                "http://a.test:81/x?y=%2F//z",
                "http/a.test:81/x?y=%2F//z",
                "",
            ),
            ("HTTPS://A.test", "https/A.test/", "https://A.test/"),
            ("http://a.test?b", "http/a.test/?b", "http://a.test/?b"),
        ] {
            let asked = at_entry(url, entry).unwrap();
            assert_eq!(asked, format!("http://172.17.0.9:8790{PREFIX}{path}"));
            let target = asked.strip_prefix("http://172.17.0.9:8790").unwrap();
            let wants = if wants.is_empty() { url } else { wants };
            assert_eq!(wanted(target).as_deref(), Some(wants));
            // Once is enough.
            assert_eq!(at_entry(&asked, entry), None);
        }
    }

    #[test]
    fn what_is_no_plain_url_is_left_alone() {
        let entry = SocketAddr::from(([172, 17, 0, 9], 8790));
        for url in [
            "docker-image://a",
            "git://a.test/x",
            "https://me:secret@a.test/x",
            "https://[::1]/x",
            "https://a.test/x#y",
            "https://a.test/x y",
            "https://a.test:x/",
            "https:///x",
            "https://ä.test/",
            "https",
            "",
        ] {
            assert_eq!(at_entry(url, entry), None, "{url}");
        }
        for target in [
            "/",
            "/.dockline/fetch/",
            "/.dockline/fetch/https",
            "/.dockline/fetch/https/",
            "/.dockline/fetch/https/a.test",
            "/.dockline/fetch/ftp/a.test/",
            "/.dockline/fetch/http/me@a.test/",
        ] {
            assert_eq!(wanted(target), None, "{target}");
        }
    }
}
