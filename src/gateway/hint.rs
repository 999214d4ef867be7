//! Client hints: from whose point of view a connection is asked for.
//!
//! A hint comes as SOCKS5 user name, as `Dockline-Client` header or as user name of HTTP's proxy authentication.

use std::net::{IpAddr, SocketAddr};

use dashmap::DashSet;
use tracing::{debug, warn};

use super::callers::Callers;
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;

/// How many unknown hints are remembered, so that each is warned of once. A client that makes up a new one for every
/// connection gets no further warnings.
const REMEMBERED: usize = 1_024;

/// Longer ones are no container's: a name has at most 255 characters, as many as a SOCKS5 user name.
const LONGEST: usize = 255;

/// The user name of clients that have a password to give and no hint; `dockline integrate` tells them.
const NOBODY: &str = "dockline";

/// Turns hints into scopes.
#[derive(Debug, Default)]
pub(super) struct Hints {
    warned: DashSet<String>,
    /// Our connections to the interceptor.
    pub(super) callers: Callers,
}

impl Hints {
    pub(super) fn of(callers: Callers) -> Self {
        Self {
            callers,
            ..Self::default()
        }
    }

    /// The scope that `hint` means; the merged view without one, or if nobody is known by it.
    pub(super) fn scope(&self, map: &NetworkMap, hint: Option<&str>) -> Scope {
        let Some(hint) = hint.map(str::trim).filter(|h| !h.is_empty()) else {
            return Scope::Merged;
        };
        if let Some(scope) = self.find(map, hint) {
            return scope;
        }
        if hint != NOBODY {
            self.warn(hint);
        }
        Scope::Merged
    }

    /// The scope that a hint means: by the address and port from which the interceptor saw its client, which is ours where
    /// we handed a caller on to it, or by any reference.
    fn find(&self, map: &NetworkMap, hint: &str) -> Option<Scope> {
        let address = hint.parse::<SocketAddr>();
        let handed_on = address.as_ref().ok().and_then(|a| self.callers.scope(*a));
        handed_on.or_else(|| {
            let known = match (address, hint.parse::<IpAddr>()) {
                (Ok(address), _) => map.container_at(address.ip().to_canonical()),
                (_, Ok(address)) => map.container_at(address.to_canonical()),
                _ => map.find_container(hint),
            };
            known.map(|known| Scope::Container(known.container.id.clone()))
        })
    }

    fn warn(&self, hint: &str) {
        let hint: String = hint.chars().take(LONGEST).collect();
        if self.warned.len() < REMEMBERED && self.warned.insert(hint.clone()) {
            warn!(
                ?hint,
                "a client hint names no container: its connections see the merged view"
            );
        } else {
            debug!(?hint, "unknown client hint");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sample::id;
    use crate::gateway::tests::world;

    #[test]
    fn hints() {
        let map = world::map();
        let hints = Hints::default();
        let web = id("web");
        for (hint, known) in [
            (None, false),
            (Some(""), false),
            (Some(web.as_str()), true),
            (Some(web.short()), true),
            (Some("web"), true),
            (Some(" web "), true),
            (Some("10.231.1.2"), true),
            (Some("10.231.1.2:40112"), true),
            (Some("[::ffff:10.231.1.2]:40112"), true),
            (Some("fd00:231::2"), true),
            (Some("[fd00:231::2]:40112"), true),
            (Some("127.0.0.1:40112"), false),
            (Some("10.231.1.99"), false),
            (Some("nobody"), false),
        ] {
            let expected = if known {
                Scope::Container(web.clone())
            } else {
                Scope::Merged
            };
            assert_eq!(hints.scope(&map, hint), expected, "{hint:?}");
        }
        assert_eq!(hints.warned.len(), 3);
    }

    #[test]
    fn remembers_a_bounded_number_of_bounded_hints() {
        let (map, hints) = (NetworkMap::default(), Hints::default());
        for number in 0..2 * REMEMBERED {
            let padded = format!("{number:0width$}", width = 2 * LONGEST);
            hints.scope(&map, Some(&padded));
        }
        assert_eq!(hints.warned.len(), 1, "all begin alike");
        for number in 0..2 * REMEMBERED {
            hints.scope(&map, Some(&number.to_string()));
        }
        assert_eq!(hints.warned.len(), REMEMBERED);
    }
}
