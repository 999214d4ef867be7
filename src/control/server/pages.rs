//! For other programs: who is calling, for interceptors; what to ask the gateway for, for browsers.

use std::net::SocketAddr;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;

use super::handlers::Asked;
use super::{Failure, Served, problem, unknown_query};
use crate::control::report::{self, shape};
use crate::core::caller::Caller;
use crate::core::pac;
use crate::core::who;

/// `?client=IP:PORT`
#[derive(Debug, Deserialize)]
pub(super) struct WhoQuery {
    client: SocketAddr,
}

/// Whose connection the interceptor has from that address.
pub(super) async fn who(
    State(served): State<Served>,
    query: Asked<WhoQuery>,
) -> Result<Json<shape::WhoReport>, Failure> {
    let Query(query) = query.map_err(|why| unknown_query(&why))?;
    let sources = &served.sources;
    let scope = (sources.callers)(query.client).await.ok_or_else(|| {
        problem(
            StatusCode::NOT_FOUND,
            format!("no container was handed on from {}", query.client),
            "give the address and port from which the interceptor sees a connection that is still open",
        )
    })?;
    let caller = Caller {
        address: query.client,
        scope,
    };
    let who = who::who(&sources.map.borrow(), &caller);
    Ok(Json(shape::WhoReport {
        client: query.client.to_string(),
        name: who.name,
        container: who.container,
        service: who.service,
        project: who.project,
    }))
}

/// The gateway's connections.
pub(super) async fn connections(State(served): State<Served>) -> Json<shape::Connections> {
    let map = std::sync::Arc::clone(&served.sources.map.borrow());
    Json(report::connections(&map, &served.sources.traffic))
}

/// For browsers on this host.
pub(super) async fn pac(State(served): State<Served>) -> Response {
    let sources = &served.sources;
    let text = pac::pac(&sources.map.borrow(), sources.addresses.gateway);
    let kind = [
        (header::CONTENT_TYPE, "application/x-ns-proxy-autoconfig"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (kind, text).into_response()
}
