//! The interceptors, and whose they are.

use std::path::Path;

use tokio::sync::watch;

use super::Sources;
use super::shape::{Interceptor, NamedInterceptor};

/// An interceptor, for those who report it.
#[derive(Clone, Debug)]
pub struct InterceptorSource {
    /// `builtin` or `external`.
    pub kind: &'static str,
    /// Where it listens.
    pub address: String,
    /// Whether it answers; nothing before the first attempt.
    pub reachable: watch::Receiver<Option<bool>>,
}

pub(super) fn report(source: &InterceptorSource) -> Interceptor {
    Interceptor {
        kind: source.kind.to_owned(),
        address: source.address.clone(),
        reachable: source.reachable.borrow().unwrap_or_default(),
    }
}

/// Those of some alone, with the authorities that they sign with.
pub(super) fn named(sources: &Sources) -> Vec<NamedInterceptor> {
    let named = sources.interceptors.named.iter();
    let named = named.map(|(name, source)| NamedInterceptor {
        name: name.clone(),
        interceptor: source.as_ref().map(report),
        ca: shown(sources.ca_files.named.get(name).and_then(Option::as_deref)),
        ca_sha256: sources.cas.named.get(name).cloned().flatten(),
    });
    named.collect()
}

/// A file, for people and programs.
pub(super) fn shown(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}
