//! The engine's own program is killed in the middle of what dockline asks of it, and started again: a service that lived on, or
//! `clean`, finds everything as it needs it, and nothing is lost.

mod cases;
mod stage;

use std::process::Child;

use self::cases::{Next, Work, cases};
use self::stage::{Busy, Stage};
use super::tunnel_of;
use crate::docker::attach::remove_kept;
use crate::support::daemon::Daemon;
use crate::support::relay::relay;
use crate::support::{IMAGE, Lab, eventually, on_each_engine};

async fn answers(lab: &Lab) {
    eventually("the engine's answer", async || {
        let asked = lab.try_docker(&["version"]);
        asked.status.success().then_some(())
    })
    .await;
}

/// It is there without dockline, which may live, but has not heard of the engine's return.
async fn tunnel_is_up(lab: &Lab) {
    let tunnel = tunnel_of(lab);
    eventually("the tunnel without dockline", async || {
        let running = lab.docker(&["inspect", "-f", "{{.State.Running}}", &tunnel]);
        (running == "true").then_some(()).ok_or(running)
    })
    .await;
}

/// It serves those on that network, whether dockline is there or not.
async fn tunnel_serves(lab: &Lab, net: &str) {
    let proxy = format!("http_proxy=http://{}:8790", tunnel_of(lab));
    let fetch = ["run", "--rm", "--network", net, "-e", &proxy, IMAGE];
    let fetch = [&fetch[..], &["wget", "-qO-", "http://plain/"]].concat();
    eventually("a page by way of the tunnel", async || {
        let got = lab.try_docker(&fetch);
        let text = String::from_utf8_lossy(&got.stdout).into_owned();
        let said = String::from_utf8_lossy(&got.stderr);
        let right = text.trim() == "hello from plain";
        right.then_some(()).ok_or_else(|| format!("{text}{said}"))
    })
    .await;
    lab.docker(&["rm", "-fv", &lab.own("plain")]);
}

async fn die(stage: &mut Stage<'_>, engine: &mut Option<Child>) {
    let Busy {
        mut service,
        mut client,
        ending,
    } = stage.begin().await;
    stage.reach().await;
    let daemon = Daemon::of(stage.lab).await;
    // In this order, since the front would answer for an engine that does not.
    stage.front.kill().await;
    daemon.kill().await;
    if stage.case.next != Next::Same {
        if let Some(service) = service.take() {
            service.kill().await;
        }
        if let Some(client) = &mut client {
            client.kill().unwrap();
        }
    }
    if let Some(mut client) = client {
        eventually("the client's end", async || client.try_wait().unwrap()).await;
    }
    if let Some(ending) = ending {
        ending.await.unwrap();
    }
    if let Some(mut before) = engine.replace(daemon.start()) {
        before.wait().unwrap();
    }
    answers(stage.lab).await;
    if !matches!(stage.case.work, Work::Begin | Work::End) {
        tunnel_is_up(stage.lab).await;
    }
    if stage.case.work == Work::Return {
        stage.start_page("late", &stage.late_net);
    }
    stage.front.mend(stage.case.step);
    stage.front.open();
    if stage.case.has_plain() {
        tunnel_serves(stage.lab, &stage.net).await;
    }
    if stage.case.next == Next::Service {
        service = Some(stage.launch().await);
    }
    if let Some(service) = service {
        let case = format!("whole after {:?}", stage.case);
        eventually(&case, async || stage.is_whole()).await;
        stage.is_served(&service).await;
        service.stop().await;
    }
    stage.is_clean().await;
}

#[test]
#[ignore = "kills its engine again and again: `cargo xtask deaths --daemon` has one for it"]
fn a_daemon_that_is_killed_in_the_middle_of_anything_loses_nothing() {
    on_each_engine(async |lab| {
        let (net, late_net) = (lab.network("net", &[]), lab.network("late", &[]));
        let live_restore = Daemon::of(&lab).await.live_restore();
        let mut engine = None;
        for case in cases(live_restore) {
            println!("{case:?}, live-restore: {live_restore}");
            let mut stage = Stage {
                lab: &lab,
                case,
                front: relay(&lab),
                net: net.clone(),
                late_net: late_net.clone(),
                kept: String::new(),
                live_restore,
            };
            die(&mut stage, &mut engine).await;
            remove_kept(&lab);
        }
        let ended = engine.and_then(|mut engine| engine.try_wait().unwrap());
        assert_eq!(ended, None, "the engine that was started last");
    });
}
