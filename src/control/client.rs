//! The commands' end of the control API.

mod events;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use self::events::{Event, Events, follow};
use crate::local;

/// The service answers from memory, but for a name that it must ask the world for (five seconds at most).
const DEADLINE: Duration = Duration::from_secs(15);

/// Why a command got no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens.
    #[error("dockline is not running (nothing answers at {}); start it with `dockline serve`", .0.display())]
    NotRunning(PathBuf),
    /// It listens and does not answer as it should.
    #[error("talk to dockline")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It said no.
    #[error("{error} ({hint})")]
    Refused {
        /// What is wrong.
        error: String,
        /// What to do.
        hint: String,
    },
}

#[derive(Deserialize)]
struct Problem {
    error: String,
    hint: String,
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Broken(error.into())
}

/// Asks the service that listens on `socket`.
pub async fn get<T: DeserializeOwned>(
    socket: &Path,
    path: &str,
    query: &[(&str, &str)],
) -> Result<T, Error> {
    ask_within(socket, Method::GET, path, query).await
}

/// Tells the service that listens on `socket` to do something.
pub async fn post<T: DeserializeOwned>(socket: &Path, path: &str) -> Result<T, Error> {
    ask_within(socket, Method::POST, path, &[]).await
}

async fn ask_within<T: DeserializeOwned>(
    socket: &Path,
    method: Method,
    path: &str,
    query: &[(&str, &str)],
) -> Result<T, Error> {
    match tokio::time::timeout(DEADLINE, ask(socket, method, path, query)).await {
        Ok(answer) => answer,
        Err(_) => Err(broken(format!("no answer within {DEADLINE:?}"))),
    }
}

async fn ask<T: DeserializeOwned>(
    socket: &Path,
    method: Method,
    path: &str,
    query: &[(&str, &str)],
) -> Result<T, Error> {
    let (mut sender, connection) = connect(socket).await?;
    let request = request(method, path, query)?;
    let exchange = async move {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        Ok::<_, hyper::Error>((status, answer.into_body().collect().await?.to_bytes()))
    };
    // The connection is driven by whoever waits for the answer, so that no task outlives the question; it ends
    // when the sender is dropped.
    let (answer, _) = tokio::join!(exchange, connection);
    let (status, body) = answer.map_err(broken)?;
    if status != StatusCode::OK {
        return Err(refused(&body));
    }
    serde_json::from_slice(&body).map_err(broken)
}

type Sender = hyper::client::conn::http1::SendRequest<Empty<&'static [u8]>>;

async fn connect(
    socket: &Path,
) -> Result<(Sender, impl Future<Output = hyper::Result<()>> + use<>), Error> {
    let stream = local::connect(socket)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Error::NotRunning(socket.to_owned())
            }
            _ => broken(error),
        })?;
    hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)
}

fn request(
    method: Method,
    path: &str,
    query: &[(&str, &str)],
) -> Result<Request<Empty<&'static [u8]>>, Error> {
    let query = serde_urlencoded::to_string(query).map_err(broken)?;
    Request::builder()
        .method(method)
        .uri(format!("{path}?{query}"))
        .header("host", "localhost")
        .body(Empty::new())
        .map_err(broken)
}

fn refused(body: &[u8]) -> Error {
    match serde_json::from_slice(body) {
        Ok(Problem { error, hint }) => Error::Refused { error, hint },
        Err(error) => broken(error),
    }
}
