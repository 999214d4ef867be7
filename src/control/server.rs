//! The control API's listeners and its few paths.
//!
//! The socket is the owner's alone. The TCP address is for health checks and local pages: it answers to loopback
//! `Host` headers only and refuses what a browser sends from another site, so no page on the web can read it.

mod handlers;
mod listen;
mod live;
mod page;
mod pages;
mod world;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::listen::Own;
use super::report::Sources;
use crate::local;

/// The listeners, bound and not yet served.
#[derive(Debug)]
pub struct Control {
    tcp: TcpListener,
    socket: local::Listener,
    path: PathBuf,
}

/// An error, with advice. `{"error":…,"hint":…}`.
#[derive(Debug, Serialize)]
struct Problem {
    error: String,
    hint: &'static str,
}

type Failure = (StatusCode, Json<Problem>);

fn problem(status: StatusCode, error: impl Into<String>, hint: &'static str) -> Failure {
    (
        status,
        Json(Problem {
            error: error.into(),
            hint,
        }),
    )
}

async fn unknown_path() -> Failure {
    problem(
        StatusCode::NOT_FOUND,
        "there is nothing at this path",
        "see /v1/status, /v1/resolve, /v1/route, /v1/who, /v1/events, /v1/traffic, /metrics, /proxy.pac; on the socket /v1/pause, /v1/resume, /v1/connections",
    )
}

async fn unknown_method() -> Failure {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path takes another method",
        "use GET; POST for /v1/pause and /v1/resume, which are on the socket alone",
    )
}

/// A query that does not say what it has to.
fn unknown_query(why: &QueryRejection) -> Failure {
    problem(
        StatusCode::BAD_REQUEST,
        why.body_text(),
        "/v1/resolve takes name, from and type; /v1/route takes host, port and from; /v1/events takes live; /v1/who takes client, as IP:PORT",
    )
}

impl Control {
    /// Binds the TCP address, and the socket for the owner alone. A socket left by a crash is replaced; the caller
    /// holds the instance's lock, so nobody is using it.
    pub async fn bind(http: SocketAddr, socket: &Path) -> io::Result<Self> {
        let tcp = TcpListener::bind(http).await?;
        Ok(Self {
            tcp,
            socket: local::Bound::bind(socket)?.listen()?,
            path: socket.to_owned(),
        })
    }

    /// Where TCP is listened on.
    pub fn http_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until told to stop, then removes the socket.
    pub async fn run(self, sources: Sources, stop: CancellationToken) -> io::Result<()> {
        let served = Served {
            sources: Arc::new(sources),
            stop: stop.clone(),
        };
        let public = Router::new()
            .route("/", get(page::html))
            .route("/app.js", get(page::script))
            .route("/picture.js", get(page::picture))
            .route("/dom.js", get(page::dom))
            .route("/app.css", get(page::style))
            .route("/v1/status", get(handlers::status))
            .route("/v1/resolve", get(handlers::resolve))
            .route("/v1/route", get(handlers::route))
            .route("/v1/events", get(live::events))
            .route("/v1/traffic", get(live::traffic))
            .route("/v1/who", get(pages::who))
            .route("/proxy.pac", get(pages::pac))
            .route("/metrics", get(handlers::metrics))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(handlers::readyz))
            .fallback(unknown_path);
        // What changes anything, and who talks to whom, is the owner's alone.
        let private = public
            .clone()
            .route("/v1/pause", post(handlers::pause))
            .route("/v1/resume", post(handlers::resume))
            .route("/v1/connections", get(pages::connections));
        // As the last step: it is for the paths that are there by then.
        let (public, private) = (
            public.method_not_allowed_fallback(unknown_method),
            private.method_not_allowed_fallback(unknown_method),
        );
        let guarded = public.layer(middleware::from_fn(refuse_strangers));
        let tcp = listen::serve(self.tcp, guarded.with_state(served.clone()), &stop);
        let socket = listen::serve(Own::from(self.socket), private.with_state(served), &stop);
        tokio::join!(tcp, socket);
        local::remove(&self.path)
    }
}

/// What the handlers share.
#[derive(Clone)]
struct Served {
    sources: Arc<Sources>,
    stop: CancellationToken,
}

/// Lets through what a local program sends, and nothing that a web page could.
async fn refuse_strangers(request: Request, next: Next) -> Response {
    if is_local(request.headers()) {
        return next.run(request).await;
    }
    let hint = "use http://127.0.0.1 or http://localhost, from this machine";
    problem(
        StatusCode::FORBIDDEN,
        "requests from other sites are refused",
        hint,
    )
    .into_response()
}

fn is_local(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or_default());
    let host = text(header::HOST).is_some_and(is_loopback_authority);
    let origin = text(header::ORIGIN);
    let same_origin =
        origin.is_none_or(|o| o.strip_prefix("http://").is_some_and(is_loopback_authority));
    let site = headers
        .get("sec-fetch-site")
        .map(|v| v.to_str().unwrap_or_default());
    host && same_origin && site.is_none_or(|s| matches!(s, "same-origin" | "none"))
}

fn is_loopback_authority(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
