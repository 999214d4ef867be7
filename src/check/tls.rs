//! TLS of both ends: the asked container's certificate is nobody's, and the caller takes any, and tells whose it was.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::Error;
use crate::core::check::Shown;

/// By which the asked container's own certificate is known.
const ORIGIN: &str = "dockline check";

/// For the asked container.
pub(super) fn acceptor(name: &str) -> Result<TlsAcceptor, Error> {
    made(name).map_err(Error::Certificate)
}

fn made(name: &str) -> Result<TlsAcceptor, Box<dyn std::error::Error + Send + Sync>> {
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::new([name.to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, ORIGIN);
    let certificate = params.self_signed(&key)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Speaks TLS as a client, as in the calling container, and tells whose certificate it was shown.
pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    line: S,
    name: &str,
    authorities: &[u8],
) -> io::Result<(TlsStream<S>, Shown)> {
    let provider = Arc::new(ring::default_provider());
    let witness = Arc::new(Witness {
        provider: Arc::clone(&provider),
        judge: judge(authorities, &provider),
        shown: Mutex::new(None),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&witness) as _)
        .with_no_client_auth();
    let server = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(server, line).await?;
    let mut shown = witness.shown.lock().unwrap_or_else(PoisonError::into_inner);
    let shown = shown.take();
    Ok((
        stream,
        shown.unwrap_or_else(|| Shown::None("no certificate came".to_owned())),
    ))
}

/// As a client verifies that trusts these authorities alone; nothing if there are none.
fn judge(authorities: &[u8], provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(authorities).filter_map(Result::ok);
    roots.add_parsable_certificates(certificates);
    let built = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
    built.build().ok()
}

/// Takes every certificate, and notes whose it is.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    judge: Option<Arc<WebPkiServerVerifier>>,
    shown: Mutex<Option<Shown>>,
}

impl Witness {
    fn whose(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Shown {
        let reason = match &self.judge {
            Some(judge) => match judge.verify_server_cert(end, between, name, &[], now) {
                Ok(_) => return Shown::Trusted,
                Err(error) => error.to_string(),
            },
            None => "containers trust nobody".to_owned(),
        };
        let Ok((_, parsed)) = x509_parser::parse_x509_certificate(end) else {
            return Shown::None("the certificate cannot be read".to_owned());
        };
        let mut own = parsed.subject().iter_common_name();
        if own.any(|name| name.as_str().is_ok_and(|name| name == ORIGIN)) {
            return Shown::Origins;
        }
        Shown::Other {
            issuer: parsed.issuer().to_string(),
            reason,
        }
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let whose = self.whose(end, between, name, now);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Some(whose);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, end, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, end, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
