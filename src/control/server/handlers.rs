//! One function a path.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;

use super::{Failure, Served, problem, unknown_query, world};
use crate::control::metrics;
use crate::control::report::{self, Sources, shape};
use crate::core::map::NetworkMap;
use crate::core::resolve::{self, ADDRESSES, RecordType, Scope};
use crate::core::route::{Destination, Host};

pub(super) async fn status(State(served): State<Served>) -> Json<shape::Status> {
    Json(served.sources.status())
}

pub(super) async fn pause(State(served): State<Served>) -> Json<shape::Intercepting> {
    intercept(&served.sources, false)
}

pub(super) async fn resume(State(served): State<Served>) -> Json<shape::Intercepting> {
    intercept(&served.sources, true)
}

/// Lasts while the service runs. To say it again changes nothing.
fn intercept(sources: &Sources, intercepting: bool) -> Json<shape::Intercepting> {
    let news = sources.intercepting.send_replace(intercepting) != intercepting;
    if news {
        tracing::info!(intercepting, "told by the control API");
    }
    Json(shape::Intercepting { intercepting })
}

/// For Prometheus and the like.
pub(super) async fn metrics(State(served): State<Served>) -> Result<Response, Failure> {
    let text = metrics::text(&served.sources).map_err(|_| {
        problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics could not be written",
            "ask again, and report it if that does not help",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

pub(super) async fn readyz(State(served): State<Served>) -> Response {
    if served.sources.is_ready() {
        return "ready\n".into_response();
    }
    let why = served.sources.engine.borrow().problem.clone();
    let why = why.unwrap_or_else(|| "the map is not complete yet".to_owned());
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready: {why}\n"),
    )
        .into_response()
}

/// What was asked, if it can be understood.
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

/// `?name=&from=&type=`
#[derive(Debug, Deserialize)]
pub(super) struct ResolveQuery {
    name: String,
    from: Option<String>,
    #[serde(rename = "type")]
    record_type: Option<String>,
}

/// What kind of answer is wanted; both address families where nothing is said.
#[derive(Clone, Copy)]
enum Wanted {
    Addresses(&'static [RecordType]),
    Names,
}

fn wanted(text: Option<&str>, name: &str) -> Result<Wanted, Failure> {
    match text.map(str::to_uppercase).as_deref() {
        None if name.parse::<IpAddr>().is_ok() => Ok(Wanted::Names),
        None => Ok(Wanted::Addresses(ADDRESSES)),
        Some("A") => Ok(Wanted::Addresses(&[RecordType::A])),
        Some("AAAA") => Ok(Wanted::Addresses(&[RecordType::Aaaa])),
        Some("PTR") => Ok(Wanted::Names),
        Some(other) => {
            let error = format!("{other:?} is not a type that can be asked for");
            Err(problem(
                StatusCode::BAD_REQUEST,
                error,
                "use A, AAAA or PTR",
            ))
        }
    }
}

pub(super) async fn resolve(
    State(served): State<Served>,
    query: Asked<ResolveQuery>,
) -> Result<Json<shape::Resolution>, Failure> {
    let Query(query) = query.map_err(|why| unknown_query(&why))?;
    let sources = &served.sources;
    let map = current(sources)?;
    let scope = scope(&map, query.from.as_deref())?;
    let name = query.name.as_str();
    let (answer, explanation) = match wanted(query.record_type.as_deref(), name)? {
        Wanted::Names => (world::names(sources, &map, &scope, name).await?, None),
        Wanted::Addresses(types) => {
            let (answer, meant) = world::addresses(sources, &map, &scope, name, types).await;
            let explanation = resolve::explain(&map, &scope, &meant, types);
            (answer, Some(explanation))
        }
    };
    let explanation = explanation.as_ref();
    Ok(Json(report::resolution(
        &map,
        name,
        query.from,
        answer,
        explanation,
    )))
}

/// `?host=&port=&from=`
#[derive(Debug, Deserialize)]
pub(super) struct RouteQuery {
    host: String,
    port: Option<u16>,
    from: Option<String>,
}

/// What a URL without a port means.
const DEFAULT_PORT: u16 = 80;

pub(super) async fn route(
    State(served): State<Served>,
    query: Asked<RouteQuery>,
) -> Result<Json<shape::RouteReport>, Failure> {
    let Query(query) = query.map_err(|why| unknown_query(&why))?;
    let sources = &served.sources;
    let map = current(sources)?;
    let scope = scope(&map, query.from.as_deref())?;
    let port = query.port.unwrap_or(DEFAULT_PORT);
    let destination = Destination {
        host: Host::from(query.host.as_str()),
        port,
    };
    let decision = world::decision(sources, &map, &scope, &destination).await;
    let explained = match &destination.host {
        Host::Address(_) => None,
        Host::Name(name) => Some(resolve::explain(&map, &scope, name, ADDRESSES)),
    };
    Ok(Json(report::route(
        &map,
        &destination.to_string(),
        query.from,
        &decision,
        explained.as_ref(),
    )))
}

/// The map, once there is one: before, every name would be unknown.
fn current(sources: &Sources) -> Result<Arc<NetworkMap>, Failure> {
    let map = Arc::clone(&sources.map.borrow());
    if map.generation() > 0 {
        return Ok(map);
    }
    let engine = sources.engine.borrow();
    let why = engine
        .problem
        .as_deref()
        .unwrap_or("it is being asked what runs there");
    let error = format!("nothing is known of the engine yet: {why}");
    let hint = "start Docker; `dockline status --wait 30` waits for it";
    Err(problem(StatusCode::SERVICE_UNAVAILABLE, error, hint))
}

fn scope(map: &NetworkMap, from: Option<&str>) -> Result<Scope, Failure> {
    let Some(from) = from else {
        return Ok(Scope::Merged);
    };
    let found = map
        .find_container(from)
        .map(|k| Scope::Container(k.container.id.clone()));
    let hint = "give a container's id, name or address; only containers on a network with a watched one are known";
    found.ok_or_else(|| {
        problem(
            StatusCode::NOT_FOUND,
            format!("no container {from:?} is known"),
            hint,
        )
    })
}
