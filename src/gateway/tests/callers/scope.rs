//! What a caller reaches, with an interceptor and without.

use std::time::Duration;

use super::{get, of, ok, rig, with};
use crate::core::resolve::Scope;
use crate::core::sample::network_id;
use crate::gateway::Config;
use crate::gateway::tests::peer::{Server, soon};
use crate::gateway::tests::rig::Rig;

#[tokio::test]
async fn a_caller_is_refused_what_it_could_not_reach() {
    let (rig, interceptor) = rig().await;
    let _cell = rig.container("10.231.4.2:80").await;
    for (scope, target, status, why) in [
        (of("web"), "10.231.4.2:80", 403, "which web is not on"),
        (of("web"), "10.231.3.2:80", 403, "which web is not on"),
        (of("cell"), "10.231.1.2:80", 403, "which cell is not on"),
        (of("cell"), "example.com:80", 403, "internal networks only"),
        (of("cell"), "192.0.2.1:80", 403, "internal networks only"),
        (of("web"), "nobody:80", 502, "\"nobody\""),
        (
            Scope::Network(network_id("cell")),
            "10.231.1.2:80",
            403,
            "not known to be on",
        ),
        (
            Scope::Network(network_id("shop")),
            "127.0.0.1:80",
            403,
            "who calls is not known",
        ),
        (
            Scope::Network(network_id("cell")),
            "example.com:80",
            403,
            "internal",
        ),
    ] {
        for request in [
            format!("CONNECT {target} HTTP/1.1\r\n\r\n"),
            format!("GET http://{target}/ HTTP/1.1\r\nHost: x\r\nDockline-Client: cell\r\n\r\n"),
        ] {
            let mut client = rig.caller(scope.clone()).await;
            client.say(request).await;
            let (got, text) = client.hear_response().await;
            assert_eq!(got, status, "{target}: {text}");
            assert!(text.contains(why), "{text}");
        }
    }
    assert!(interceptor.is_alone().await, "it need not hear of that");
}

#[tokio::test]
async fn internal_networks_may_be_let_out() {
    let interceptor = Server::new().await;
    let config = Config {
        internal_egress: true,
        ..with(interceptor.address())
    };
    let rig = Rig::with(config).await;
    drop(interceptor.accept().await);
    let mut client = rig.caller(of("cell")).await;
    get(&mut client, "http://example.com/").await;
    interceptor.accept().await.hear_head().await;
}

#[tokio::test]
async fn without_an_interceptor_callers_go_on_in_their_scope() {
    let rig = Rig::new().await;
    let db = rig.container("10.231.2.3:80").await;
    let here = rig.container("10.231.1.2:80").await;
    let mut client = rig.caller(of("web")).await;
    get(&mut client, "http://localhost/").await;
    let mut container = here.accept().await;
    assert_eq!(
        container.hear_head().await,
        ["GET / HTTP/1.1", "Host: as.asked"]
    );
    ok(&mut container).await;
    client.hear_response().await;
    client.say("CONNECT db.back:80 HTTP/1.1\r\n\r\nping").await;
    db.accept().await.hear("ping").await;
}

#[tokio::test]
async fn the_interceptors_own_word_for_its_client_is_a_hint() {
    let (rig, interceptor) = rig().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.caller(of("web")).await;
    client.say("CONNECT example.com:443 HTTP/1.1\r\n\r\n").await;
    let (stream, seen) = soon("accept", interceptor.0.accept()).await.unwrap();
    let hint = format!("Dockline-Client: {seen}\r\n");
    // In the scope of `web`, loopback is `web`.
    let (mut asked, status, _) = rig.connect("127.0.0.1:80", &hint).await;
    assert_eq!(status, 200);
    asked.say("ping").await;
    web.accept().await.hear("ping").await;
    let (_, status, _) = rig.connect("10.231.4.2:80", &hint).await;
    assert_eq!(status, 403);
    drop((stream, client));
    soon("forgotten", async {
        while rig.connect("10.231.4.2:80", &hint).await.1 == 403 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_public_name_that_a_caller_made_up_leads_nobody_into_a_network() {
    let (rig, interceptor) = rig().await;
    // The system's resolver takes this for 10.231.4.2, on the internal network.
    let name = "10.231.1026";
    let cell = rig.container("10.231.4.2:80").await;
    let (_, status, _) = rig.connect(&format!("{name}:80"), "").await;
    assert_eq!(status, 200, "asked for by nobody in particular");
    drop(cell.accept().await);
    let mut client = rig.caller(of("web")).await;
    client
        .say(format!("CONNECT {name}:80 HTTP/1.1\r\n\r\n"))
        .await;
    interceptor.accept().await.hear_head().await;
    let (_, status, text) = rig.connect(&format!("{name}:80"), "").await;
    assert_eq!(status, 403, "{text}");
}

#[tokio::test]
async fn a_name_that_is_public_to_the_caller_alone_is_looked_up_for_it() {
    let (rig, interceptor) = rig().await;
    // On network `back` that is somebody's name, and `cell` is not there; nobody else knows it.
    let mut client = rig.caller(Scope::Network(network_id("shop"))).await;
    client.say("CONNECT db.back:80 HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.hear_response().await.0, 502);
    assert!(interceptor.is_alone().await);
}
