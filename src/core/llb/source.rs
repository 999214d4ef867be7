//! What the engine fetches itself: `ADD https://…`.
//!
//! Where it is fetched from is no part of the cache's key: that is made of the file's name and of what came.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::Malformed;
use super::wire::{Field, Message, all_bytes, fields, in_map, last_bytes, text};
use crate::core::host_pattern::HostPattern;
use crate::core::route::{Destination, Host};
use crate::core::wire::fetched::at_entry;

/// What a source may say of itself without being bound to where it is fetched from, as credentials are.
const ATTRIBUTES: [&str; 5] = [
    "http.checksum",
    "http.filename",
    "http.gid",
    "http.perm",
    "http.uid",
];

/// What a definition calls an operation in the output of builds.
const NAME: &str = "llb.customname";

/// What of a graph's sources is to be fetched by the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// Where that is. The engine knows it by no name.
    pub entry: SocketAddr,
    /// What the frontend has fetched already, as the context of the build.
    pub except: BTreeSet<String>,
    /// Hosts that the interceptor never hears of.
    pub pass_through: Vec<HostPattern>,
}

/// Whether a source is one of HTTP.
pub(super) fn is_fetched(source: &[u8]) -> Result<bool, Malformed> {
    let identifier = text(last_bytes(&fields(source)?, 1))?;
    Ok(identifier.starts_with("https://") || identifier.starts_with("http://"))
}

/// A `SourceOp` that is fetched by the entry, and the URL that it was for; nothing if it is left alone.
pub(super) fn by_entry(
    source: &[u8],
    fetching: &Fetching,
) -> Result<Option<(Message, String)>, Malformed> {
    let source = fields(source)?;
    let identifier = text(last_bytes(&source, 1))?;
    if fetching.except.contains(identifier) || is_internal(identifier) || is_bound(&source)? {
        return Ok(None);
    }
    let Some(at_entry) = at_entry(identifier, fetching.entry) else {
        return Ok(None);
    };
    let destination = destination(identifier);
    if fetching
        .pass_through
        .iter()
        .any(|host| host.matches(&destination))
    {
        return Ok(None);
    }
    let mut edited = Message::new();
    edited.bytes(1, at_entry);
    for field in source.iter().filter(|field| field.number != 1) {
        edited.copy(field);
    }
    Ok(Some((edited, identifier.to_owned())))
}

/// What a definition says of an operation, `now` that it may be another one: builds show sources without a name by where
/// they are fetched from.
pub(super) fn with_name(
    entry: &[u8],
    now: Message,
    urls: &BTreeMap<String, String>,
) -> Result<Message, Malformed> {
    let before = fields(entry)?;
    let Some(url) = urls.get(text(last_bytes(&before, 1))?) else {
        return Ok(now);
    };
    let said = fields(last_bytes(&before, 2))?;
    if in_map(&said, 2, NAME)?.is_some() {
        return Ok(now);
    }
    let mut name = Message::new();
    name.bytes(1, NAME);
    name.bytes(2, url);
    let mut named = Message::new();
    for field in &said {
        named.copy(field);
    }
    named.bytes(2, name);
    let mut edited = Message::new();
    for field in fields(now.as_ref())?
        .iter()
        .filter(|field| field.number != 2)
    {
        edited.copy(field);
    }
    edited.bytes(2, named);
    Ok(edited)
}

/// Whose a plain URL is.
fn destination(url: &str) -> Destination {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let usual = if scheme.eq_ignore_ascii_case("https") {
        443
    } else {
        80
    };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    Destination {
        host: Host::from(name),
        port: port.parse().unwrap_or(usual),
    }
}

/// Whether it is no server's, but what the client itself uploads.
fn is_internal(identifier: &str) -> bool {
    let host = identifier.split("://").nth(1).unwrap_or_default();
    host.starts_with("buildkit-session") || host.starts_with("build-context-")
}

fn is_bound(source: &[Field<'_>]) -> Result<bool, Malformed> {
    for attribute in all_bytes(source, 2) {
        let name = fields(attribute)?;
        if !ATTRIBUTES.contains(&text(last_bytes(&name, 1))?) {
            return Ok(true);
        }
    }
    Ok(false)
}
