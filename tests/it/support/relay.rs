//! A real engine behind a [`Front`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::Lab;
use super::front::{Body, Front, reply};

/// A front, open, with the laboratory's engine behind it.
pub(crate) fn relay(lab: &Lab) -> Front {
    let front = closed_relay(lab);
    front.open();
    front
}

/// As [`relay`], where nobody listens yet.
pub(crate) fn closed_relay(lab: &Lab) -> Front {
    let host = lab.engine.host.strip_prefix("unix://");
    let socket = PathBuf::from(host.expect("engines for tests have unix sockets"));
    Front::new(Arc::new(move |request| {
        let socket = socket.clone();
        Box::pin(async move { forward(&socket, request).await })
    }))
}

async fn forward(socket: &Path, request: Request<Incoming>) -> Response<Body> {
    match ask(socket, request).await {
        Ok(response) => response.map(|body| body.map_err(std::io::Error::other).boxed_unsync()),
        Err(error) => reply(502, format!("{{\"message\":\"relay: {error}\"}}")),
    }
}

async fn ask(
    socket: &Path,
    request: Request<Incoming>,
) -> Result<Response<Incoming>, Box<dyn std::error::Error>> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the response's body, or when nobody wants that any more.
    tokio::task::spawn(connection);
    Ok(sender.send_request(request).await?)
}
