//! `dockline status`

mod tunnel;

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::{Failure, Global, output, watch};
use crate::control::client;
use crate::control::report::shape::{AmbiguousName, ContainerReport, Interceptor, Status, Warned};

/// How often a service that is not ready yet is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Flags of `status`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// Wait until the service is ready, at most so long
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show it as it changes, with who talks to whom, until q is pressed
    #[arg(long, conflicts_with_all = ["json", "wait"])]
    watch: bool,
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    if flags.watch {
        return watch::run(global).await;
    }
    let give_up = Instant::now() + Duration::from_secs(flags.wait.unwrap_or_default());
    let status = loop {
        // A service that is starting may not have its socket yet.
        let answer = client::get::<Status>(&global.control_socket(), "/v1/status", &[]).await;
        let settled = match &answer {
            Ok(status) => status.ready,
            Err(error) => !matches!(error, client::Error::NotRunning(_)),
        };
        if settled || Instant::now() >= give_up {
            break answer?;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    };
    if flags.json {
        output::json(&status)?;
    } else {
        output::data(&describe(&status));
    }
    match (flags.wait, status.ready) {
        (Some(seconds), false) => {
            let why = status
                .engine
                .problem
                .unwrap_or_else(|| "the map is not complete yet".to_owned());
            Err(Failure::Other(anyhow::anyhow!(
                "not ready after {seconds} s: {why}"
            )))
        }
        _ => Ok(()),
    }
}

fn describe(status: &Status) -> String {
    let engine = &status.engine;
    let connection = match &engine.problem {
        Some(problem) => format!("not connected: {problem}"),
        None if engine.connected => "connected".to_owned(),
        None => "connecting".to_owned(),
    };
    let ready = if status.ready { "ready" } else { "not ready" };
    let mut rows = vec![
        ("instance", format!("{} · {ready}", status.instance)),
        (
            "engine",
            [
                Some(engine.endpoint.clone()),
                engine.version.clone(),
                Some(connection),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" · "),
        ),
        ("gateway", format!("{} (SOCKS5 and HTTP)", status.gateway)),
        ("dns", status.dns.clone()),
        ("http", status.http.clone()),
        ("intercept", interceptor(status)),
    ];
    let named = status.interceptors.iter();
    rows.extend(named.map(|n| {
        (
            "",
            format!("{}: {}", n.name, whereabouts(n.interceptor.as_ref())),
        )
    }));
    rows.push(("tunnel", tunnel::state(&status.tunnel)));
    rows.extend(
        status
            .tunnel
            .problem
            .iter()
            .map(|problem| ("", problem.clone())),
    );
    let kept_off = status.tunnel.kept_off.iter();
    rows.extend(kept_off.map(|n| ("", format!("keeps off {}: {}", n.name, n.reason))));
    rows.extend(status.tunnel.former.iter().map(|f| ("", tunnel::former(f))));
    let lines: Vec<_> = rows
        .iter()
        .map(|(name, value)| format!("{name:<10}{value}"))
        .collect();
    let table = containers(status);
    let notes: Vec<_> = status.ambiguous.iter().map(ambiguous).collect();
    let distrust = distrust(status).unwrap_or_default();
    let warned = warned(&status.warnings);
    let blocks = [lines.join("\n"), table, notes.join("\n"), distrust, warned];
    let blocks: Vec<_> = blocks.into_iter().filter(|b| !b.is_empty()).collect();
    blocks.join("\n\n")
}

/// More is in the log, and in the JSON.
const WARNINGS: usize = 5;

/// What was warned of last.
fn warned(warnings: &[Warned]) -> String {
    let lines = warnings.iter().take(WARNINGS).map(|w| {
        let times = if w.times > 1 {
            format!(" (\u{d7}{})", w.times)
        } else {
            String::new()
        };
        format!("{} {}: {}{times}", output::time(w.at), w.level, w.text)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whose HTTPS is not intercepted.
fn distrust(status: &Status) -> Option<String> {
    let is_known = |container: &&ContainerReport| match &container.interceptor {
        None => status.interceptor.is_some() && status.ca_sha256.is_some(),
        Some(own) => {
            let mut named = status.interceptors.iter();
            named.any(|n| n.name == *own && n.interceptor.is_some() && n.ca_sha256.is_some())
        }
    };
    let not_current = status
        .containers
        .iter()
        .filter(|c| !c.ca_current)
        .filter(is_known);
    let names: Vec<_> = not_current.map(|c| c.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    Some(format!(
        "HTTPS passes un-intercepted of {}: create them anew in an intercepted shell, so that they trust the CA",
        names.join(", ")
    ))
}

/// What is behind a mark in the table.
fn ambiguous(found: &AmbiguousName) -> String {
    let AmbiguousName { name, networks } = found;
    let first = networks.first().map(String::as_str).unwrap_or_default();
    format!(
        "* {name} means different containers on {}: say {name}.NETWORK, such as {name}.{first}, or --from CONTAINER",
        networks.join(", ")
    )
}

/// What becomes of what containers send.
fn interceptor(status: &Status) -> String {
    let link = &status.tunnel.link;
    let to = whereabouts(status.interceptor.as_ref());
    match (&link.owner, status.intercepting) {
        (Some(owner), _) => format!("{to} · another dockline owns the tunnel ({owner})"),
        (None, false) => format!("{to} · paused"),
        (None, true) => format!("{to} · link {}", link.state),
    }
}

fn whereabouts(interceptor: Option<&Interceptor>) -> String {
    match interceptor {
        None => "no interceptor: what containers send by the entry goes on as it came".to_owned(),
        Some(interceptor) if interceptor.kind == "builtin" => {
            format!("built in · {}", interceptor.address)
        }
        Some(interceptor) if interceptor.reachable => interceptor.address.clone(),
        Some(interceptor) => format!("{} does not answer", interceptor.address),
    }
}

fn containers(status: &Status) -> String {
    let containers = &status.containers;
    let marked = |name: &String| {
        let known = status.ambiguous.iter().any(|found| found.name == *name);
        format!("{name}{}", if known { "*" } else { "" })
    };
    if containers.is_empty() {
        return "no container is watched: give one the label dockline.instance=NAME, or serve with --all".to_owned();
    }
    let mut rows = Vec::new();
    for container in containers {
        if !container.running {
            rows.push(vec![
                container.name.clone(),
                "(not running)".to_owned(),
                String::new(),
                String::new(),
            ]);
        } else if container.networks.is_empty() {
            rows.push(vec![
                container.name.clone(),
                "-".to_owned(),
                "-".to_owned(),
                "-".to_owned(),
            ]);
        }
        for network in &container.networks {
            let addresses: Vec<_> = network.addresses.iter().map(ToString::to_string).collect();
            let names: Vec<_> = network.names.iter().map(marked).collect();
            let row = [
                &container.name,
                &network.name,
                &addresses.join(" "),
                &names.join(" "),
            ];
            rows.push(row.map(Clone::clone).to_vec());
        }
    }
    output::table(&["CONTAINER", "NETWORK", "ADDRESSES", "NAMES"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambiguous_names_are_marked_and_explained() {
        let status = serde_json::json!({
            "instance": "default", "version": "0", "ready": true, "api_socket": null, "dns": "", "gateway": "",
            "http": "", "control": "", "interceptor": null, "intercepting": true,
            "engine": { "endpoint": "", "version": null, "api_version": null, "connected": true, "problem": null },
            "tunnel": { "state": "running", "name": "", "networks": [], "kept_off": [],
                        "link": { "state": "up", "owner": null } },
            "map": { "generation": 1, "resyncs": 1, "names": 2 },
            "ambiguous": [{ "name": "api", "networks": ["blog", "shop"] }],
            "containers": [{
                "id": "c", "name": "one", "running": true, "injected": false, "ca_current": false,
                "networks": [{ "id": "n", "name": "shop", "addresses": ["10.0.0.2"], "names": ["api", "api2"] }],
            }],
        });
        let mut status: Status = serde_json::from_value(status).unwrap();
        let text = describe(&status);
        assert!(text.contains("10.0.0.2   api* api2"), "{text}");
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "* api means different containers on blog, shop: say api.NETWORK, such as api.blog, or --from CONTAINER"
        );
        status.ca_sha256 = Some("abc".to_owned());
        status.interceptor = Some(Interceptor {
            kind: "external".to_owned(),
            address: "127.0.0.1:8080".to_owned(),
            reachable: true,
        });
        let distrust = "HTTPS passes un-intercepted of one:";
        assert!(describe(&status).contains(distrust));
        status.containers[0].ca_current = true;
        assert!(!describe(&status).contains(distrust));
        status.warnings = vec![Warned {
            at: 0.0,
            level: "warn".to_owned(),
            text: "not joined".to_owned(),
            times: 2,
        }];
        let text = describe(&status);
        assert!(text.ends_with(":00Z warn: not joined (\u{d7}2)"), "{text}");
    }
}
