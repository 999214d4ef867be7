//! An interceptor, asked by itself: whose certificates it shows.
//!
//! It is asked for a TLS server of our own on this machine's loopback, as some look at the origin's certificate before they
//! make theirs. So nothing goes to any network, and no container is needed.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::{Error, ends, tls};
use crate::core::check::Shown;

/// For all of it. Interceptors find out within that time that there is no way.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is said to be asked for in TLS: not every interceptor makes certificates for addresses.
const NAME: &str = "localhost";

/// Opens TLS through the interceptor at `address`, and tells whose certificate was shown. `authorities`: those whom
/// containers trust, in PEM.
pub async fn shown_by(address: &str, authorities: &[u8]) -> Result<Shown, Error> {
    let acceptor = tls::acceptor(NAME)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.map_err(|error| Error::Listen(error.to_string()))?;
    let own = listener.local_addr();
    let own = own.map_err(|error| Error::Listen(error.to_string()))?;
    let destination = own.to_string();
    let asking = timeout(PATIENCE, ask(address, &destination, authorities));
    let shown = tokio::select! {
        shown = asking => shown.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        never = serve(&listener, &acceptor) => match never {},
    };
    Ok(shown.unwrap_or_else(|error| Shown::None(error.to_string())))
}

async fn ask(interceptor: &str, destination: &str, authorities: &[u8]) -> io::Result<Shown> {
    let mut stream = TcpStream::connect(interceptor).await?;
    let (status, text) = ends::connect(&mut stream, destination).await?;
    if status != StatusCode::OK {
        let reason = format!("CONNECT was answered {status}: {}", ends::words(&text));
        return Ok(Shown::None(reason));
    }
    let (_, shown) = tls::connect(stream, NAME, authorities).await?;
    Ok(shown)
}

/// Until the other side has enough: one that is left too early might not go on to its client.
async fn hold(handshake: tokio_rustls::Accept<TcpStream>) {
    if let Ok(mut stream) = handshake.await {
        // Whatever comes, and its end, say the same.
        let _ = stream.read_u8().await;
    }
}

/// Speaks TLS to everybody: an interceptor may look first and come again. A caller that fails is the caller's affair.
async fn serve(listener: &TcpListener, acceptor: &TlsAcceptor) -> std::convert::Infallible {
    let mut callers = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                callers.spawn(hold(acceptor.accept(stream)));
            },
            Some(_) = callers.join_next() => {}
        }
    }
}
