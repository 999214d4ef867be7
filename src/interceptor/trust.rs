//! Whom the interceptor takes for an origin: TLS towards servers, verified.
//!
//! [`Trust::of`] is the one place that says by which authorities a caller's origins are verified. It is this machine's for all
//! callers; those of the caller's own image belong there.

use std::io;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tracing::warn;

use super::prefixed::Prefixed;
use super::refusal;
use super::{Client, DEADLINES};
use crate::core::route::Destination;
use crate::proxy::refusal::Refusal;

/// The authorities.
#[derive(Debug)]
pub(super) struct Trust {
    machine: ClientConfig,
}

impl Trust {
    pub(super) fn load() -> io::Result<Self> {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            warn!(%error, "some of this machine's certificate authorities could not be read");
        }
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        if usable == 0 {
            warn!(
                "this machine has no certificate authorities: no TLS origin is trusted; install them, or name a file with SSL_CERT_FILE"
            );
        }
        Self::in_roots(roots)
    }

    /// These alone.
    pub(super) fn in_roots(roots: RootCertStore) -> io::Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        Ok(Self {
            machine: config.with_root_certificates(roots).with_no_client_auth(),
        })
    }

    /// By what the origins of `client` are verified.
    fn of(&self, _client: &Client) -> ClientConfig {
        self.machine.clone()
    }

    /// Speaks TLS to an origin that is to be `name`, offering these protocols.
    pub(super) async fn connect(
        &self,
        client: &Client,
        (destination, name): (&Destination, &str),
        protocols: Vec<Vec<u8>>,
        stream: Prefixed,
    ) -> Result<TlsStream<Prefixed>, Refusal> {
        let broken = |reason: &str| refusal::broken(destination, reason);
        let server_name = ServerName::try_from(name.to_owned());
        let server_name =
            server_name.map_err(|_| broken("its name cannot stand in a certificate"))?;
        let mut config = self.of(client);
        config.alpn_protocols = protocols;
        let connecting = TlsConnector::from(Arc::new(config)).connect(server_name, stream);
        match timeout(DEADLINES.handshake, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(failed(destination, &error)),
            Err(_) => Err(broken("its TLS handshake took too long")),
        }
    }
}

fn failed(destination: &Destination, error: &io::Error) -> Refusal {
    let tls = error.get_ref().and_then(|e| e.downcast_ref());
    match tls {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            refusal::untrusted(destination, words(reason))
        }
        _ => refusal::broken(destination, format!("TLS: {error}")),
    }
}

/// What people say of it.
fn words(reason: &rustls::CertificateError) -> String {
    match reason {
        // The signature is bad if there is another issuer of the same name.
        rustls::CertificateError::UnknownIssuer | rustls::CertificateError::BadSignature => {
            "its issuer is not known".to_owned()
        }
        rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        other => other.to_string(),
    }
}
