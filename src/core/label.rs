//! The labels that dockline writes and reads, and what they say about a container.

use litemap::LiteMap;

use super::id::Instance;

/// On watched containers and on what dockline makes: whose it is.
pub const INSTANCE: &str = "dockline.instance";
/// On what dockline itself makes: what it is for.
pub const ROLE: &str = "dockline.role";
/// The user's own: `false` leaves a container alone.
pub const ENABLE: &str = "dockline.enable";
/// The user's own: hosts, separated by commas, that are not intercepted.
pub const NO_PROXY: &str = "dockline.no-proxy";
/// The user's own: the name of the interceptor that gets what a container sends.
pub const INTERCEPTOR: &str = "dockline.interceptor";
/// On injected containers: what injection replaced.
pub const UNDO: &str = "dockline.undo";
/// On injected containers: the SHA-256 of the authority that they trust.
pub const CA: &str = "dockline.ca";
/// On injected containers that know the tunnel by an address: where they reach its entry.
pub const ENTRY: &str = "dockline.entry";
/// On images that the classic builder made under interception: whose it was. Containers made of them have it, too, the
/// builder's own for the steps among them.
pub const BUILD: &str = "dockline.build";
/// On a container that took another's place: that one's id.
pub const REPLACES: &str = "dockline.replaces";
/// On what compose makes: what of its configuration decides whether it is made anew.
pub const COMPOSE_HASH: &str = "com.docker.compose.config-hash";
/// On what compose makes: the project.
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";
/// On what compose makes: the service, whose containers are replicas of one another.
pub const COMPOSE_SERVICE: &str = "com.docker.compose.service";
/// On the containers of a swarm: the task.
pub const SWARM_TASK: &str = "com.docker.swarm.task.id";
/// On the containers of a swarm: the service, whose tasks are replicas of one another.
pub const SWARM_SERVICE: &str = "com.docker.swarm.service.name";
/// Repository of the images that keep what containers wrote into their own files, when they are made anew. They carry no
/// label: containers made of them would have it, too.
pub const KEPT: &str = "dockline/kept";
/// [`ROLE`] of the tunnel container and its image.
pub const ROLE_TUNNEL: &str = "tunnel";
/// [`ROLE`] of the home network.
pub const ROLE_HOME: &str = "home";
/// [`ROLE`] of the volumes with injected files, and of the image that builds copy them from.
pub const ROLE_DATA: &str = "data";
/// [`ROLE`] of dockline itself, in a container: its image has the label.
pub const ROLE_SERVICE: &str = "service";
/// [`ROLE`] of what is there to ask the engine something, and goes at once.
pub const ROLE_PROBE: &str = "probe";

/// On a probe that looks at the whole way round: it is watched, as what it stands for would be.
pub const CHECK: &str = "dockline.check";

/// Labels of a container, a network or an image.
pub type Labels = LiteMap<String, String>;

/// The labels that are remembered of a container: dockline's, and those that names and reports are made from. Compose
/// alone writes a dozen to every container.
pub fn remembered(labels: &Labels) -> Labels {
    let theirs = [COMPOSE_PROJECT, COMPOSE_SERVICE, SWARM_TASK, SWARM_SERVICE];
    let remembered = labels
        .iter()
        .filter(|(key, _)| key.starts_with("dockline.") || theirs.contains(&key.as_str()));
    let remembered: Box<[_]> = remembered.map(|(k, v)| (k.clone(), v.clone())).collect();
    // They are in order, and none has room for another.
    Labels::from_sorted_store_unchecked(remembered.into_vec())
}

/// The compose hash of a container that `instance` injects: outside its shells, compose sees another configuration.
pub fn injected_hash(hash: &str, instance: &Instance) -> String {
    format!("{hash}+dockline:{instance}")
}

/// The compose hash that clients of the API proxy are told of a container with these labels, if it is another than the
/// one there. Compose makes anew what has not the hash that it wants, so what is not intercepted becomes so by the next
/// `up`; `injectable`: whether it would be.
pub fn told_hash(labels: &Labels, instance: &Instance, injectable: bool) -> Option<String> {
    let hash = labels.get(COMPOSE_HASH)?;
    let own = labels.get(INSTANCE).is_some_and(|i| i == instance.as_str());
    if own && labels.contains_key(UNDO) {
        let plain = hash.strip_suffix(&injected_hash("", instance))?;
        return Some(plain.to_owned());
    }
    (injectable && !labels.contains_key(REPLACES)).then(|| format!("{hash}+unintercepted"))
}

/// A label that must be there, with any value or with a given one: `--match LABEL[=VALUE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The label's key.
    pub key: String,
    /// Its value, where one was given.
    pub value: Option<String>,
}

impl From<&str> for Match {
    fn from(text: &str) -> Self {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (text, None),
        };
        Self {
            key: key.to_owned(),
            value,
        }
    }
}

impl Match {
    fn accepts(&self, labels: &Labels) -> bool {
        labels
            .get(&self.key)
            .is_some_and(|found| self.value.as_ref().is_none_or(|wanted| wanted == found))
    }
}

/// Says which containers are watched.
#[derive(Clone, Debug)]
pub struct Selector {
    /// Containers that carry this instance's label are watched.
    pub instance: Instance,
    /// So are those with one of these labels.
    pub matches: Vec<Match>,
    /// So is every container (`--all`).
    pub all: bool,
}

/// What a container is to this instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its traffic matters: it makes its networks interesting.
    Watched,
    /// This instance's tunnel.
    OwnTunnel,
    /// Made by dockline for another purpose, or by another instance: not in the map.
    Dockline,
    /// Any other container; in the map while it is on an interesting network.
    Other,
}

impl Selector {
    /// Watches only what carries the instance's label.
    pub fn new(instance: Instance) -> Self {
        Self {
            instance,
            matches: Vec::new(),
            all: false,
        }
    }

    /// What is watched, in words.
    pub fn describe(&self) -> String {
        if self.all {
            return "every container".to_owned();
        }
        let own = format!("{INSTANCE}={}", self.instance);
        let matches = self.matches.iter().map(|m| match &m.value {
            Some(value) => format!("{}={value}", m.key),
            None => m.key.clone(),
        });
        let all: Vec<_> = [own].into_iter().chain(matches).collect();
        format!("containers labelled {}", all.join(" or "))
    }

    /// Whether one of these labels can make a container watched.
    pub fn depends_on(&self, keys: &[&str]) -> bool {
        self.matches.iter().any(|m| keys.contains(&m.key.as_str()))
    }

    /// Tells what a container with these labels is.
    pub fn part(&self, labels: &Labels) -> Part {
        let own = labels
            .get(INSTANCE)
            .is_some_and(|i| i == self.instance.as_str());
        match labels.get(ROLE).map(String::as_str) {
            Some(ROLE_TUNNEL) if own => return Part::OwnTunnel,
            Some(ROLE_PROBE) if own && labels.contains_key(CHECK) => return Part::Watched,
            Some(_) => return Part::Dockline,
            None => {}
        }
        if labels
            .get(ENABLE)
            .is_some_and(|v| v.eq_ignore_ascii_case("false"))
        {
            return Part::Other;
        }
        if own || self.all || self.matches.iter().any(|m| m.accepts(labels)) {
            return Part::Watched;
        }
        Part::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        text.split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }

    #[test]
    fn parts() {
        let plain = Selector::new("default".parse().unwrap());
        let matching = Selector {
            matches: vec!["team".into(), "tier=web".into()],
            ..plain.clone()
        };
        let all = Selector {
            all: true,
            ..plain.clone()
        };
        for (selector, text, part) in [
            (&plain, "", Part::Other),
            (&plain, "dockline.instance=default", Part::Watched),
            (&plain, "dockline.instance=other", Part::Other),
            (
                &plain,
                "dockline.instance=default dockline.role=tunnel",
                Part::OwnTunnel,
            ),
            (
                &plain,
                "dockline.instance=other dockline.role=tunnel",
                Part::Dockline,
            ),
            (
                &plain,
                "dockline.instance=default dockline.role=probe",
                Part::Dockline,
            ),
            (
                &plain,
                "dockline.instance=default dockline.role=probe dockline.check=caller",
                Part::Watched,
            ),
            (
                &all,
                "dockline.instance=other dockline.role=probe dockline.check=caller",
                Part::Dockline,
            ),
            (
                &plain,
                "dockline.instance=default dockline.enable=false",
                Part::Other,
            ),
            (&all, "dockline.role=service", Part::Dockline),
            (&matching, "team=x", Part::Watched),
            (&matching, "tier=db", Part::Other),
            (&matching, "tier=web", Part::Watched),
            (&all, "", Part::Watched),
            (
                &all,
                "dockline.role=tunnel dockline.instance=other",
                Part::Dockline,
            ),
            (&all, "dockline.enable=false", Part::Other),
        ] {
            assert_eq!(selector.part(&labels(text)), part, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_match_takes_what_it_names_and_nothing_else(
            key in "[a-z.=]{0,3}",
            value in proptest::option::of("[a-z=]{0,2}"),
            found in "[a-z.=]{0,3}",
            with in "[a-z=]{0,2}",
        ) {
            let text = value.as_ref().map_or_else(|| key.clone(), |value| format!("{key}={value}"));
            let labels = Labels::from_iter([(found.clone(), with.clone())]);
            // A key ends at the first equals sign.
            let (key, value) = text.split_once('=').map_or((text.as_str(), None), |(k, v)| (k, Some(v)));
            let expected = key == found && value.is_none_or(|value| value == with);
            proptest::prop_assert_eq!(Match::from(text.as_str()).accepts(&labels), expected);
        }
    }
}
