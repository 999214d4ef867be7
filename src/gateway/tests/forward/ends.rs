//! Who leaves, before the end or after it.

use std::time::Duration;

use crate::gateway::tests::rig::Rig;
use crate::gateway::{Config, Deadlines};

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_complete() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    client
        .say("GET http://web/ HTTP/1.1\r\nHost: web\r\n\r\n")
        .await;
    let mut container = web.accept().await;
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
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    client
        .say("POST http://web/ HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .await;
    let mut container = web.accept().await;
    container.hear_head().await;
    container.hear("3\r\none\r\n").await;
    drop(client);
    container.hear_end().await;
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    client
        .say("GET http://web/slow HTTP/1.1\r\nHost: web\r\n\r\n")
        .await;
    let mut container = web.accept().await;
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
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    client
        .say("GET http://web/ HTTP/1.1\r\nHost: web\r\n\r\n")
        .await;
    let mut container = web.accept().await;
    container.hear_head().await;
    container.say("HTTP/1.1 204 No Content\r\n\r\n").await;
    client.hear_head().await;
    client.hear_end().await;
    container.hear_end().await;
}
