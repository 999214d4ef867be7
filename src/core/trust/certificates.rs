//! Certificates, each once, in the order in which they came.

use std::collections::BTreeSet;

use base64::prelude::{BASE64_STANDARD as STANDARD, Engine as _};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::{jks, pkcs12};

/// Characters of a line in PEM (RFC 7468, section 2).
const LINE: usize = 64;

/// See the module. They are never looked into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    list: Vec<Vec<u8>>,
    known: BTreeSet<Vec<u8>>,
}

impl Certificates {
    /// Those that Mozilla trusts for servers.
    pub fn of_mozilla() -> Self {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
        roots.map(|certificate| certificate.to_vec()).collect()
    }

    /// Those of a text in PEM; whatever else is there, keys above all, is left out.
    pub fn from_pem(text: &[u8]) -> Self {
        let found = CertificateDer::pem_slice_iter(text).filter_map(Result::ok);
        found.map(|certificate| certificate.to_vec()).collect()
    }

    /// Those of a trust store of Java's, of either format.
    pub fn from_store(bytes: &[u8]) -> Self {
        let found = jks::certificates(bytes).or_else(|| pkcs12::certificates(bytes));
        found.unwrap_or_default().into_iter().collect()
    }

    /// In PEM.
    pub fn to_pem(&self) -> String {
        let mut text = String::new();
        for certificate in &self.list {
            text.push_str("-----BEGIN CERTIFICATE-----\n");
            let mut rest = STANDARD.encode(certificate);
            while rest.len() > LINE {
                let more = rest.split_off(LINE);
                text.push_str(&rest);
                text.push('\n');
                rest = more;
            }
            text.push_str(&rest);
            text.push_str("\n-----END CERTIFICATE-----\n");
        }
        text
    }

    /// In DER.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.list.iter().map(Vec::as_slice)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Extend<Vec<u8>> for Certificates {
    fn extend<I: IntoIterator<Item = Vec<u8>>>(&mut self, more: I) {
        for certificate in more {
            if self.known.insert(certificate.clone()) {
                self.list.push(certificate);
            }
        }
    }
}

impl FromIterator<Vec<u8>> for Certificates {
    fn from_iter<I: IntoIterator<Item = Vec<u8>>>(certificates: I) -> Self {
        let mut all = Self::default();
        all.extend(certificates);
        all
    }
}

impl IntoIterator for Certificates {
    type Item = Vec<u8>;
    type IntoIter = std::vec::IntoIter<Vec<u8>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
