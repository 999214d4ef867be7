//! A bare connection to an engine, for the API proxy, which passes on the very bytes that its clients send.

use std::fs;
use std::io::{self, IoSlice};
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
#[cfg(windows)]
use tokio::net::windows::named_pipe::NamedPipeClient;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsConnector, rustls};

use super::Endpoint;
use super::endpoint::TlsFiles;
use crate::local;
#[cfg(target_os = "linux")]
use crate::relay::Socket as _;

/// For the connection to be there: engines on this machine take it at once.
const CONNECT: Duration = Duration::from_secs(10);

/// For an answer to a ping, where one is worth having.
const PING: Duration = Duration::from_secs(2);
const PING_REQUEST: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n";
const LONGEST_ANSWER: u64 = 16 * 1024;

/// A connection to an engine.
#[derive(Debug)]
pub enum EngineStream {
    /// By its unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
    /// By its named pipe.
    #[cfg(windows)]
    Pipe(NamedPipeClient),
    /// In the clear.
    Tcp(TcpStream),
    /// With certificates of both sides.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects to the engine.
pub async fn dial(endpoint: &Endpoint) -> io::Result<EngineStream> {
    let connected = timeout(CONNECT, connect(endpoint)).await;
    connected.unwrap_or_else(|_| {
        let reason = format!("no connection within {} s", CONNECT.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, reason))
    })
}

/// The instance whose API proxy answers there, if it is one: nobody else sends that header with `GET /_ping`.
pub async fn instance_behind(endpoint: &Endpoint) -> Option<String> {
    ping(endpoint, "dockline-instance").await
}

/// The builder that the engine proposes to its clients: `2` is BuildKit. Engines before 18.09 propose none.
pub async fn builder(endpoint: &Endpoint) -> Option<String> {
    ping(endpoint, "builder-version").await
}

/// A header of the answer to `GET /_ping`.
async fn ping(endpoint: &Endpoint, header: &str) -> Option<String> {
    let asked = timeout(PING, async {
        let mut stream = connect(endpoint).await?;
        stream.write_all(PING_REQUEST).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
        io::Result::Ok(answer)
    });
    let answer = asked.await.ok()?.ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let headers = answer.lines().filter_map(|line| line.split_once(':'));
    let mut meant = headers.filter(|(name, _)| name.eq_ignore_ascii_case(header));
    meant.next().map(|(_, value)| value.trim().to_owned())
}

async fn connect(endpoint: &Endpoint) -> io::Result<EngineStream> {
    match endpoint {
        #[cfg(unix)]
        Endpoint::Unix(path) => Ok(EngineStream::Unix(local::connect(path).await?)),
        #[cfg(windows)]
        Endpoint::Pipe(pipe) => {
            let pipe = local::connect(Path::new(pipe)).await?;
            Ok(EngineStream::Pipe(pipe))
        }
        Endpoint::Tcp(address) => Ok(EngineStream::Tcp(by_tcp(address).await?)),
        Endpoint::Tls(address, files) => {
            let connector = TlsConnector::from(Arc::new(tls(files)?));
            let host = address
                .rsplit_once(':')
                .map_or(&**address, |(host, _)| host);
            let name = host.trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(name).map_err(io::Error::other)?;
            let stream = connector.connect(name, by_tcp(address).await?).await?;
            Ok(EngineStream::Tls(Box::new(stream)))
        }
        #[cfg(unix)]
        Endpoint::Pipe(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "named pipes exist on Windows only",
        )),
        #[cfg(windows)]
        Endpoint::Unix(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "engines on Windows listen on named pipes",
        )),
    }
}

async fn by_tcp(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The authority's certificate and our own, as the Docker CLI uses them.
fn tls(files: &TlsFiles) -> io::Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    roots.add_parsable_certificates(certificates(&files.ca)?);
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|error| unusable(&files.key, &error))?;
    rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&files.cert)?, key)
        .map_err(|error| unusable(&files.cert, &error))
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let text = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    certificates.map_err(|error| unusable(path, &error))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> io::Error {
    io::Error::other(format!("use {}: {error}", path.display()))
}

impl EngineStream {
    /// Takes its socket from the runtime, if it is one of the system's.
    #[cfg(target_os = "linux")]
    pub(crate) fn into_descriptor(self) -> Result<io::Result<OwnedFd>, Self> {
        match self {
            Self::Unix(stream) => Ok(stream.into_descriptor()),
            Self::Tcp(stream) => Ok(stream.into_descriptor()),
            Self::Tls(_) => Err(self),
        }
    }
}

impl AsyncRead for EngineStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(windows)]
            Self::Pipe(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for EngineStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(windows)]
            Self::Pipe(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            #[cfg(windows)]
            Self::Pipe(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Unix(stream) => stream.is_write_vectored(),
            #[cfg(windows)]
            Self::Pipe(stream) => stream.is_write_vectored(),
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(windows)]
            Self::Pipe(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(windows)]
            Self::Pipe(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
