//! What is known of the tunnel: its stage, and how to reach it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::id::{ContainerId, NetworkId};
use super::wire::Key;

/// The port of the entry, on every network that the tunnel is on.
pub const ENTRY_PORT: u16 = 8790;

/// The tunnel's program, in its image.
pub const PROGRAM: &str = "/dockline-tunnel";

/// Where the tunnel stands. The words are promised to users (`tunnel.state` of `status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// There is none.
    #[default]
    Absent,
    /// It is being made, adopted or found.
    Starting,
    /// It answers.
    Running,
    /// It could not be brought up; it is tried again.
    Failed,
}

impl Stage {
    /// The word for users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Failed => "failed",
        }
    }
}

/// The password of the tunnel's SOCKS port. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes the secret as the tunnel has it in its environment: hexadecimal digits.
    pub fn new(hex: &str) -> Self {
        Self(Arc::from(hex))
    }

    /// The digits, for the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The bytes that the digits stand for, as the key of the link's proofs. Nothing if they are not a key's.
    pub fn key(&self) -> Option<Key> {
        let digits = self.0.as_bytes().chunks_exact(2);
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let key: Option<Vec<u8>> = digits.map(pair).collect();
        key?.try_into().ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How to use the tunnel's SOCKS port from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocksAccess {
    /// Where it answers: the home address, or a port published on loopback.
    pub address: SocketAddr,
    /// The password.
    pub secret: Secret,
}

/// The tunnel as its driver last saw it. Which networks it has joined is in the map, not here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TunnelState {
    /// How far it is.
    pub stage: Stage,
    /// The container.
    pub container: Option<ContainerId>,
    /// Its image's reference.
    pub image: Option<String>,
    /// How to reach it, once it answers.
    pub socks: Option<SocksAccess>,
    /// Whether the engine's machine is known to be this one, as this host itself has the address of the gateway of the
    /// tunnel's home network. An engine in a virtual machine, or on another one, is not there.
    pub engine_is_here: bool,
    /// Why it failed, or what was lost on the way (say, IPv6 on the home network).
    pub problem: Option<String>,
    /// Wanted networks that the engine would not let it join, and the engine's words.
    pub refused: BTreeMap<NetworkId, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_64_digits_say() {
        let digits = "a0".repeat(31) + "0B";
        let key = Secret::new(&digits).key().unwrap();
        assert_eq!((key[0], key[31]), (0xa0, 0x0b));
        for wrong in [
            "",
            "00",
            &digits[2..],
            &digits.replace('a', "g"),
            &"ü".repeat(32),
        ] {
            assert_eq!(Secret::new(wrong).key(), None, "{wrong}");
        }
    }
}
