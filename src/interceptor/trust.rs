//! Whom the interceptor takes for an origin: TLS towards servers, verified.
//!
//! A container's origins are verified by whom that very container trusts, so that what it would refuse is refused, and its
//! private roots count for nobody else; those of clients on this host by whom this machine trusts.

mod callers;

use std::io;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};
use tracing::{info, warn};

pub use callers::AskRoots;

use super::prefixed::Prefixed;
use super::refusal;
use super::{Client, DEADLINES};
use crate::core::resolve::Scope;
use crate::core::route::Destination;
use crate::proxy::refusal::Refusal;
use callers::Callers;

/// The authorities.
#[derive(Debug)]
pub(super) struct Trust {
    machine: Arc<Verifier>,
    callers: Callers,
}

/// Verifies the origins of somebody.
#[derive(Debug)]
struct Verifier {
    config: Arc<ClientConfig>,
    /// For people: by whom, and what to do if that does not do. A sentence.
    by: String,
}

impl Trust {
    pub(super) fn load(ask: AskRoots) -> io::Result<Self> {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            warn!(%error, "some of this machine's certificate authorities could not be read");
        }
        let mut roots = store(found.certs);
        if roots.is_empty() {
            info!(
                "this machine has no certificate authorities: those that Mozilla trusts are taken where they count"
            );
            let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
            roots = store(mozilla.to_vec());
        }
        Self::new(roots, ask)
    }

    /// With the roots of this machine.
    pub(super) fn new(machine: RootCertStore, ask: AskRoots) -> io::Result<Self> {
        let config = config(machine).map_err(io::Error::other)?;
        let by = "It was verified with this machine's certificate authorities: add its issuer to them, or name a file with it by \
                  SSL_CERT_FILE for `dockline serve`.";
        Ok(Self {
            callers: Callers::new(Arc::clone(&config), ask),
            machine: Arc::new(Verifier {
                config,
                by: by.to_owned(),
            }),
        })
    }

    /// By what the origins of `client` are verified.
    async fn of(&self, client: &Client) -> Arc<Verifier> {
        match &client.caller.scope {
            Scope::Container(id) => self.callers.of(id, &client.who.name).await,
            Scope::Network(_) | Scope::Merged => Arc::clone(&self.machine),
        }
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
        let verifier = self.of(client).await;
        let mut config = ClientConfig::clone(&verifier.config);
        config.alpn_protocols = protocols;
        let connecting = TlsConnector::from(Arc::new(config)).connect(server_name, stream);
        match timeout(DEADLINES.handshake, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.failed(client, destination, &error, &verifier)),
            Err(_) => Err(broken("its TLS handshake took too long")),
        }
    }

    fn failed(
        &self,
        client: &Client,
        destination: &Destination,
        error: &io::Error,
        verifier: &Arc<Verifier>,
    ) -> Refusal {
        let tls = error.get_ref().and_then(|e| e.downcast_ref());
        match tls {
            Some(rustls::Error::InvalidCertificate(reason)) if is_unknown(reason) => {
                if let Scope::Container(id) = &client.caller.scope {
                    self.callers.doubt(id, verifier);
                }
                refusal::untrusted(destination, "its issuer is not known", Some(&verifier.by))
            }
            Some(rustls::Error::InvalidCertificate(reason)) => {
                refusal::untrusted(destination, words(reason), None)
            }
            _ => refusal::broken(destination, format!("TLS: {error}")),
        }
    }
}

/// What of these can be used.
fn store(roots: impl IntoIterator<Item = CertificateDer<'static>>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots);
    store
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(Arc::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ))
}

/// The signature is bad if there is another issuer of the same name.
fn is_unknown(reason: &CertificateError) -> bool {
    matches!(
        reason,
        CertificateError::UnknownIssuer | CertificateError::BadSignature
    )
}

/// What people say of it.
fn words(reason: &CertificateError) -> String {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        other => other.to_string(),
    }
}
