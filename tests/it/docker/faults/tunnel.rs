//! Somebody lays hands on the tunnel, its home, its image or its networks.

use rustix::process::Signal;

use super::{home_of, made, tunnel_of};
use crate::support::front::Fault;
use crate::support::relay::relay;
use crate::support::{Lab, Running, curl, eventually, on_each_engine, signal};

/// Waits until the page comes through the gateway again.
async fn works(running: &Running, net: &str) {
    running.joined(&[net]).await;
    eventually("the page", async || {
        let mut curl = curl(&format!("http://{}", running.gateway));
        curl.args(["--max-time", "5", "http://web/"]);
        let output = curl.output().unwrap();
        let page = String::from_utf8(output.stdout).unwrap();
        if page.trim() == "hello from web" {
            Ok(())
        } else {
            Err(page)
        }
    })
    .await;
    // The page may have come before dockline took note of what happened to the tunnel.
    eventually("a running tunnel without a problem", async || {
        let tunnel = running.status().await.tunnel;
        match (tunnel.state.as_str(), &tunnel.problem) {
            ("running", None) => Ok(()),
            _ => Err(format!("{tunnel:?}")),
        }
    })
    .await;
}

/// A service with a page behind its tunnel, and what is done to that.
fn after(deed: impl Fn(&Lab, &str)) {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.watched_page("web", &net);
        let running = lab.service().await;
        works(&running, &net).await;
        for _ in 0..2 {
            deed(&lab, &net);
            works(&running, &net).await;
        }
        running.stop().await;
        assert_eq!(made(&lab), [""; 0]);
    });
}

#[test]
fn a_tunnel_that_is_killed_works_again() {
    after(|lab, _| drop(lab.docker(&["kill", &tunnel_of(lab)])));
}

/// The restart policy starts it again, and not dockline.
#[test]
fn a_tunnel_whose_program_dies_works_again() {
    after(|lab, _| {
        let pid = lab.docker(&["inspect", "-f", "{{.State.Pid}}", &tunnel_of(lab)]);
        signal(pid.parse().unwrap(), Signal::KILL);
    });
}

#[test]
fn a_tunnel_that_is_stopped_works_again() {
    after(|lab, _| drop(lab.docker(&["stop", "-t", "1", &tunnel_of(lab)])));
}

#[test]
fn a_tunnel_that_is_restarted_works_again() {
    after(|lab, _| drop(lab.docker(&["restart", "-t", "1", &tunnel_of(lab)])));
}

#[test]
fn a_tunnel_that_is_paused_works_again() {
    after(|lab, _| drop(lab.docker(&["pause", &tunnel_of(lab)])));
}

#[test]
fn a_tunnel_that_is_removed_with_its_image_is_made_anew() {
    after(|lab, _| {
        let image = lab.docker(&["inspect", "-f", "{{.Config.Image}}", &tunnel_of(lab)]);
        // While it runs: the engine takes the name away and keeps the rest. Other tests may be doing the same.
        let _ = lab.try_docker(&["rmi", "-f", &image]);
        lab.docker(&["rm", "-f", &tunnel_of(lab)]);
    });
}

#[test]
fn a_tunnel_that_is_taken_off_every_network_comes_back() {
    after(|lab, net| {
        for network in [net, &home_of(lab)] {
            lab.docker(&["network", "disconnect", "-f", network, &tunnel_of(lab)]);
        }
    });
}

#[test]
fn a_home_that_is_removed_is_made_anew() {
    after(|lab, _| {
        lab.docker(&[
            "network",
            "disconnect",
            "-f",
            &home_of(lab),
            &tunnel_of(lab),
        ]);
        // Unless dockline was quicker.
        let _ = lab.try_docker(&["network", "rm", &home_of(lab)]);
    });
}

#[test]
fn a_home_that_is_removed_with_its_tunnel_is_made_anew() {
    after(|lab, _| {
        lab.docker(&["rm", "-f", &tunnel_of(lab)]);
        let _ = lab.try_docker(&["network", "rm", &home_of(lab)]);
    });
}

#[test]
fn a_network_that_is_removed_under_the_tunnel_is_forgotten() {
    on_each_engine(async |lab| {
        let (net, doomed) = (lab.network("net", &[]), lab.network("doomed", &[]));
        lab.watched_page("web", &net);
        let running = lab.service().await;
        for _ in 0..2 {
            lab.watched_page("other", &doomed);
            running.joined(&[&net, &doomed]).await;
            // With force, and as quickly as can be.
            lab.docker(&["network", "disconnect", "-f", &doomed, &tunnel_of(&lab)]);
            lab.docker(&["rm", "-f", &lab.own("other")]);
            eventually("removed", async || {
                let removed = lab.try_docker(&["network", "rm", &doomed]);
                removed.status.success().then_some(())
            })
            .await;
            works(&running, &net).await;
            assert!(running.addresses("other").await.is_empty());
            lab.network("doomed", &[]);
        }
        running.stop().await;
        assert_eq!(made(&lab), [""; 0]);
    });
}

#[test]
fn joins_that_the_engine_refuses_are_tried_again_and_hold_up_no_leave() {
    on_each_engine(async |lab| {
        let (net, other) = (lab.network("net", &[]), lab.network("other", &[]));
        let front = relay(&lab);
        let running = Running::start(&lab, |config| {
            config.endpoint = dockline::docker::endpoint::parse(&front.host(), None).unwrap();
        })
        .await;
        lab.watched_page("web", &net);
        running.joined(&[&net]).await;
        front.fault("/connect", Fault::Instead(500, "{\"message\":\"no\"}"));
        let before = front.asked("/connect");
        lab.watched_page("other", &other);
        eventually("a refusal", async || {
            (front.asked("/connect") > before).then_some(())
        })
        .await;
        lab.docker(&["rm", "-f", &lab.own("web")]);
        running.joined(&[]).await;
        front.mend("/connect");
        running.joined(&[&other]).await;
        // And one that does not answer at all.
        front.fault("/connect", Fault::Held);
        let before = front.asked("/connect");
        lab.watched_page("web", &net);
        eventually("a call", async || {
            (front.asked("/connect") > before).then_some(())
        })
        .await;
        lab.docker(&["rm", "-f", &lab.own("other")]);
        running.joined(&[]).await;
        front.mend("/connect");
        running.joined(&[&net]).await;
        running.stop().await;
        assert_eq!(made(&lab), [""; 0]);
    });
}
