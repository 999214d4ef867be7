//! Requests in absolute form, several on one connection: which connection to an origin serves which request.

use std::sync::Arc;

use super::peer::Peer;
use super::rig::Rig;
use super::world;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn get(client: &mut Peer, host: &str) {
    client
        .say(format!(
            "GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n"
        ))
        .await;
}

/// Answers the next request.
async fn serve(container: &mut Peer) {
    container.hear_head().await;
    container.say(OK).await;
}

async fn served(client: &mut Peer) {
    assert_eq!(client.hear_response().await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn one_connection_serves_requests_for_one_origin() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    get(&mut client, "web").await;
    let mut container = web.accept().await;
    serve(&mut container).await;
    served(&mut client).await;
    for _ in 0..3 {
        get(&mut client, "web").await;
        serve(&mut container).await;
        served(&mut client).await;
    }
    assert!(web.is_alone().await);
    assert_eq!(rig.connections.len(), 1);
    // Pipelined ones are answered in order.
    get(&mut client, "web").await;
    get(&mut client, "web").await;
    serve(&mut container).await;
    serve(&mut container).await;
    served(&mut client).await;
    served(&mut client).await;
    drop(client);
    container.hear_end().await;
}

#[tokio::test]
async fn another_origin_gets_another_connection() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let db = rig.container("10.231.2.3:80").await;
    let mut client = rig.client().await;
    for server in [("web", &web), ("db", &db), ("web", &web)] {
        get(&mut client, server.0).await;
        let mut container = server.1.accept().await;
        serve(&mut container).await;
        served(&mut client).await;
    }
}

#[tokio::test]
async fn another_scope_gets_another_connection() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    get(&mut client, "10.231.1.2").await;
    serve(&mut web.accept().await).await;
    served(&mut client).await;
    client
        .say("GET http://10.231.1.2/ HTTP/1.1\r\nHost: x\r\nDockline-Client: cell\r\n\r\n")
        .await;
    assert_eq!(client.hear_response().await.0, 403);
}

#[tokio::test]
async fn a_map_that_says_otherwise_ends_the_reuse() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    get(&mut client, "web").await;
    let mut container = web.accept().await;
    serve(&mut container).await;
    served(&mut client).await;

    // One that says the same about it does not.
    rig.join(&["shop", "back"]);
    get(&mut client, "web").await;
    serve(&mut container).await;
    served(&mut client).await;

    rig.map.send_replace(Arc::new(world::without_web()));
    get(&mut client, "web").await;
    assert_eq!(client.hear_response().await.0, 502);
    container.hear_end().await;
}

#[tokio::test]
async fn a_connection_that_the_origin_closed_is_replaced() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    get(&mut client, "web").await;
    let mut container = web.accept().await;
    container.hear_head().await;
    container
        .say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        .await;
    drop(container);
    served(&mut client).await;
    get(&mut client, "web").await;
    serve(&mut web.accept().await).await;
    served(&mut client).await;
}

#[tokio::test]
async fn a_request_that_met_a_closing_connection_is_repeated_if_that_does_no_harm() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    for (request, repeated) in [
        (
            "GET http://web/ HTTP/1.1\r\nHost: web\r\nX-Case: 1\r\n\r\n",
            true,
        ),
        (
            "DELETE http://web/ HTTP/1.1\r\nHost: web\r\nX-Case: 1\r\n\r\n",
            true,
        ),
        (
            "POST http://web/ HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\nX-Case: 1\r\n\r\n",
            false,
        ),
        (
            "PUT http://web/ HTTP/1.1\r\nHost: web\r\nContent-Length: 1\r\nX-Case: 1\r\n\r\nx",
            false,
        ),
    ] {
        let mut client = rig.client().await;
        get(&mut client, "web").await;
        let mut container = web.accept().await;
        serve(&mut container).await;
        served(&mut client).await;

        client.say(request).await;
        let first = container.hear_head().await;
        drop(container);
        if repeated {
            let mut container = web.accept().await;
            assert_eq!(container.hear_head().await, first);
            container.say(OK).await;
            served(&mut client).await;
        } else {
            assert_eq!(client.hear_response().await.0, 502, "{request}");
        }
    }
}
