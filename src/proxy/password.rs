//! The password that `--gateway-password` asks of clients.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Any key will do: the tag is never told, it only makes comparing take as long for a wrong guess as for a near one.
const KEY: &[u8] = b"dockline gateway password";

/// A password that can be checked and not read back.
#[derive(Clone)]
pub struct Password(Vec<u8>);

impl Password {
    /// Takes the password as the user gave it.
    pub fn new(text: &str) -> Self {
        let tag = hashed(text.as_bytes()).map(|mac| mac.finalize().into_bytes().to_vec());
        Self(tag.unwrap_or_default())
    }

    /// Whether `given` is the password; how long that takes says nothing of it.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        hashed(given).is_some_and(|mac| mac.verify_slice(&self.0).is_ok())
    }
}

/// HMAC takes keys of any length, so there always is one.
fn hashed(text: &[u8]) -> Option<Hmac<Sha256>> {
    let mac = Hmac::<Sha256>::new_from_slice(KEY).ok()?;
    Some(mac.chain_update(text))
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_very_password_only() {
        let password = Password::new("s3cr!t");
        assert!(password.is(b"s3cr!t"));
        for wrong in ["", "s3cr!", "s3cr!t ", "S3cr!t"] {
            assert!(!password.is(wrong.as_bytes()), "{wrong:?}");
        }
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
