//! TLS towards whoever answers in the place of an origin.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::core::trust::{Ca, Certificates};

/// Trusts the interceptors, for what they intercept; for what passes, whom the world and this machine trust.
#[derive(Debug)]
pub(super) struct Tls {
    cas: Vec<Ca>,
    /// Made when it is first needed: most builds add nothing by URL.
    made: Mutex<Option<Arc<ClientConfig>>>,
}

impl Tls {
    pub(super) fn new(cas: Vec<Ca>) -> Self {
        Self {
            cas,
            made: Mutex::default(),
        }
    }

    /// Speaks TLS to somebody who is to be `host`.
    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(self.config().await?);
        connector.connect(name, stream).await
    }

    async fn config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(made) = &*self.made() {
            return Ok(Arc::clone(made));
        }
        let cas = self.cas.clone();
        let config = spawn_blocking(move || config(&cas)).await??;
        *self.made() = Some(Arc::clone(&config));
        Ok(config)
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Option<Arc<ClientConfig>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn config(cas: &[Ca]) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let given = cas.iter().map(|ca| Certificates::from_pem(ca.pem()));
    for known in given.chain([Certificates::of_mozilla()]) {
        let owned = known.iter().map(|der| CertificateDer::from(der.to_vec()));
        roots.add_parsable_certificates(owned);
    }
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(Arc::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ))
}
