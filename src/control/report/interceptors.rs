//! The interceptors, and whose they are.

use tokio::sync::watch;

use super::shape::{Interceptor, NamedInterceptor};
use crate::core::hand_on::Shares;

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
pub(super) fn named(
    interceptors: &Shares<Option<InterceptorSource>>,
    cas: &Shares<Option<String>>,
) -> Vec<NamedInterceptor> {
    let named = interceptors.named.iter();
    let named = named.map(|(name, source)| NamedInterceptor {
        name: name.clone(),
        interceptor: source.as_ref().map(report),
        ca_sha256: cas.named.get(name).cloned().flatten(),
    });
    named.collect()
}
