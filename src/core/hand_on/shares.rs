//! Which interceptor is whose: a container's label says it, or else its compose project.

use std::collections::BTreeMap;

use crate::core::label::{self, Labels};
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;

/// Something that some have of their own, by a name, and all others share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares<T> {
    /// Everybody's who has none of their own.
    pub rest: T,
    /// By the name that a label gives, or by compose project.
    pub named: BTreeMap<String, T>,
}

impl<T> From<T> for Shares<T> {
    fn from(rest: T) -> Self {
        Self {
            rest,
            named: BTreeMap::new(),
        }
    }
}

impl<T> Shares<T> {
    /// That of a container with these labels, with the name by which it is its own.
    pub fn named_by(&self, labels: &Labels) -> (Option<&str>, &T) {
        let by = |key| self.named.get_key_value(labels.get(key)?);
        match by(label::INTERCEPTOR).or_else(|| by(label::COMPOSE_PROJECT)) {
            Some((name, share)) => (Some(name), share),
            None => (None, &self.rest),
        }
    }

    /// That of a container with these labels.
    pub fn of(&self, labels: &Labels) -> &T {
        self.named_by(labels).1
    }

    /// That of somebody in `scope`.
    pub fn of_scope(&self, map: &NetworkMap, scope: &Scope) -> &T {
        let known = match scope {
            Scope::Container(id) => map.containers().get(id),
            Scope::Network(_) | Scope::Merged => None,
        };
        known.map_or(&self.rest, |known| self.of(&known.container.labels))
    }

    /// All of them, the rest's first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.rest).chain(self.named.values())
    }

    /// The same of something that is made of each.
    pub fn map<U>(&self, make: impl Fn(&T) -> U) -> Shares<U> {
        let named = self.named.iter().map(|(name, t)| (name.clone(), make(t)));
        Shares {
            rest: make(&self.rest),
            named: named.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sample::{id, map, network_id};

    const MAP: &str = "
        net shop 10.1.0.0/24
        run web watched shop=10.1.0.2 label=com.docker.compose.project=shop
        run mail watched shop=10.1.0.3 label=com.docker.compose.project=mail
        run told watched shop=10.1.0.4 label=com.docker.compose.project=shop label=dockline.interceptor=blue
        run typo watched shop=10.1.0.5 label=com.docker.compose.project=shop label=dockline.interceptor=blu
        run alone watched shop=10.1.0.6
    ";

    #[test]
    fn a_label_says_it_or_the_project_or_it_is_the_rests() {
        let map = map(MAP);
        let shares = Shares {
            rest: "rest",
            named: BTreeMap::from([("shop".to_owned(), "shops"), ("blue".to_owned(), "blues")]),
        };
        for (name, expected) in [
            ("web", "shops"),
            ("mail", "rest"),
            ("told", "blues"),
            // A name that nobody has: as if there were no label.
            ("typo", "shops"),
            ("alone", "rest"),
            ("gone", "rest"),
        ] {
            assert_eq!(
                *shares.of_scope(&map, &Scope::Container(id(name))),
                expected,
                "{name}"
            );
        }
        for scope in [Scope::Merged, Scope::Network(network_id("shop"))] {
            assert_eq!(*shares.of_scope(&map, &scope), "rest");
        }
        assert!(shares.map(|s| s.len()).iter().eq(&[4, 5, 5]));
    }
}
