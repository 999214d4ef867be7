//! The authority in use.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// The interceptor's certificates, and the hash by which it is known which ones a container trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ca {
    pem: Bytes,
    sha256: String,
}

impl Ca {
    /// Takes certificates in PEM.
    pub fn new(pem: Bytes) -> Self {
        Self {
            sha256: sha256(&[&pem]),
            pem,
        }
    }

    /// Its certificates, in PEM.
    pub fn pem(&self) -> &Bytes {
        &self.pem
    }

    /// What injected containers are labelled with.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// The SHA-256 of parts, in hexadecimal digits. Where one part ends, counts.
pub(super) fn sha256(parts: &[&[u8]]) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    match parts {
        // What anybody can compute with `sha256sum`.
        [only] => hash.update(only),
        parts => {
            for part in parts {
                hash.update(part.len().to_be_bytes());
                hash.update(part);
            }
        }
    }
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
