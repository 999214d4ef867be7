//! `Control/Solve`: the whole of a build, as long as it takes.

use std::collections::BTreeSet;
use std::future::poll_fn;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::request::Parts;
use http::{HeaderValue, Request};
use tracing::debug;

use super::calls::{Answer, BUILD, call, warn};
use super::marks::{Mark, Marked};
use super::stream::{collect, pass, refuse};
use super::{Context, LARGEST, Obstacle, solve};
use crate::core::llb::{self, ControlSolve, EngineSide};

const PING: &str = "/moby.buildkit.v1.frontend.LLBBridge/Ping";
const SOLVE: &str = "/moby.buildkit.v1.frontend.LLBBridge/Solve";
const RETURN: &str = "/moby.buildkit.v1.frontend.LLBBridge/Return";

/// What becomes of a build's start.
enum Start {
    /// It goes on as it came: the client is in between itself, or there is nothing to intercept.
    AsItCame,
    /// With another graph.
    Graph(Vec<u8>),
    /// Nobody is in between: dockline is.
    Between(EngineSide),
}

pub(super) async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    context: &Context,
) {
    let (mut head, mut body) = request.into_parts();
    let (mut early, ended) = match collect(&mut body, LARGEST).await {
        Ok(collected) => collected,
        Err(error) => return refuse(&mut respond, &error),
    };
    // For the build's other calls, until this one has ended.
    let mut marked = None;
    let started = async {
        match llb::message(&early).filter(|_| ended) {
            Some(message) => start(context, message, &mut marked).await,
            None => Err(Obstacle::Unexpected(
                "a request is compressed, or too large",
            )),
        }
    };
    let started = tokio::select! {
        started = started => started,
        // Who has gone starts no build.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    let mut between = None;
    match started {
        Ok(Start::AsItCame) => {}
        Ok(Start::Graph(edited)) => early = llb::frame(&edited).into(),
        Ok(Start::Between(build)) => {
            early = llb::frame(&build.start).into();
            between = Some(build);
        }
        Err(obstacle) => tracing::warn!("a build is not intercepted: {obstacle}"),
    }
    head.headers.remove("content-length");
    let aside = head_of_ours(&head, between.as_ref());
    let request = Request::from_parts(head, body);
    let passing = pass(request, early, respond, &context.engine);
    match between {
        None => passing.await,
        // It ends when the build does, which what is done in between ends.
        Some(build) => tokio::select! {
            () = passing => {}
            () = async {
                between_client_and_frontend(context, &aside, &build).await;
                std::future::pending::<()>().await;
            } => {}
        },
    }
}

async fn start(
    context: &Context,
    message: &[u8],
    marked: &mut Option<Marked>,
) -> Result<Start, Obstacle> {
    let request = ControlSolve::read(message)?;
    if request.has_own_network() {
        *marked = Some(context.marks.put(request.build()?, Mark::Apart));
        return Err(Obstacle::Unexpected(
            "the engine keeps its steps in a network of its own",
        ));
    }
    if request.has_policies() {
        *marked = Some(context.marks.put(request.build()?, Mark::Ruled));
    }
    if let Some(build) = request.engine_side()? {
        return Ok(Start::Between(build));
    }
    let Some(definition) = request.definition() else {
        return Ok(Start::AsItCame);
    };
    let sources = (!request.has_policies()).then(BTreeSet::new);
    let edited = context.edited(definition, sources).await?;
    Ok(edited.map_or(Start::AsItCame, |edited| {
        Start::Graph(request.with_definition(&edited))
    }))
}

/// The client's own headers, for calls about its build.
fn head_of_ours(head: &Parts, build: Option<&EngineSide>) -> Parts {
    let mut ours = head.clone();
    let name = build.and_then(|build| HeaderValue::from_str(&build.build).ok());
    if let Some(name) = name {
        ours.headers.insert(BUILD, name);
    }
    ours
}

/// Does what a client does that is in between: asks the frontend, and returns what it answered.
async fn between_client_and_frontend(context: &Context, head: &Parts, build: &EngineSide) {
    // The engine answers as soon as it knows the build.
    let known = call(&context.engine, head, Some(PING), &[]).await;
    if !known.is_ok_and(|answer| answer.outcome().is_ok()) {
        return debug!("a build has ended before its frontend was asked");
    }
    let mut solve_head = head.clone();
    let mut uri = solve_head.uri.clone().into_parts();
    uri.path_and_query = Some(http::uri::PathAndQuery::from_static(SOLVE));
    solve_head.uri = http::Uri::from_parts(uri).unwrap_or_default();
    let solved = match solve::solve(context, &solve_head, &build.solve).await {
        Err(obstacle) => {
            warn(context, head, &obstacle).await;
            call(&context.engine, &solve_head, None, &build.solve).await
        }
        Ok(answer) => Ok(answer),
    };
    let returned = match &solved {
        Ok(answer) => returned(answer),
        Err(error) => EngineSide::failure(None, 14, &error.to_string()),
    };
    if let Err(error) = call(&context.engine, head, Some(RETURN), &returned).await {
        debug!(%error, "a build has ended before its result was returned");
    }
}

fn returned(answer: &Answer) -> Vec<u8> {
    match answer.outcome() {
        Ok(message) => EngineSide::result(message)
            .unwrap_or_else(|malformed| EngineSide::failure(None, 13, &malformed.to_string())),
        Err(words) => EngineSide::failure(answer.details().as_deref(), answer.code(), &words),
    }
}
