//! The instance's secret. What can be proved with it without telling it is part of the link's format ([`crate::wire`]).

use std::fmt;
use std::str::FromStr;

use ctutils::CtEq;

use crate::wire::Key;

/// Bytes in a secret.
const LENGTH: usize = 32;

/// What only this tunnel and its dockline know.
pub struct Secret {
    /// As hexadecimal digits, the way it is given and the form that serves as a password.
    text: String,
    key: Key,
}

/// The secret is not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("must be {} hexadecimal digits", LENGTH * 2)]
pub struct NotASecret;

impl Secret {
    /// Compares in a time that does not tell how much of `password` is right.
    pub(crate) fn is(&self, password: &str) -> bool {
        self.text.as_bytes().ct_eq(password.as_bytes()).to_bool()
    }

    /// As the key of proofs.
    pub(crate) fn key(&self) -> &Key {
        &self.key
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

    #[test]
    fn the_key_is_what_the_digits_say() {
        let secret: Secret = TEXT.parse().unwrap();
        let expected: Key = std::array::from_fn(|i| u8::try_from(i).unwrap());
        assert_eq!(secret.key(), &expected);
    }

    #[test]
    fn its_debug_form_does_not_tell_it() {
        let secret: Secret = TEXT.parse().unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
