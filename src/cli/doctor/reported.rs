//! What the running service says of itself, judged.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::control::report::shape::Status;

/// Whether it is ready, of this version, and at the engine that this command means.
pub(super) fn service(status: &Status, engine: Option<&str>) -> Finding {
    let text = format!("{} of instance {}", status.version, status.instance);
    if let Some(problem) = &status.engine.problem {
        return Finding::failure(
            "service",
            format!("{text} has lost the engine: {problem}"),
            "it goes on by itself as soon as the engine is back",
        );
    }
    if !status.ready {
        return Finding::failure(
            "service",
            format!("{text} has not seen all containers yet"),
            "wait for it: dockline status --wait 30",
        );
    }
    match engine.filter(|engine| *engine != status.engine.endpoint) {
        Some(engine) => Finding::warning(
            "service",
            format!(
                "{text} is at {}, and this command at {engine}",
                status.engine.endpoint
            ),
            "give both the same --host or --context, or use another --instance",
        ),
        None if status.version != env!("CARGO_PKG_VERSION") => Finding::warning(
            "service",
            format!("{text} runs; this command is {}", env!("CARGO_PKG_VERSION")),
            "start the service again to have the new version; containers go on meanwhile",
        ),
        None => Finding::ok("service", format!("{text} is ready")),
    }
}

/// Whether there is anything to do.
pub(super) fn map(status: &Status) -> Finding {
    let running = status.containers.iter().filter(|c| c.running).count();
    let names = status.map.names;
    if running > 0 {
        return Finding::ok(
            "map",
            format!("{running} running containers are watched; {names} names"),
        );
    }
    Finding::warning(
        "map",
        "no running container is watched",
        "start one in an intercepted shell (eval \"$(dockline env)\"), label one dockline.instance=NAME, or serve with --all",
    )
}

/// Whether networks can be got into.
pub(super) fn tunnel(status: &Status) -> Finding {
    let tunnel = &status.tunnel;
    let names: Vec<_> = tunnel.networks.iter().map(|n| n.name.as_str()).collect();
    match (tunnel.state.as_str(), &tunnel.problem) {
        ("running", None) => Finding::ok("tunnel", format!("runs, on {}", names.join(", "))),
        ("running", Some(problem)) => Finding::warning(
            "tunnel",
            format!("runs, but {problem}"),
            "it works all the same; the engine's settings are the cause",
        ),
        ("absent", None) => Finding::skipped("tunnel", "not needed yet"),
        ("starting", None) => Finding::warning("tunnel", "is starting", "ask again in a moment"),
        (state, problem) => {
            let problem = problem.as_deref().unwrap_or("it does not say why");
            Finding::failure("tunnel", format!("{state}: {problem}"), remedy(problem))
        }
    }
}

fn remedy(problem: &str) -> &'static str {
    let problem = problem.to_lowercase();
    if problem.contains("address pool") || problem.contains("non-overlapping") {
        return "the engine has no range left for another network: `docker network prune`, or more default-address-pools in its daemon.json";
    }
    if problem.contains("image") {
        return "see that the engine can load images (its disk may be full: docker system df), or give --tunnel-image REF";
    }
    "dockline tries again by itself; `docker logs` of the tunnel and the engine's log say more"
}

/// Whether there are networks that cannot be joined.
pub(super) fn networks(status: &Status) -> Finding {
    let kept_off = &status.tunnel.kept_off;
    let Some(first) = kept_off.first() else {
        return Finding::ok("networks", "all that are watched can be joined");
    };
    let names: Vec<_> = kept_off.iter().map(|n| n.name.as_str()).collect();
    Finding::warning(
        "networks",
        format!(
            "the tunnel keeps off {}: {}",
            names.join(", "),
            first.reason
        ),
        "names are known, and traffic goes as if there were no dockline; make the network anew without enable_icc=false to change that",
    )
}

/// Whether what containers send gets here.
pub(super) fn link(status: &Status) -> Finding {
    let link = &status.tunnel.link;
    match (link.state.as_str(), &link.owner) {
        (_, Some(owner)) => Finding::failure(
            "link",
            format!("another dockline has the tunnel: {owner}"),
            "end that one, or use another --instance here",
        ),
        ("up", None) if status.intercepting => Finding::ok("link", "up"),
        ("up", None) => Finding::warning("link", "up, and paused", "dockline resume"),
        _ if status.tunnel.state == "absent" => Finding::skipped("link", "not needed yet"),
        _ if status.tunnel.state == "starting" => {
            Finding::warning("link", "waits for the tunnel", "ask again in a moment")
        }
        _ => Finding::failure(
            "link",
            "down: containers get out by themselves, un-intercepted",
            "wait a moment; if it lasts, a firewall of this machine keeps it from the tunnel's address and from loopback",
        ),
    }
}

/// Whether somebody intercepts.
pub(super) fn interceptor(status: &Status) -> Finding {
    match &status.interceptor {
        None => Finding::skipped(
            "interceptor",
            "none: what containers send goes on as it came",
        ),
        Some(it) if it.reachable => Finding::ok(
            "interceptor",
            format!("{} at {} answers", it.kind, it.address),
        ),
        Some(it) => Finding::failure(
            "interceptor",
            format!("nobody answers at {}: requests go on without", it.address),
            "start it, or serve with --interceptor HOST:PORT where it listens as an HTTP proxy",
        ),
    }
}

/// Whether all containers trust it.
pub(super) fn trust(status: &Status) -> Finding {
    if status.ca_sha256.is_none() {
        return Finding::skipped("trust", "there is no CA to trust");
    }
    let distrust = status
        .containers
        .iter()
        .filter(|c| c.running && !c.ca_current);
    let names: Vec<_> = distrust.map(|c| c.name.as_str()).collect();
    if names.is_empty() {
        return Finding::ok("trust", "every watched container was told of the CA");
    }
    Finding::warning(
        "trust",
        format!(
            "the HTTPS of {} passes unopened: made without this CA",
            names.join(", ")
        ),
        "create them anew in an intercepted shell",
    )
}

/// Whether Docker's clients in this shell go by way of dockline.
pub(super) fn shell(status: &Status, variables: &BTreeMap<String, String>) -> Finding {
    let set = |name: &str| variables.get(name).filter(|value| !value.is_empty());
    let ours = status.api_socket.as_ref();
    match (set("DOCKER_HOST"), set("DOCKER_CONTEXT")) {
        (Some(host), _) if Some(host) == ours => Finding::ok("shell", "docker here is intercepted"),
        (Some(host), _) => Finding::skipped(
            "shell",
            format!(
                "docker here goes to {host}, un-intercepted; eval \"$(dockline env)\" changes that"
            ),
        ),
        (None, Some(context)) => {
            Finding::skipped("shell", format!("docker here uses the context {context}"))
        }
        (None, None) => Finding::skipped(
            "shell",
            "docker here is not intercepted; eval \"$(dockline env)\" changes that",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::finding::Outcome::{self, Failure, Ok, Skipped, Warning};
    use super::*;

    fn status(changes: &Value) -> Status {
        let mut status = json!({
            "instance": "default", "version": env!("CARGO_PKG_VERSION"), "ready": true, "api_socket": "unix:///r/docker.sock",
            "dns": "", "gateway": "", "http": "", "control": "", "intercepting": true, "ambiguous": [],
            "interceptor": { "kind": "external", "address": "127.0.0.1:8080", "reachable": true },
            "ca": null, "ca_sha256": "abc",
            "engine": { "endpoint": "unix:///e", "connected": true },
            "tunnel": { "state": "running", "name": "t", "networks": [], "kept_off": [], "link": { "state": "up" } },
            "map": { "generation": 1, "resyncs": 1, "names": 2 },
            "containers": [{ "id": "c", "name": "one", "running": true, "injected": true, "ca_current": true, "networks": [] }],
        });
        for (pointer, value) in changes.as_object().unwrap() {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            status.pointer_mut(parent).unwrap()[name] = value.clone();
        }
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn each_trouble_is_told_with_its_remedy() {
        type Check = fn(&Status) -> Finding;
        let engine: Check = |status| service(status, Some("unix:///e"));
        let cases: [(Check, Value, Outcome, &str); 19] = [
            (engine, json!({}), Ok, "is ready"),
            (
                engine,
                json!({ "/engine/problem": "gone" }),
                Failure,
                "has lost the engine: gone",
            ),
            (engine, json!({ "/ready": false }), Failure, "not seen all"),
            (
                engine,
                json!({ "/engine/endpoint": "unix:///f" }),
                Warning,
                "this command at unix:///e",
            ),
            (engine, json!({ "/version": "0.0.1" }), Warning, "0.0.1"),
            (map, json!({}), Ok, "1 running"),
            (map, json!({ "/containers": [] }), Warning, "no running"),
            (tunnel, json!({}), Ok, "runs"),
            (tunnel, json!({ "/tunnel/state": "absent" }), Skipped, ""),
            (
                tunnel,
                json!({ "/tunnel/state": "failed", "/tunnel/problem": "could not find an available, non-overlapping IPv4 address pool" }),
                Failure,
                "address pool",
            ),
            (
                networks,
                json!({ "/tunnel/kept_off": [{ "name": "n", "reason": "ICC" }] }),
                Warning,
                "keeps off n",
            ),
            (
                link,
                json!({ "/tunnel/link/state": "down" }),
                Failure,
                "down",
            ),
            (
                link,
                json!({ "/tunnel/link": { "state": "busy", "owner": "pid 7" } }),
                Failure,
                "pid 7",
            ),
            (link, json!({ "/intercepting": false }), Warning, "paused"),
            (
                link,
                json!({ "/tunnel/state": "starting", "/tunnel/link/state": "down" }),
                Warning,
                "waits",
            ),
            (interceptor, json!({}), Ok, "127.0.0.1:8080"),
            (
                interceptor,
                json!({ "/interceptor/reachable": false }),
                Failure,
                "nobody answers",
            ),
            (interceptor, json!({ "/interceptor": null }), Skipped, ""),
            (
                trust,
                json!({ "/containers/0/ca_current": false }),
                Warning,
                "one",
            ),
        ];
        for (check, changes, outcome, text) in cases {
            let found = check(&status(&changes));
            assert_eq!(found.outcome, outcome, "{changes}: {found}");
            assert!(found.text.contains(text), "{changes}: {found}");
            let wants_remedy = matches!(outcome, Failure | Warning);
            assert_eq!(found.remedy.is_some(), wants_remedy, "{found}");
        }
    }

    #[test]
    fn a_full_address_pool_has_a_remedy_of_its_own() {
        assert!(remedy("no address pool").contains("prune"));
        assert!(remedy("load the image").contains("system df"));
    }

    #[test]
    fn the_shell_is_told_where_it_leads() {
        let check = |name: &str, value: &str| {
            let variables = [(name.to_owned(), value.to_owned())].into();
            shell(&status(&json!({})), &variables).outcome
        };
        assert_eq!(check("DOCKER_HOST", "unix:///r/docker.sock"), Ok);
        assert_eq!(check("DOCKER_HOST", "unix:///e"), Skipped);
        assert_eq!(check("DOCKER_CONTEXT", "dockline"), Skipped);
    }
}
