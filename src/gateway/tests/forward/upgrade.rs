//! Connections that become something else, and those that do not.

use crate::gateway::tests::rig::{GET, Rig};

#[tokio::test]
async fn an_upgrade_becomes_a_tunnel() {
    let rig = Rig::new().await;
    let (mut client, mut container) = rig
        .asked(
            "GET http://web/ws HTTP/1.1\r\nHost: web\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: k\r\n\r\n",
        )
        .await;
    assert_eq!(
        container.hear_head().await,
        [
            "GET /ws HTTP/1.1",
            "Host: web",
            "Sec-WebSocket-Key: k",
            "Upgrade: websocket",
            "Connection: Upgrade",
        ]
    );
    container
        .say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Y: z\r\n\r\nfirst")
        .await;
    assert_eq!(
        client.hear_head().await,
        [
            "HTTP/1.1 101 Switching Protocols",
            "X-Y: z",
            "Connection: Upgrade",
            "Upgrade: websocket",
        ]
    );
    client.hear("first").await;
    client.say("ping").await;
    container.hear("ping").await;
    container.say("pong").await;
    client.hear("pong").await;
    assert_eq!(rig.connections.len(), 1);
    container.finish().await;
    client.hear_end().await;
    client.say("last").await;
    client.finish().await;
    container.hear("last").await;
    container.hear_end().await;
}

#[tokio::test]
async fn an_upgrade_that_is_declined_is_an_ordinary_answer() {
    let rig = Rig::new().await;
    let request =
        "GET http://web/ HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let (mut client, mut container) = rig.asked(request).await;
    container.hear_head().await;
    container
        .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(client.hear_response().await, (200, "ok".to_owned()));
    client.say(request).await;
    container.hear_head().await;
}

#[tokio::test]
async fn an_origin_that_switches_unasked_is_not_followed() {
    let rig = Rig::new().await;
    let (mut client, mut container) = rig.asked(GET).await;
    container.hear_head().await;
    container
        .say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        .await;
    assert_eq!(client.hear_response().await.0, 502);
}
