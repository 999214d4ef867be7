//! Both ends of TLS: an origin with an authority of its own, and clients that trust some.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use super::SIZE;

/// A web server for every host of `.hosts.bench`, which answers each request alike.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    authority: String,
}

impl Origin {
    pub(super) fn start() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(["*.hosts.bench".to_owned()])?.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                thread::spawn(move || drop(serve(stream, config)));
            }
        });
        Ok(Self {
            address,
            authority: issuer.pem(),
        })
    }

    /// Who signed its certificate, in PEM.
    pub(super) fn authority(&self) -> String {
        self.authority.clone()
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = StreamOwned::new(ServerConnection::new(config)?, stream);
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + SIZE, b'x');
    let (mut request, mut filled) = ([0; 4_096], 0);
    loop {
        let read = stream.read(&mut request[filled..])?;
        filled += read;
        if read == 0 {
            return Ok(());
        }
        if request[..filled].ends_with(b"\r\n\r\n") {
            stream.write_all(&answer)?;
            stream.flush()?;
            filled = 0;
        }
    }
}

/// Clients that trust some authorities.
pub(super) struct Trusting(Arc<ClientConfig>);

impl Trusting {
    /// Of these, in PEM.
    pub(super) fn new(authorities: &[&String]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            let der = CertificateDer::from_pem_slice(authority.as_bytes());
            roots.add(der.map_err(|error| anyhow::anyhow!("{error:?}"))?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn connect(
        &self,
        name: &str,
        stream: TcpStream,
    ) -> Result<StreamOwned<ClientConnection, TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).context("an odd name")?;
        let connection = ClientConnection::new(Arc::clone(&self.0), name)?;
        Ok(StreamOwned::new(connection, stream))
    }
}
