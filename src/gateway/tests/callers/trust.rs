//! Callers that do not trust the interceptor's authority, and hosts that it is not to hear of.

use std::sync::Arc;

use super::{get, of, ok, with};
use crate::core::hand_on::Interception;
use crate::gateway::Config;
use crate::gateway::tests::peer::Server;
use crate::gateway::tests::rig::Rig;
use crate::gateway::tests::world;

/// With an authority in use that nobody trusts yet, and a host that is passed through.
async fn distrusted() -> (Rig, Server) {
    let interceptor = Server::new().await;
    let interception = Interception {
        ca: Some("abc".to_owned()).into(),
        pass_through: vec!["10.231.1.3".parse().unwrap()],
    };
    let rig = Rig::with(Config {
        interception,
        ..with(interceptor.address())
    })
    .await;
    drop(interceptor.accept().await);
    (rig, interceptor)
}

#[tokio::test]
async fn only_tls_of_who_trusts_the_authority_is_handed_on() {
    let (rig, interceptor) = distrusted().await;
    let db = rig.container("10.231.2.3:443").await;
    let mut client = rig.caller(of("web")).await;
    client
        .say("CONNECT 10.231.2.3:443 HTTP/1.1\r\n\r\nearly")
        .await;
    assert_eq!(client.hear_response().await.0, 200);
    db.accept().await.hear("early").await;
    assert!(interceptor.is_alone().await, "its authority is not trusted");
    let mut client = rig.caller(of("web")).await;
    get(&mut client, "http://10.231.2.3:443/").await;
    let mut proxy = interceptor.accept().await;
    proxy.hear_head().await;
    ok(&mut proxy).await;
    assert_eq!(client.hear_response().await.0, 200);

    rig.map
        .send_replace(Arc::new(world::where_web_trusts("abc")));
    let mut client = rig.caller(of("web")).await;
    client.say("CONNECT 10.231.2.3:443 HTTP/1.1\r\n\r\n").await;
    let head = interceptor.accept().await.hear_head().await;
    assert_eq!(head[0], "CONNECT 10.231.2.3:443 HTTP/1.1");
}

#[tokio::test]
async fn a_distrusting_caller_gets_no_further_than_before() {
    let (rig, interceptor) = distrusted().await;
    let mut client = rig.caller(of("web")).await;
    client.say("CONNECT 10.231.4.2:443 HTTP/1.1\r\n\r\n").await;
    let (status, text) = client.hear_response().await;
    assert_eq!(status, 403, "{text}");
    assert!(interceptor.is_alone().await);
}

#[tokio::test]
async fn the_interceptor_never_hears_of_what_is_passed_through() {
    let (rig, interceptor) = distrusted().await;
    rig.map
        .send_replace(Arc::new(world::where_web_trusts("abc")));
    let db = rig.container("10.231.1.3:80").await;
    let mut client = rig.caller(of("web")).await;
    // One connection of the client's, of which some requests are intercepted.
    get(&mut client, "http://example.com/").await;
    let mut proxy = interceptor.accept().await;
    proxy.hear_head().await;
    ok(&mut proxy).await;
    client.hear_response().await;
    get(&mut client, "http://10.231.1.3/x").await;
    let mut container = db.accept().await;
    assert_eq!(container.hear_head().await[0], "GET /x HTTP/1.1");
    ok(&mut container).await;
    assert_eq!(client.hear_response().await.0, 200);
    client
        .say("CONNECT 10.231.1.3:80 HTTP/1.1\r\n\r\nping")
        .await;
    db.accept().await.hear("ping").await;
    assert!(interceptor.is_alone().await);
}
