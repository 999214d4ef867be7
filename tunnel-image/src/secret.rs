//! The instance's secret, and what can be proved with it without telling it.
//!
//! The text that the proofs cover is part of the protocol between dockline and its tunnel: `src/tunnel/` of the root package
//! computes the same.

use std::fmt;
use std::str::FromStr;

use ctutils::CtEq;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes in a secret, and in its proofs.
pub(crate) const LENGTH: usize = 32;

/// What each side adds once to what is proved, so that no proof can be used twice.
pub(crate) type Nonce = [u8; 32];

/// What only this tunnel and its dockline know.
pub struct Secret {
    /// As hexadecimal digits, the way it is given and the form that serves as a password.
    text: String,
    key: [u8; LENGTH],
}

/// The secret is not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("must be {} hexadecimal digits", LENGTH * 2)]
pub struct NotASecret;

/// Who proves to know the secret.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Prover {
    Server,
    Client,
}

impl Prover {
    fn context(self) -> &'static [u8] {
        match self {
            Self::Server => b"dockline tunnel v1 server",
            Self::Client => b"dockline tunnel v1 client",
        }
    }
}

impl Secret {
    /// Compares in a time that does not tell how much of `password` is right.
    pub(crate) fn is(&self, password: &str) -> bool {
        self.text.as_bytes().ct_eq(password.as_bytes()).to_bool()
    }

    /// What `prover` sends to show that it knows the secret.
    pub(crate) fn proof(&self, prover: Prover, client: &Nonce, server: &Nonce) -> [u8; LENGTH] {
        self.mac(prover, client, server)
            .finalize()
            .into_bytes()
            .into()
    }

    /// Checks what `prover` sent, in a time that does not tell how much of it is right.
    pub(crate) fn verifies(
        &self,
        proof: &[u8; LENGTH],
        prover: Prover,
        client: &Nonce,
        server: &Nonce,
    ) -> bool {
        self.mac(prover, client, server).verify_slice(proof).is_ok()
    }

    fn mac(&self, prover: Prover, client: &Nonce, server: &Nonce) -> Hmac<Sha256> {
        // A block is longer than the key, so the key goes in as HMAC's definition has it: padded with zeros.
        let mut block = [0; 64];
        block[..LENGTH].copy_from_slice(&self.key);
        Hmac::<Sha256>::new(&block.into())
            .chain_update(prover.context())
            .chain_update(client)
            .chain_update(server)
    }
}

impl FromStr for Secret {
    type Err = NotASecret;

    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|value| value.try_into().ok()))
            .collect();
        let digits = digits
            .filter(|digits| digits.len() == LENGTH * 2)
            .ok_or(NotASecret)?;
        let mut key = [0; LENGTH];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self {
            text: text.to_owned(),
            key,
        })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn only_64_hexadecimal_digits_are_a_secret() {
        assert!(TEXT.parse::<Secret>().is_ok());
        assert!(TEXT.to_uppercase().parse::<Secret>().is_ok());
        let bad = [
            "",
            &TEXT[..62],
            &format!("{TEXT}00"),
            &TEXT.replace('f', "g"),
            &TEXT.replace('f', "ß"),
        ];
        for text in bad {
            assert!(text.parse::<Secret>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_password_is_the_whole_text() {
        let secret: Secret = TEXT.parse().unwrap();
        assert!(secret.is(TEXT));
        for wrong in [
            "",
            &TEXT[..63],
            &TEXT.replace("1f", "1e"),
            &format!("{TEXT}0"),
        ] {
            assert!(!secret.is(wrong), "{wrong}");
        }
    }

    /// Computed with another implementation: Python's `hmac.new(bytes(range(32)), …, "sha256")`.
    #[test]
    fn proofs_are_the_hmac_that_the_protocol_names() {
        let secret: Secret = TEXT.parse().unwrap();
        let check = |prover, digits: &str| {
            let expected: Secret = digits.parse().unwrap();
            let proof = secret.proof(prover, &[0xaa; 32], &[0xbb; 32]);
            assert_eq!(proof, expected.key);
        };
        check(
            Prover::Server,
            "feded145dd806970012bef24ca061266d068e351546607831c4542acb27ac349",
        );
        check(
            Prover::Client,
            "420b9bf4ab4e18674ef6b830439c8769c454dca61b063c16581c1bc24e451202",
        );
    }

    #[test]
    fn a_proof_holds_for_its_prover_and_nonces_only() {
        let secret: Secret = TEXT.parse().unwrap();
        let (client, server) = ([1; 32], [2; 32]);
        let proof = secret.proof(Prover::Client, &client, &server);
        assert!(secret.verifies(&proof, Prover::Client, &client, &server));
        assert!(!secret.verifies(&proof, Prover::Server, &client, &server));
        assert!(!secret.verifies(&proof, Prover::Client, &server, &client));
        assert!(!secret.verifies(&[0; 32], Prover::Client, &client, &server));
    }

    #[test]
    fn its_debug_form_does_not_tell_it() {
        let secret: Secret = TEXT.parse().unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
