//! An authority of the test's own origins.

use std::collections::BTreeSet;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::core::sample;
use crate::core::trust::{Certificates, Roots};
use crate::interceptor::trust::AskRoots;

/// See the module.
pub(super) struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap());
        Self(issuer.unwrap())
    }

    pub(super) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// For the container `web`; whom others trust cannot be read.
    pub(super) fn asked(&self) -> AskRoots {
        let bundle: Certificates = [self.0.der().to_vec()].into_iter().collect();
        AskRoots::new(move |container| {
            let bundle = bundle.clone();
            let read = (container == sample::id("web")).then(|| Roots {
                bundle,
                java: Certificates::default(),
                included: BTreeSet::default(),
                is_bare: false,
            });
            Box::pin(std::future::ready(
                read.ok_or_else(|| "the engine is away".to_owned()),
            ))
        })
    }

    pub(super) fn server(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}
