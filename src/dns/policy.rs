//! Who is asked for names that are not the engine's.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Where DNS servers listen.
const PORT: u16 = 53;

/// Whom to ask, as in `--dns-forward system|none|IP[,IP]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ForwardPolicy {
    /// The servers that the system itself asks.
    #[default]
    System,
    /// Nobody: such names do not exist.
    None,
    /// These, in this order.
    Servers(Vec<SocketAddr>),
}

/// Why a text is not a [`ForwardPolicy`].
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is neither `system` nor `none` nor addresses of DNS servers, such as 9.9.9.9,149.112.112.112"
)]
pub struct InvalidForwardPolicy(String);

impl FromStr for ForwardPolicy {
    type Err = InvalidForwardPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "system" => Ok(Self::System),
            "none" => Ok(Self::None),
            list => {
                let servers = list.split(',').map(|server| server_address(server.trim()));
                let servers: Option<Vec<_>> = servers.collect();
                servers
                    .map(Self::Servers)
                    .ok_or_else(|| InvalidForwardPolicy(text.to_owned()))
            }
        }
    }
}

/// An address, which may come with a port other than DNS's own.
fn server_address(text: &str) -> Option<SocketAddr> {
    let without_port = text.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT));
    without_port.or_else(|_| text.parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let servers = |list: &[&str]| {
            ForwardPolicy::Servers(list.iter().map(|text| text.parse().unwrap()).collect())
        };
        for (text, policy) in [
            ("system", ForwardPolicy::System),
            ("none", ForwardPolicy::None),
            ("9.9.9.9", servers(&["9.9.9.9:53"])),
            (
                "9.9.9.9, 2620:fe::fe",
                servers(&["9.9.9.9:53", "[2620:fe::fe]:53"]),
            ),
            (
                "127.0.0.1:5353,[::1]:54",
                servers(&["127.0.0.1:5353", "[::1]:54"]),
            ),
        ] {
            assert_eq!(text.parse::<ForwardPolicy>().unwrap(), policy, "{text}");
        }
        for text in [
            "",
            "System",
            "dns.example.com",
            "9.9.9.9,",
            "9.9.9",
            "none,9.9.9.9",
        ] {
            let error = text.parse::<ForwardPolicy>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{text:?} is neither")),
                "{error}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_policy_or_refused(text in "(system|none|[0-9a-f.:,\\[\\] ]{0,30}|\\PC{0,12})") {
            match text.parse::<ForwardPolicy>() {
                Ok(ForwardPolicy::System) => proptest::prop_assert_eq!(text, "system"),
                Ok(ForwardPolicy::None) => proptest::prop_assert_eq!(text, "none"),
                Ok(ForwardPolicy::Servers(servers)) => {
                    proptest::prop_assert_eq!(servers.len(), text.split(',').count());
                }
                Err(InvalidForwardPolicy(shown)) => proptest::prop_assert_eq!(shown, text),
            }
        }
    }
}
