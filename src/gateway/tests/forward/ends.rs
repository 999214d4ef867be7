//! Who leaves, before the end or after it.

use std::time::Duration;

use crate::gateway::tests::rig::{GET, Rig};
use crate::gateway::{Config, Deadlines};

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_complete() {
    let rig = Rig::new().await;
    let (mut client, mut container) = rig.asked(GET).await;
    container.hear_head().await;
    container
        .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .await;
    drop(container);
    client.hear_head().await;
    client.hear("3\r\none\r\n").await;
    client.hear_end().await;
}

#[tokio::test]
async fn a_request_that_breaks_off_does_not_look_complete() {
    let rig = Rig::new().await;
    let (client, mut container) = rig
        .asked("POST http://web/ HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .await;
    container.hear_head().await;
    container.hear("3\r\none\r\n").await;
    drop(client);
    container.hear_end().await;
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let rig = Rig::new().await;
    let (client, mut container) = rig
        .asked("GET http://web/slow HTTP/1.1\r\nHost: web\r\n\r\n")
        .await;
    container.hear_head().await;
    drop(client);
    container.hear_end().await;
}

#[tokio::test]
async fn a_client_that_asks_nothing_more_is_let_go() {
    let rig = Rig::with(Config {
        deadlines: Deadlines {
            idle: Duration::from_millis(50),
            ..Deadlines::default()
        },
        ..Config::default()
    })
    .await;
    let (mut client, mut container) = rig.asked(GET).await;
    container.hear_head().await;
    container.say("HTTP/1.1 204 No Content\r\n\r\n").await;
    client.hear_head().await;
    client.hear_end().await;
    container.hear_end().await;
}
