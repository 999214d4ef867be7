//! The interceptor dies and returns; so do dockline and the tunnel. Whoever asks anew is served.

use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;

use super::inside::{Inside, half_answered, soon};
use super::recorder::Recorder;
use super::{Served, intercepted, resident, scene, tunnel};
use crate::support::{Lab, eventually, on_each_engine};

#[test]
fn an_interceptor_that_dies_and_returns() {
    on_each_engine(async |lab| {
        let Some((net, recorder, client)) = scene(&lab).await else {
            return;
        };
        let running = intercepted(&lab, &recorder).await;
        running.joined(&[&net]).await;
        assert_eq!(client.get(&lab, "http://web/").await, "hello from web");
        let dead = recorder.die().await;
        assert_eq!(client.get(&lab, "http://web/").await, "hello from web");
        assert!(!running.status().await.interceptor.unwrap().reachable);
        let (mut talk, status, _) = client.connect(&lab, "web:80").await;
        assert_eq!(status, 200);
        talk.say("GET / HTTP/1.0\r\n\r\n").await;
        assert_eq!(talk.hear_response().await.1, "hello from web");

        let recorder = dead.rise().await;
        recorder.forget();
        eventually("intercepted again", async || {
            assert_eq!(client.get(&lab, "http://web/").await, "hello from web");
            (!recorder.recorded().is_empty()).then_some(())
        })
        .await;
        assert!(running.status().await.interceptor.unwrap().reachable);
        running.stop().await;
    });
}

/// A `dockline serve` in a process of its own, that hands on to `recorder`.
async fn serve(lab: &Lab, recorder: &Recorder) -> Served {
    let interceptor = recorder.address().to_string();
    let served = Served::start_with(
        lab,
        &[
            "--interceptor",
            &interceptor,
            "--gateway",
            "127.0.0.1:0",
            "--dns",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
        ],
    );
    let gateway = eventually("a link", async || {
        let status = served.json(lab, &["status", "--wait", "20", "--json"]);
        let up =
            status["tunnel"]["link"]["state"] == "up" && status["interceptor"]["reachable"] == true;
        let joined = status["tunnel"]["networks"]
            .as_array()
            .is_some_and(|n| n.len() > 1);
        (up && joined).then(|| status["gateway"].as_str().unwrap().to_owned())
    })
    .await;
    recorder.use_gateway(gateway.parse().unwrap());
    served
}

/// Asks for a page that must come, whoever serves it.
async fn ask(lab: &Lab, client: &Inside) {
    assert_eq!(client.get(lab, "http://web/").await, "hello from web");
}

#[test]
fn dockline_that_is_killed_and_returns() {
    on_each_engine(async |lab| {
        let Some((net, recorder, client)) = scene(&lab).await else {
            return;
        };
        let slow = resident(&lab, "slow", &net, &[]).unwrap();
        let mut served = serve(&lab, &recorder).await;
        ask(&lab, &client).await;
        assert_eq!(recorder.recorded().len(), 1);

        // A request under way breaks, and does not look as if it were complete.
        let listener = slow.listen(80);
        let (mut caller, _far) = half_answered(&lab, &client, &listener).await;
        served.signal(Signal::KILL);
        let mut rest = Vec::new();
        let end = soon("the end", caller.0.read_to_end(&mut rest)).await;
        // Cut off, or at least four bytes short of what was announced.
        assert!(
            end.is_err() || rest.is_empty(),
            "it looks complete: {rest:?}"
        );

        recorder.forget();
        ask(&lab, &client).await;
        assert_eq!(recorder.recorded(), [], "dockline is dead");
        // The tunnel starts again as well, as after a reboot.
        lab.docker(&["restart", "-t", "0", &tunnel(&lab)]);
        eventually("served", async || {
            let entry = client.entry(&lab).await;
            client.try_connect(entry).ok()
        })
        .await;
        ask(&lab, &client).await;

        let mut served = serve(&lab, &recorder).await;
        eventually("intercepted again", async || {
            ask(&lab, &client).await;
            (!recorder.recorded().is_empty()).then_some(())
        })
        .await;
        let ended = served.signal(Signal::TERM);
        assert!(ended.status.success(), "{ended:?}");
    });
}

#[test]
fn dockline_that_does_not_stir_keeps_nobody_waiting_for_long() {
    on_each_engine(async |lab| {
        let Some((_, recorder, client)) = scene(&lab).await else {
            return;
        };
        let served = serve(&lab, &recorder).await;
        ask(&lab, &client).await;
        served.send(Signal::STOP);
        recorder.forget();
        ask(&lab, &client).await;
        // Dead by now, to the tunnel: nobody waits any more.
        tokio::time::sleep(Duration::from_secs(7)).await;
        ask(&lab, &client).await;
        assert_eq!(recorder.recorded(), []);
        served.send(Signal::CONT);
        eventually("intercepted again", async || {
            ask(&lab, &client).await;
            (!recorder.recorded().is_empty()).then_some(())
        })
        .await;
    });
}
