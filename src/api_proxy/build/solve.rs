//! `LLBBridge/Solve`: the frontend, which reads the Dockerfile, answers with a graph of which nothing is built yet. The
//! client gets another graph's id instead.

use std::collections::BTreeSet;
use std::future::poll_fn;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use http::request::Parts;

use super::calls::{Answer, BUILD, call, warn};
use super::marks::Mark;
use super::stream::{collect, pass, refuse};
use super::{Context, LARGEST, Obstacle};
use crate::core::llb::{self, BridgeSolve, Malformed, Reference};

pub(super) async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    context: &Context,
) {
    let (head, mut body) = request.into_parts();
    if mark(context, &head) == Some(Mark::Apart) {
        let request = Request::from_parts(head, body);
        return pass(request, Bytes::new(), respond, &context.engine).await;
    }
    let (early, ended) = match collect(&mut body, LARGEST).await {
        Ok(collected) => collected,
        Err(error) => return refuse(&mut respond, &error),
    };
    let message = llb::message(&early).filter(|_| ended);
    let solved = async {
        match message {
            Some(message) => solve(context, &head, message).await,
            None => Err(Obstacle::Unexpected(
                "a request is compressed, or too large",
            )),
        }
    };
    let solved = tokio::select! {
        solved = solved => solved,
        // Who has gone needs no answer.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    match solved {
        Ok(answer) => answer.send(&mut respond).await,
        Err(obstacle) => {
            warn(context, &head, &obstacle).await;
            let request = Request::from_parts(head, body);
            pass(request, early, respond, &context.engine).await;
        }
    }
}

/// Has a request solved with RUN steps intercepted.
pub(super) async fn solve(
    context: &Context,
    head: &Parts,
    message: &[u8],
) -> Result<Answer, Obstacle> {
    let request = BridgeSolve::read(message)?;
    if let Some(definition) = request.definition() {
        return own_graph(context, head, message, &request, definition).await;
    }
    if !request.takes_references() {
        return Err(Obstacle::Unexpected(
            "its client is too old: it does not take references",
        ));
    }
    let first = call(&context.engine, head, None, &request.unevaluated()).await?;
    let Ok(answer) = first.outcome() else {
        // The user's own mistake, in the engine's own words.
        return Ok(first);
    };
    let mut ids = Vec::new();
    for reference in llb::references(answer)? {
        ids.push(intercepted(context, head, &request, &reference).await?);
    }
    if ids.iter().any(|id| matches!(id, Id::Failed(_))) {
        let failed = ids.into_iter().find_map(Id::failure);
        return failed.ok_or(Obstacle::Unexpected("nothing failed"));
    }
    let ids: Vec<_> = ids.into_iter().map(Id::changed).collect();
    if ids.iter().all(Option::is_none) {
        if request.evaluates() {
            return Ok(call(&context.engine, head, None, message).await?);
        }
        return Ok(first);
    }
    let edited = llb::with_ids(answer, &ids)?;
    Ok(first.with_message(&edited))
}

/// Which sources stay as they are; nothing if all of them do.
fn sources(
    context: &Context,
    head: &Parts,
    request: &BridgeSolve<'_>,
) -> Result<Option<BTreeSet<String>>, Malformed> {
    if request.has_policies() || mark(context, head) == Some(Mark::Ruled) {
        return Ok(None);
    }
    request.contexts().map(Some)
}

/// What is known of the build that a call is part of.
fn mark(context: &Context, head: &Parts) -> Option<Mark> {
    context.marks.of(head.headers.get(BUILD)?.to_str().ok()?)
}

/// A graph that the client made itself, or that it got from an earlier call.
async fn own_graph(
    context: &Context,
    head: &Parts,
    message: &[u8],
    request: &BridgeSolve<'_>,
    definition: &[u8],
) -> Result<Answer, Obstacle> {
    let sources = sources(context, head, request)?;
    let Some(edited) = context.edited(definition, sources).await? else {
        return Ok(call(&context.engine, head, None, message).await?);
    };
    // What the engine does not take is not to be told from a step that fails, unless nothing is built yet.
    let edited = request.with_definition(&edited);
    if request.evaluates() {
        let unevaluated = BridgeSolve::read(&edited)?.unevaluated();
        let tried = call(&context.engine, head, None, &unevaluated).await?;
        tried.outcome().map_err(Obstacle::Refused)?;
        return Ok(call(&context.engine, head, None, &edited).await?);
    }
    let answer = call(&context.engine, head, None, &edited).await?;
    answer.outcome().map_err(Obstacle::Refused)?;
    Ok(answer)
}

/// What takes the place of a reference.
enum Id {
    Same,
    Other(String),
    /// It was to be built at once, and cannot be.
    Failed(Box<Answer>),
}

impl Id {
    fn changed(self) -> Option<String> {
        match self {
            Self::Other(id) => Some(id),
            Self::Same | Self::Failed(_) => None,
        }
    }

    fn failure(self) -> Option<Answer> {
        match self {
            Self::Failed(answer) => Some(*answer),
            Self::Same | Self::Other(_) => None,
        }
    }
}

async fn intercepted(
    context: &Context,
    head: &Parts,
    request: &BridgeSolve<'_>,
    reference: &Reference,
) -> Result<Id, Obstacle> {
    if reference.definition.is_empty() && !reference.id.is_empty() {
        return Err(Obstacle::Unexpected(
            "the engine does not tell the build graph",
        ));
    }
    let sources = sources(context, head, request)?;
    let Some(edited) = context.edited(&reference.definition, sources).await? else {
        return Ok(Id::Same);
    };
    let message = request.for_graph(&edited, false)?;
    let mut answer = call(&context.engine, head, None, &message).await?;
    answer.outcome().map_err(Obstacle::Refused)?;
    if request.evaluates() {
        let message = request.for_graph(&edited, true)?;
        answer = call(&context.engine, head, None, &message).await?;
        if answer.outcome().is_err() {
            return Ok(Id::Failed(Box::new(answer)));
        }
    }
    let solved = answer.outcome().map_err(Obstacle::Refused)?;
    let id = llb::references(solved)?
        .into_iter()
        .next()
        .map(|first| first.id);
    let id = id.filter(|id| !id.is_empty());
    id.map(Id::Other)
        .ok_or(Obstacle::Unexpected("the engine's answer has no reference"))
}
