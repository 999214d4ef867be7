//! The commands' end of the control API.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;

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
    let stream = local::connect(socket)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Error::NotRunning(socket.to_owned())
            }
            _ => broken(error),
        })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let query = serde_urlencoded::to_string(query).map_err(broken)?;
    let request = Request::builder()
        .method(method)
        .uri(format!("{path}?{query}"))
        .header("host", "localhost")
        .body(Empty::<&[u8]>::new())
        .map_err(broken)?;
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
        let Problem { error, hint } = serde_json::from_slice(&body).map_err(broken)?;
        return Err(Error::Refused { error, hint });
    }
    serde_json::from_slice(&body).map_err(broken)
}
