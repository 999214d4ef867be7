//! Certificates of hosts, made up for clients: one a host, within bounds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use super::authority::{Authority, AuthorityError};

/// Hosts whose certificates are kept. Each takes about a kilobyte.
const MOST: usize = 10_000;
/// After that long a host gets a new one, well before the old one ends.
const FRESH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// See the module.
pub(super) struct Leaves {
    authority: Authority,
    key: KeyPair,
    signing: Arc<dyn rustls::sign::SigningKey>,
    base: ServerConfig,
    /// Held while a certificate is made, some 0.1 ms, so that no host ever has two.
    kept: Mutex<Kept>,
}

/// The hosts asked for lately, and those before: when the first are too many, they take the place of the second.
#[derive(Default)]
struct Kept {
    young: BTreeMap<String, Leaf>,
    old: BTreeMap<String, Leaf>,
}

#[derive(Clone)]
struct Leaf {
    certified: Arc<CertifiedKey>,
    made: Instant,
}

/// Why a client gets no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeafError {
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("set up TLS")]
    Tls(#[from] rustls::Error),
    #[error("make a key")]
    Key(#[from] rcgen::Error),
}

impl fmt::Debug for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaves")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl Leaves {
    pub(super) fn new(authority: Authority) -> Result<Self, LeafError> {
        let key = KeyPair::generate()?;
        let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let nobody = Arc::new(Only(None));
        Ok(Self {
            authority,
            signing: ring::sign::any_supported_type(&der)?,
            key,
            // What clones of it share is the cache of sessions.
            base: ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_cert_resolver(nobody),
            kept: Mutex::default(),
        })
    }

    /// How TLS is spoken to a client that wants `host`, in one of these protocols.
    pub(super) fn config(
        &self,
        host: &str,
        protocols: Vec<Vec<u8>>,
    ) -> Result<Arc<ServerConfig>, LeafError> {
        let mut config = self.base.clone();
        config.cert_resolver = Arc::new(Only(Some(self.of(host)?)));
        config.alpn_protocols = protocols;
        Ok(Arc::new(config))
    }

    fn of(&self, host: &str) -> Result<Arc<CertifiedKey>, LeafError> {
        let host = host.to_ascii_lowercase();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = kept.find(&host) {
            return Ok(leaf.certified);
        }
        let certificate = self.authority.sign(&host, &self.key)?;
        let certified = CertifiedKey::new(vec![certificate], Arc::clone(&self.signing));
        let leaf = Leaf {
            certified: Arc::new(certified),
            made: Instant::now(),
        };
        kept.keep(host, leaf.clone());
        Ok(leaf.certified)
    }
}

impl Kept {
    fn find(&mut self, host: &str) -> Option<Leaf> {
        let leaf = if let Some(leaf) = self.young.get(host) {
            leaf.clone()
        } else {
            let leaf = self.old.remove(host)?;
            self.keep(host.to_owned(), leaf.clone());
            leaf
        };
        (leaf.made.elapsed() < FRESH).then_some(leaf)
    }

    fn keep(&mut self, host: String, leaf: Leaf) {
        if self.young.len() >= MOST / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(host, leaf);
    }
}

/// The same certificate for everybody.
#[derive(Debug)]
struct Only(Option<Arc<CertifiedKey>>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_one_certificate_within_bounds() {
        let home = tempfile::tempdir().unwrap();
        let leaves = Leaves::new(Authority::open(home.path()).unwrap()).unwrap();
        let first = leaves.of("api").unwrap();
        assert!(Arc::ptr_eq(&first, &leaves.of("API").unwrap()));
        assert!(!Arc::ptr_eq(&first, &leaves.of("db").unwrap()));
        for number in 0..MOST + 10 {
            // Who is asked for again and again stays.
            let again = leaves.of("api").unwrap();
            assert!(Arc::ptr_eq(&first, &again));
            leaves.of(&format!("host-{number}.example")).unwrap();
            let kept = leaves.kept.lock().unwrap();
            assert!(kept.young.len() + kept.old.len() <= MOST);
        }
        assert!(!Arc::ptr_eq(&first, &leaves.of("host-0.example").unwrap()));
    }
}
