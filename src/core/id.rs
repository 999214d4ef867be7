//! Newtypes for the engine's identifiers and for the instance's name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

macro_rules! engine_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The whole id.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first twelve characters, as Docker prints them.
            pub fn short(&self) -> &str {
                self.0.get(..12).unwrap_or(&self.0)
            }
        }

        impl<T: AsRef<str>> From<T> for $name {
            fn from(id: T) -> Self {
                Self(Arc::from(id.as_ref()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.short())
            }
        }
    };
}

engine_id! {
    /// A container's full id, as the engine gives it (64 hexadecimal digits).
    ContainerId
}
engine_id! {
    /// A network's full id. Networks are keyed by id, never by name: names may repeat.
    NetworkId
}

/// The name of one `dockline serve`: a DNS label of at most 32 characters, because it becomes part of names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Instance(String);

/// Why a text is not an instance name.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not an instance name: use up to 32 of a-z, 0-9 and '-', beginning and ending with a letter or digit"
)]
pub struct InvalidInstance(String);

impl Instance {
    /// The name itself, which is also the value of the label.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the instance that uses the documented ports.
    pub fn is_default(&self) -> bool {
        self.0 == "default"
    }

    /// The tunnel's container name, by which the engine knows it on every network that has names.
    ///
    /// The name alone and no alias, because a name can be given to a successor while connections are open, and an alias only
    /// with its endpoint.
    pub fn tunnel_name(&self) -> String {
        format!("dockline-tunnel-{}", self.0)
    }

    /// The name of a tunnel that has yet to take another's place.
    pub fn next_tunnel_name(&self) -> String {
        format!("{}_next", self.tunnel_name())
    }

    /// The name of a tunnel in whose place another has come.
    pub fn former_tunnel_name(&self, id: &ContainerId) -> String {
        format!("{}_{}", self.tunnel_name(), id.short())
    }

    /// The home network's name. It sorts first, so that the tunnel's gateway never moves (a network that sorts
    /// earlier would take the default route and reset connections through published ports).
    pub fn home_name(&self) -> String {
        format!("0-dockline-{}", self.0)
    }
}

/// Whether a tunnel of that name stands beside the one that containers know by its name.
pub fn is_beside(tunnel: &str) -> bool {
    tunnel.contains('_')
}

impl FromStr for Instance {
    type Err = InvalidInstance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let bytes = text.as_bytes();
        let valid = matches!(bytes.len(), 1..=32)
            && bytes.iter().all(|&c| inner(c) || c == b'-')
            && bytes.first().copied().is_some_and(inner)
            && bytes.last().copied().is_some_and(inner);
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInstance(text.to_owned()))
        }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_names_are_dns_labels() {
        for good in ["default", "a", "a-1", "0x", &"a".repeat(32)] {
            assert!(good.parse::<Instance>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ä", &"a".repeat(33)] {
            assert!(bad.parse::<Instance>().is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_instance_or_refused(text in "[a-z0-9-]{0,34}|\\PC{0,8}") {
            let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            let label = (1..=32).contains(&text.len())
                && text.chars().all(|c| inner(c) || c == '-')
                && text.starts_with(inner)
                && text.ends_with(inner);
            let parsed = text.parse::<Instance>();
            proptest::prop_assert_eq!(parsed.is_ok(), label);
            if let Ok(instance) = parsed {
                proptest::prop_assert_eq!(instance.as_str(), text);
            }
        }
    }

    #[test]
    fn a_tunnel_beside_the_one_has_a_name_that_no_instance_gives() {
        let instance: Instance = "x-1".parse().unwrap();
        let id = ContainerId::from("0123456789abcdef");
        let names = [
            (instance.tunnel_name(), "dockline-tunnel-x-1", false),
            (
                instance.next_tunnel_name(),
                "dockline-tunnel-x-1_next",
                true,
            ),
            (
                instance.former_tunnel_name(&id),
                "dockline-tunnel-x-1_0123456789ab",
                true,
            ),
        ];
        for (name, expected, beside) in names {
            assert_eq!((name.as_str(), is_beside(&name)), (expected, beside));
        }
    }

    #[test]
    fn a_short_id_stays_whole() {
        assert_eq!(ContainerId::from("abc").short(), "abc");
        assert_eq!(
            ContainerId::from("0123456789abcdef").short(),
            "0123456789ab"
        );
    }
}
