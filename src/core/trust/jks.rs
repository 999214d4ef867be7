//! Java's own key stores, as far as certificates that are trusted go.
//!
//! The format is that of `sun.security.provider.JavaKeyStore`; numbers are big-endian, texts have two bytes of length.
//! What guards it against changes is a hash with the password, which nobody needs to read the certificates.

const MAGIC: u32 = 0xFEED_FEED;
/// Entries: a private key with its chain, or a certificate that is trusted.
const KEY: u32 = 1;
const TRUSTED: u32 = 2;

/// The certificates that a store trusts; nothing if it is no such store, or broken.
pub(super) fn certificates(store: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut reader = Reader(store);
    if reader.number()? != MAGIC {
        return None;
    }
    let version = reader.number()?;
    let mut trusted = Vec::new();
    for _ in 0..reader.number()? {
        let tag = reader.number()?;
        // The alias, and when it was made.
        reader.text()?;
        reader.take(8)?;
        match tag {
            KEY => {
                reader.block()?;
                for _ in 0..reader.number()? {
                    reader.certificate(version)?;
                }
            }
            TRUSTED => trusted.push(reader.certificate(version)?.to_vec()),
            _ => return None,
        }
    }
    Some(trusted)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        self.take(length.into())
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length.try_into().ok()?)
    }

    fn certificate(&mut self, version: u32) -> Option<&'a [u8]> {
        // The first version has no type, as all are X.509.
        if version > 1 {
            self.text()?;
        }
        self.block()
    }
}
