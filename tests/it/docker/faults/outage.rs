//! The daemon itself is killed, and started again with the words that started it.

use super::{is_fresh, made};
use crate::support::daemon::Daemon;
use crate::support::{eventually, on_each_engine};

#[test]
#[ignore = "kills the engine under all other tests: `cargo xtask test` runs it after them"]
fn a_daemon_that_is_killed_and_started_again_is_served_again() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.watched_page("web", &net);
        let running = lab.service().await;
        running.joined(&[&net]).await;
        let web = lab.address("web");
        let daemon = Daemon::of(&lab).await;
        daemon.kill().await;
        eventually("away", async || {
            let engine = running.status().await.engine;
            engine.problem.filter(|_| !engine.connected)
        })
        .await;
        // Containers live on without their daemon, and so do names and ways.
        assert_eq!(running.addresses("web").await, [web.as_str()]);
        assert_eq!(running.fetch("http", "http://web/"), "hello from web");

        let mut daemon = daemon.start();
        eventually("connected", async || {
            running.status().await.engine.connected.then_some(())
        })
        .await;
        // The daemon has ended what ran, and what has no restart policy stays so.
        lab.docker(&["start", &lab.own("web")]);
        running.joined(&[&net]).await;
        is_fresh(&running, &lab).await;
        eventually("the page", async || {
            let page = running.try_fetch("http", "http://web/");
            (page == "hello from web").then_some(()).ok_or(page)
        })
        .await;
        running.stop().await;
        assert_eq!(made(&lab), [""; 0]);
        assert!(daemon.try_wait().unwrap().is_none(), "it ended");
    });
}
