//! The interceptor's own certificate authority: made once for a user, kept in the user's data folder, and the same ever after.
//!
//! Containers get its certificate. Its key is for the owner's eyes alone and never leaves the folder.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca-key.pem";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What it signs is valid from before now, for those whose clock is behind.
const BEFORE: Duration = DAY;
/// How long the authority lasts: nobody likes to hand out a new one.
const LASTS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// What is left of it when it is replaced, so that none is handed out that is about to end.
const LEAST_LEFT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long a host's certificate lasts; some clients take no longer ones than 398 days.
const LEAF_LASTS: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Who may read a file.
#[derive(Clone, Copy, Debug)]
enum Eyes {
    Owners,
    Everybodys,
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The system says no.
    #[error("use {}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// What is there is no authority.
    #[error(
        "use the certificate authority in {}: {reason}; remove {CERTIFICATE} and {KEY} there to have a new one made, which containers \
         made so far do not trust",
        folder.display()
    )]
    Unusable {
        /// Where it is.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Making or signing a certificate failed.
    #[error("make a certificate")]
    Making(#[from] rcgen::Error),
    /// There is no randomness.
    #[error("make a certificate: {0}")]
    Random(getrandom::Error),
}

/// A certificate authority, ready to sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: Bytes,
    path: PathBuf,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Opens the authority in `folder`; makes one if there is none, or if it is about to end.
    pub fn open(folder: &Path) -> Result<Self, AuthorityError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| AuthorityError::Io { path, source }
        };
        system::folder(folder).map_err(io(folder))?;
        let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
        // Two that start at once must not make one each.
        let lock = folder.join("ca.lock");
        let locked = system::file(Eyes::Owners).create(true).open(&lock);
        let locked = locked.map_err(io(&lock))?;
        locked.lock().map_err(io(&lock))?;
        let found = read(&certificate).map_err(io(&certificate))?;
        let found = found.zip(read(&key).map_err(io(&key))?);
        let (pem, key_pair) = match found
            .map(|(pem, key)| check(folder, pem, &key))
            .transpose()?
        {
            Some(usable) if !usable.ends_soon => {
                if system::hide(&key).map_err(io(&key))? {
                    warn!(path = %key.display(), "the authority's key could be read by others; remove it and the certificate if somebody may have");
                }
                (usable.pem, usable.key)
            }
            _ => {
                let (pem, key_pair) = make()?;
                // The key first: a certificate without its key would be handed out in vain.
                replace(&key, key_pair.serialize_pem().as_bytes(), Eyes::Owners)
                    .map_err(io(&key))?;
                replace(&certificate, pem.as_bytes(), Eyes::Everybodys)
                    .map_err(io(&certificate))?;
                info!(path = %certificate.display(), "a certificate authority was made, for containers to trust");
                (pem, key_pair)
            }
        };
        Ok(Self {
            issuer: Issuer::from_ca_cert_pem(&pem, key_pair)?,
            pem: pem.into(),
            path: certificate,
        })
    }

    /// Its certificate, in PEM.
    pub fn pem(&self) -> Bytes {
        self.pem.clone()
    }

    /// The file with its certificate.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A certificate for `host`, a name or an address, with this public key.
    pub(super) fn sign(
        &self,
        host: &str,
        key: &KeyPair,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let mut params = CertificateParams::new([host.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        // It may have 64 characters; what counts is the alternative name.
        if host.len() <= 64 {
            params.distinguished_name.push(DnType::CommonName, host);
        }
        params.serial_number = Some(serial_number()?);
        (params.not_before, params.not_after) = lasting(LEAF_LASTS);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(key, &self.issuer)?;
        Ok(signed.der().clone())
    }
}

/// An authority that was found.
struct Found {
    pem: String,
    key: KeyPair,
    ends_soon: bool,
}

fn check(folder: &Path, pem: String, key: &str) -> Result<Found, AuthorityError> {
    let unusable = |reason: String| AuthorityError::Unusable {
        folder: folder.to_owned(),
        reason,
    };
    let der = CertificateDer::from_pem_slice(pem.as_bytes());
    let der = der.map_err(|error| unusable(format!("{CERTIFICATE}: {error}")))?;
    let parsed = x509_parser::parse_x509_certificate(&der);
    let (_, certificate) = parsed.map_err(|error| unusable(format!("{CERTIFICATE}: {error}")))?;
    let key = KeyPair::from_pem(key).map_err(|error| unusable(format!("{KEY}: {error}")))?;
    if certificate.public_key().raw != key.subject_public_key_info() {
        return Err(unusable(format!("{KEY} is not the key of {CERTIFICATE}")));
    }
    let ends = certificate.validity().not_after.timestamp();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let least = i64::try_from((now + LEAST_LEFT).as_secs()).unwrap_or(i64::MAX);
    Ok(Found {
        ends_soon: ends < least,
        pem,
        key,
    })
}

fn make() -> Result<(String, KeyPair), AuthorityError> {
    let key = KeyPair::generate()?;
    // Told apart by its name as well: some programs keep one authority for each name.
    let hash = Sha256::digest(key.subject_public_key_info());
    let short = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("dockline CA {short:08x}"));
    params
        .distinguished_name
        .push(DnType::OrganizationName, "dockline");
    params.serial_number = Some(serial_number()?);
    (params.not_before, params.not_after) = lasting(LASTS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key))
}

/// From a little before now, for so long.
fn lasting<T: From<SystemTime>>(validity: Duration) -> (T, T) {
    let begin = SystemTime::now() - BEFORE;
    (begin.into(), (begin + validity).into())
}

/// One of its own for each certificate: clients refuse an authority that gives the same twice. Positive (RFC 5280, section
/// 4.1.2.2).
fn serial_number() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(AuthorityError::Random)?;
    bytes[0] = bytes[0] & 0x7F | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

/// The text of a file, if it is there.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file as a whole or not at all.
fn replace(path: &Path, text: &[u8], eyes: Eyes) -> io::Result<()> {
    let new = path.with_extension("new");
    if let Err(error) = fs::remove_file(&new)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = system::file(eyes).create_new(true).open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn is_made_once_and_its_key_is_the_owners() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("data/dockline");
        let first = Authority::open(&folder).unwrap();
        let again = Authority::open(&folder).unwrap();
        assert_eq!(first.pem(), again.pem());
        assert_eq!(fs::read(first.path()).unwrap(), first.pem());
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(KEY)), 0o600);
        assert!(!String::from_utf8_lossy(&first.pem()).contains("PRIVATE"));

        fs::set_permissions(folder.join(KEY), fs::Permissions::from_mode(0o644)).unwrap();
        Authority::open(&folder).unwrap();
        assert_eq!(mode(&folder.join(KEY)), 0o600);
    }

    #[test]
    fn what_is_no_authority_is_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        Authority::open(home.path()).unwrap();
        Authority::open(other.path()).unwrap();
        fs::copy(other.path().join(KEY), home.path().join(KEY)).unwrap();
        let error = Authority::open(home.path()).unwrap_err().to_string();
        assert!(error.contains("is not the key of"), "{error}");
        fs::write(home.path().join(CERTIFICATE), "nothing").unwrap();
        let error = Authority::open(home.path()).unwrap_err().to_string();
        assert!(error.contains("ca.pem"), "{error}");
    }

    #[test]
    fn one_that_is_about_to_end_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = lasting(30 * DAY);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let old = params.self_signed(&key).unwrap().pem();
        fs::write(home.path().join(CERTIFICATE), &old).unwrap();
        fs::write(home.path().join(KEY), key.serialize_pem()).unwrap();
        let authority = Authority::open(home.path()).unwrap();
        assert_ne!(authority.pem(), old);
        assert_eq!(Authority::open(home.path()).unwrap().pem(), authority.pem());
    }

    #[test]
    fn no_two_certificates_have_the_same_number() {
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::open(home.path()).unwrap();
        let key = KeyPair::generate().unwrap();
        let serial = |host| {
            let der = authority.sign(host, &key).unwrap();
            let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
            parsed.tbs_certificate.raw_serial().to_vec()
        };
        assert_ne!(serial("api"), serial("my_db.shop_default"));
        assert_ne!(serial("10.0.0.1"), serial("fd00::1"));
    }
}
