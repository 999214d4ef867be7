//! The engine, and what is in it.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::super::Global;
use super::super::clean::Left;
use super::finding::Finding;
use crate::control::client;
use crate::control::report::shape::Status;
use crate::core::id::Instance;
use crate::core::label::INSTANCE;
use crate::docker::{Client, Endpoint, Error, dial};

/// Docker 20.10's, the oldest engine that dockline is tested with.
const OLDEST_API: (u32, u32) = (1, 41);
/// For a program to say its version.
const VERSION: Duration = Duration::from_secs(10);

/// Whether it answers, and is one that dockline can work with.
pub(super) async fn answers(client: &Client, endpoint: &Endpoint, others: &[Endpoint]) -> Finding {
    let info = match client.negotiate().await {
        Ok(info) => info,
        Err(error) => return Finding::failure("engine", &error, absent(&error, endpoint, others)),
    };
    let text = format!(
        "{} (API {}), {}/{}, at {endpoint}",
        info.version, info.api_version, info.os, info.arch
    );
    if info.os == "windows" {
        return Finding::failure(
            "engine",
            text,
            "switch it to Linux containers: those of Windows have other networks",
        );
    }
    let api = info.api_version.split_once('.');
    let api = api.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    match api.filter(|api| *api < OLDEST_API) {
        Some(_) => Finding::warning(
            "engine",
            text,
            "it is older than Docker 20.10, with which dockline was never tried",
        ),
        None => Finding::ok("engine", text),
    }
}

fn absent(error: &Error, endpoint: &Endpoint, others: &[Endpoint]) -> String {
    let words = error.to_string().to_lowercase();
    if words.contains("permission denied") {
        return format!(
            "you may not use {endpoint}: `sudo usermod -aG docker $USER`, then log in again"
        );
    }
    match others {
        [] => "start Docker, or name the engine with --host ENDPOINT or --context NAME".to_owned(),
        [other, ..] => format!("start Docker; or is it the one at {other}? Then: --host {other}"),
    }
}

/// Instances that do not run and have something in the engine.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// Nobody needs it.
    pub(super) stale: BTreeSet<Instance>,
    /// Containers are intercepted by it, and get out by its tunnel.
    kept: BTreeSet<Instance>,
    /// Containers are intercepted by it, and its tunnel does not run.
    cut_off: BTreeSet<Instance>,
}

/// Looks for them.
pub(super) async fn leftovers(client: &Client) -> Result<Leftovers, Error> {
    let left = Left::find(client, INSTANCE).await?;
    let (interceptors, tunnels) = (left.interceptors(), left.tunnels());
    let mut found = Leftovers::default();
    for instance in left.makers().union(&interceptors) {
        if runs(instance).await {
            continue;
        }
        let kind = match (interceptors.contains(instance), tunnels.contains(instance)) {
            (false, _) => &mut found.stale,
            (true, true) => &mut found.kept,
            (true, false) => &mut found.cut_off,
        };
        kind.insert(instance.clone());
    }
    Ok(found)
}

async fn runs(instance: &Instance) -> bool {
    for socket in Global::places().control_sockets(instance) {
        match client::get::<Status>(&socket, "/v1/status", &[]).await {
            Ok(status) if status.instance == instance.as_str() => return true,
            Ok(_) | Err(client::Error::NotRunning(_)) => {}
            // It is stopped, or out of breath: nothing of it is left over.
            Err(_) => return true,
        }
    }
    false
}

/// A tunnel that waits for its `serve` is no mistake: containers get out by it meanwhile.
pub(super) fn told_of(left: &Leftovers) -> Finding {
    let list = |instances: &BTreeSet<Instance>| {
        let names: Vec<_> = instances.iter().map(Instance::as_str).collect();
        names.join(", ")
    };
    let (stale, kept) = (list(&left.stale), list(&left.kept));
    if let Some(first) = left.cut_off.first() {
        return Finding::warning(
            "leftovers",
            format!(
                "containers that are intercepted by {} get nowhere: its tunnel does not run",
                list(&left.cut_off)
            ),
            format!(
                "`dockline --instance {first} serve` brings it up again, `dockline --instance {first} clean` makes the containers anew as they were"
            ),
        );
    }
    let kept = Some(kept).filter(|kept| !kept.is_empty());
    let kept = kept.map(|k| format!("the tunnel of {k} stays for containers that it intercepts"));
    let Some(first) = left.stale.first() else {
        return Finding::ok("leftovers", kept.as_deref().unwrap_or("none"));
    };
    let stale = format!("of instances that do not run (for you): {stale}");
    let texts: Vec<_> = [stale].into_iter().chain(kept).collect();
    Finding::warning(
        "leftovers",
        texts.join("; "),
        format!(
            "`dockline --instance {first} serve` takes them up again, `dockline --instance {first} clean` removes them"
        ),
    )
}

/// Which builder `docker build` uses.
pub(super) async fn builder(endpoint: &Endpoint) -> Finding {
    match dial::builder(endpoint).await.as_deref() {
        Some("2") => Finding::ok("build", "BuildKit is the engine's default"),
        _ => Finding::ok("build", "the classic builder is the engine's default"),
    }
}

/// Which compose there is.
pub(super) async fn compose() -> Finding {
    for (program, arguments) in [
        ("docker", &["compose", "version", "--short"][..]),
        ("docker-compose", &["version", "--short"]),
    ] {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Ok(Ok(said)) = timeout(VERSION, command.output()).await
            && said.status.success()
        {
            let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
            return Finding::ok("compose", format!("{program}: {version}"));
        }
    }
    Finding::skipped("compose", "there is none here")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::finding::Outcome;
    use super::*;

    #[test]
    fn what_to_do_follows_from_what_the_system_says() {
        let here = Endpoint::Unix(PathBuf::from("/a.sock"));
        let there = Endpoint::Unix(PathBuf::from("/b.sock"));
        let check = |reason: &str, others: &[Endpoint], expected: &str| {
            let error = Error::Unreachable {
                endpoint: here.to_string(),
                reason: reason.to_owned(),
            };
            let advice = absent(&error, &here, others);
            assert!(advice.contains(expected), "{reason}: {advice}");
        };
        let others = std::slice::from_ref(&there);
        check("Permission denied (os error 13)", others, "usermod");
        check("No such file or directory", &[], "start Docker");
        check("Connection refused", others, "--host unix:///b.sock");
    }

    #[test]
    fn leftovers_are_told_with_the_way_out() {
        let none = BTreeSet::new;
        let shop = || BTreeSet::from(["shop".parse().unwrap()]);
        let check = |stale, kept, cut_off, outcome, text: &str, remedy: &str| {
            let told = told_of(&Leftovers {
                stale,
                kept,
                cut_off,
            });
            assert_eq!(told.outcome, outcome, "{told}");
            assert!(told.text.contains(text), "{told}");
            assert!(told.remedy.unwrap_or_default().contains(remedy), "{text}");
        };
        check(none(), none(), none(), Outcome::Ok, "none", "");
        let clean = "--instance shop clean";
        check(shop(), none(), none(), Outcome::Warning, "shop", clean);
        let stays = "the tunnel of shop stays for";
        check(none(), shop(), none(), Outcome::Ok, stays, "");
        check(shop(), shop(), none(), Outcome::Warning, stays, clean);
        let cut_off = "shop get nowhere";
        check(none(), none(), shop(), Outcome::Warning, cut_off, clean);
    }
}
