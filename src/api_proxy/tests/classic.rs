//! Builds of the classic builder between a client and an engine that are both ends of it.

use super::rig::Rig;

const OUTPUT: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const SAID: &str = "12\r\n{\"stream\":\"done\"}\n\r\n";

/// What cannot be intercepted goes on as it came, and the build's output says so.
#[tokio::test]
async fn a_build_that_is_not_intercepted_passes_and_tells_why() {
    let rig = Rig::start();
    for (query, why) in [
        (
            "remote=https://x.test/own.git",
            "fetches its context itself",
        ),
        ("networkmode=shop", "network shop"),
        ("buildargs=x", "its query is not understood"),
        (
            "version=2&remote=client-session",
            "nobody does since Docker 23",
        ),
        (
            "version=2&buildid=upload-request:1",
            "nobody does since Docker 23",
        ),
    ] {
        let mut client = rig.client().await;
        let request = format!(
            "POST /v1.41/build?{query} HTTP/1.1\r\nHost: docker\r\nContent-Length: 4\r\n\r\nbody"
        );
        client.send(&request).await;
        let mut engine = rig.engine().await;
        engine.reads(&request).await;
        engine.send(&format!("{OUTPUT}{SAID}0\r\n\r\n")).await;
        client.reads(OUTPUT).await;
        client.half_close().await;
        drop(engine);
        let said = client.rest().await;
        let at = |words: &str| {
            let found = said.find(words);
            found.unwrap_or_else(|| panic!("{query}: no {words:?} in {said}"))
        };
        let warning = at("[Warning] dockline: this build is not intercepted: ");
        assert!(warning < at(why) && at(why) < at("done"), "{said}");
        assert!(said.ends_with("0\r\n\r\n"), "{said}");
    }
}

#[tokio::test]
async fn a_quiet_build_and_one_without_a_network_pass_without_a_word() {
    let rig = Rig::start();
    for query in ["networkmode=none", "networkmode=shop&q=1"] {
        let mut client = rig.client().await;
        let request = format!("POST /build?{query} HTTP/1.1\r\nHost: docker\r\n\r\n");
        client.send(&request).await;
        let mut engine = rig.engine().await;
        engine.reads(&request).await;
        let answer = format!("{OUTPUT}{SAID}0\r\n\r\n");
        engine.send(&answer).await;
        client.reads(&answer).await;
    }
}
