//! One RUN step.

use std::collections::BTreeMap;

use super::wire::{Field, Message, NONE, all_bytes, fields, last_bytes, last_number, text};
use super::{Malformed, StepInjection};
use crate::core::inject::{Authority, Entry, FOLDER, Injection, Undo, environment};
use crate::core::trust::wanted;

/// `pb.NetMode.NONE`: there is no way to any proxy.
const NO_NETWORK: u64 = 2;

/// What a step is told of its proxy beside its variables, which BuildKit leaves out of the cache's key: fields of
/// `pb.ProxyEnv`, with the variables that it makes of them.
const PROXY_FIELDS: [(u64, [&str; 2]); 5] = [
    (1, ["HTTP_PROXY", "http_proxy"]),
    (2, ["HTTPS_PROXY", "https_proxy"]),
    (3, ["FTP_PROXY", "ftp_proxy"]),
    (4, ["NO_PROXY", "no_proxy"]),
    (5, ["ALL_PROXY", "all_proxy"]),
];

/// Variables as steps had them, with those that they get: most steps of a build have the same.
pub(super) type Injected = BTreeMap<Vec<String>, Vec<String>>;

/// An `ExecOp` with what a step gets; nothing if it is left alone. `files_at`: the input that has the files.
pub(super) fn inject(
    exec: &[u8],
    files_at: usize,
    injection: &StepInjection,
    injected: &mut Injected,
) -> Result<Option<Message>, Malformed> {
    let exec = fields(exec)?;
    let host = injection.instance.tunnel_name();
    let meta = fields(last_bytes(&exec, 1))?;
    if last_number(&exec, 3) == NO_NETWORK || knows(&meta, &host)? {
        return Ok(None);
    }
    let meta = with_entry(&meta, &host, injection, injected)?;
    let mut edited = Message::new();
    edited.bytes(1, meta);
    for field in exec.iter().filter(|field| field.number != 1) {
        edited.copy(field);
    }
    if injection.files.is_some() {
        let mut mount = Message::new();
        mount.number(1, files_at as u64);
        mount.bytes(3, FOLDER);
        mount.number(4, NONE);
        mount.number(5, 1);
        edited.bytes(2, mount);
    }
    Ok(Some(edited))
}

/// Whether a step was injected before: graphs of earlier builds become parts of later ones.
fn knows(meta: &[Field<'_>], host: &str) -> Result<bool, Malformed> {
    for line in all_bytes(meta, 6) {
        if last_bytes(&fields(line)?, 1) == host.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A `Meta` with the variables, and a line for the hosts file.
fn with_entry(
    meta: &[Field<'_>],
    host: &str,
    injection: &StepInjection,
    injected: &mut Injected,
) -> Result<Message, Malformed> {
    let proxies = fields(last_bytes(meta, 5))?;
    let own = own_variables(meta, &proxies)?;
    let variables = injected
        .entry(own)
        .or_insert_with_key(|own| variables(own, injection));
    let mut edited = Message::new();
    for field in meta.iter().filter(|f| !matches!(f.number, 2 | 5)) {
        edited.copy(field);
    }
    let mut proxy = Message::new();
    let pairs = variables.iter().map(|pair| (key(pair), pair));
    for (name, pair) in pairs {
        let field = PROXY_FIELDS.iter().find(|(_, names)| names.contains(&name));
        match field {
            None => edited.bytes(2, pair),
            Some((field, [first, _])) if name == *first => {
                proxy.bytes(*field, pair.split_once('=').map_or("", |(_, value)| value));
            }
            Some(_) => {}
        }
    }
    for field in proxies.iter().filter(|field| field.number > 5) {
        proxy.copy(field);
    }
    edited.bytes(5, proxy);
    let mut line = Message::new();
    line.bytes(1, host);
    line.bytes(2, injection.address.to_string());
    edited.bytes(6, line);
    Ok(edited)
}

/// The variables that a step would see.
fn own_variables(meta: &[Field<'_>], proxies: &[Field<'_>]) -> Result<Vec<String>, Malformed> {
    let mut own = Vec::new();
    for pair in all_bytes(meta, 2) {
        own.push(text(pair)?.to_owned());
    }
    // BuildKit puts them last, so that they count.
    for (field, names) in PROXY_FIELDS {
        let value = text(last_bytes(proxies, field))?;
        if !value.is_empty() {
            own.retain(|pair| !names.contains(&key(pair)));
            own.extend(names.map(|name| format!("{name}={value}")));
        }
    }
    Ok(own)
}

/// Those that it sees once it is injected.
fn variables(own: &[String], injection: &StepInjection) -> Vec<String> {
    // A file that a step names is not known before it is there; ours holds what most trust.
    let named = wanted(|name| environment::effective(own, &[], name), |_| false).named;
    let authority = injection.files.as_ref().map(|_| Authority {
        sha256: String::new(),
        volume: String::new(),
        included: named.into_iter().collect(),
    });
    let added = Injection {
        instance: injection.instance.clone(),
        entry: Entry::Name(injection.instance.clone()),
        authority,
        no_proxy: String::new(),
        intercept_loopback: injection.intercept_loopback,
    };
    environment::inject(own, &[], &added, &mut Undo::default())
}

fn key(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default()
}
