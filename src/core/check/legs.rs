//! One function a leg: what became of it, and what to do.

use std::time::Duration;

use super::{Hop, Kind, Leg, Round, Setup, Verdict, failed, passed};

pub(super) fn entry(_: &Setup, round: &Round) -> Verdict {
    match &round.entry {
        Some(Ok((address, after))) => passed(Leg::Entry, Some(*after), format!("at {address}")),
        Some(Err(reason)) => failed(
            Leg::Entry,
            format!("the container cannot connect to it: {reason}"),
            "look at the tunnel: `dockline status`, `docker logs` of its container",
        ),
        None => failed(
            Leg::Entry,
            "the container did not get as far as connecting to it",
            "look at the engine: it did not run the probe's program",
        ),
    }
}

impl Hop {
    fn after(&self, round: &Round) -> Option<Duration> {
        self.since.checked_sub(round.began)
    }
}

fn callers(round: &Round) -> Option<&Hop> {
    round.hops.iter().find(|hop| hop.by_caller)
}

pub(super) fn link(setup: &Setup, round: &Round) -> Verdict {
    let Some(hop) = callers(round) else {
        if let Some((_, reason)) = round.refused.iter().find(|(by_caller, _)| *by_caller) {
            return passed(Leg::Link, None, format!("dockline heard of it ({reason})"));
        }
        return not_at_dockline(setup, round);
    };
    match &hop.from {
        Some(name) if *name == setup.caller => passed(Leg::Link, None, format!("{name} calls")),
        other => failed(
            Leg::Link,
            format!(
                "dockline takes the caller for {}",
                other.as_deref().unwrap_or("nobody")
            ),
            "the map is behind, or the engine rewrites callers' addresses: look at `dockline status`, and try again",
        ),
    }
}

fn not_at_dockline(setup: &Setup, round: &Round) -> Verdict {
    if !setup.intercepting {
        let what = "interception is paused: the tunnel served the request by itself";
        return failed(Leg::Link, what, "dockline resume");
    }
    let (state, owner) = &setup.link;
    if let Some(owner) = owner {
        return failed(
            Leg::Link,
            format!("another dockline has the tunnel: {owner}"),
            "stop that one, or give this one another --instance",
        );
    }
    let seen = match (&round.reached, &round.answer) {
        (Some(_), _) => "the tunnel served the request by itself".to_owned(),
        (None, Some((status, _, text, _))) => format!("the answer was {status}: {text}"),
        (None, None) => "no answer came".to_owned(),
    };
    failed(
        Leg::Link,
        format!("it did not reach dockline (the link is {state}): {seen}"),
        "look at the log of `dockline serve`, and whether this machine reaches the tunnel's address in `dockline status`",
    )
}

pub(super) fn interceptor(setup: &Setup, round: &Round) -> Verdict {
    let at = &setup.interceptor;
    if setup.kind == Kind::BuiltIn {
        return passed(Leg::Interceptor, None, format!("built in, {at}"));
    }
    match callers(round) {
        Some(hop) if hop.via == "interceptor" => {
            passed(Leg::Interceptor, hop.after(round), at.as_str())
        }
        Some(_) if setup.kind == Kind::Away => failed(
            Leg::Interceptor,
            format!("nothing answers at {at}: the request went on without it"),
            format!(
                "start the interceptor, listening as an HTTP proxy at {at}; or start dockline with --interceptor HOST:PORT as it is"
            ),
        ),
        _ => failed(
            Leg::Interceptor,
            "it was not handed on, but went where the caller wanted",
            "look at --pass-through, and for HTTPS at --ca: https passes where the authority in use is not the container's",
        ),
    }
}

pub(super) fn gateway(setup: &Setup, round: &Round) -> Verdict {
    let Setup {
        gateway, upstream, ..
    } = setup;
    if setup.kind == Kind::BuiltIn {
        return passed(Leg::Gateway, None, "the built-in one goes by it");
    }
    let back = round.hops.iter().find(|hop| !hop.by_caller);
    let by_tunnel = round
        .reached
        .is_some_and(|(peer, _)| setup.tunnel.contains(&peer));
    let refused = round.refused.iter().any(|(by_caller, _)| !by_caller);
    if back.is_some() || by_tunnel || refused {
        let who = match back.and_then(|hop| hop.from.as_deref()) {
            Some(name) => format!("asked for on behalf of {name}"),
            None => "asked for on nobody's behalf".to_owned(),
        };
        let after = back.and_then(|hop| hop.after(round));
        return passed(Leg::Gateway, after, format!("{gateway}, {who}"));
    }
    if let Some((407, ..)) = round.answer {
        return failed(
            Leg::Gateway,
            format!("the interceptor does not give the password that {gateway} wants"),
            format!("give it the one of --gateway-password, with any user name:\n{upstream}"),
        );
    }
    let mut what = format!("the interceptor does not use {gateway} as its upstream proxy");
    match (&round.reached, &round.answer) {
        (Some((peer, _)), _) => {
            what = format!("{what}: it went to the container by itself, from {peer}");
        }
        (None, Some((status, _, text, _))) => {
            what = format!("{what}: it answered {status} by itself ({text})");
        }
        (None, None) => what.push_str(": it did not answer"),
    }
    if setup.protected {
        what.push_str("; or it gives no password, or another than --gateway-password");
    }
    failed(Leg::Gateway, what, format!("set it:\n{upstream}"))
}

pub(super) fn container(_: &Setup, round: &Round) -> Verdict {
    if let Some((peer, after)) = round.reached {
        return passed(Leg::Container, Some(after), format!("asked by {peer}"));
    }
    let reason = match round.refused.last() {
        Some((_, reason)) => format!("the gateway could not get there: {reason}"),
        None => "the gateway's connection did not arrive there".to_owned(),
    };
    failed(
        Leg::Container,
        reason,
        "look at the tunnel's networks in `dockline status`; a firewall on the engine's machine may be in the way",
    )
}

pub(super) fn answer(_: &Setup, round: &Round) -> Verdict {
    let remedy = "look at what the interceptor shows of this request, and at its rules";
    match &round.answer {
        Some((status, true, _, after)) => passed(
            Leg::Answer,
            Some(*after),
            format!("{status}, as it was sent"),
        ),
        Some((status, false, text, _)) => failed(
            Leg::Answer,
            format!("the interceptor answered something else: {status} ({text})"),
            remedy,
        ),
        None => failed(Leg::Answer, "none came back", remedy),
    }
}
