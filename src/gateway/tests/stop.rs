//! Stopping: what is under way may end, and nothing stays.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::rig::{GET, Rig};
use crate::gateway::{Config, Deadlines, Gateway};

async fn rig(grace: Duration) -> Rig {
    let deadlines = Deadlines {
        grace,
        ..Deadlines::default()
    };
    Rig::with(Config {
        deadlines,
        ..Config::default()
    })
    .await
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn ends_at_once_when_idle() {
    let mut rig = rig(LONG).await;
    let (mut client, mut container) = rig.asked(GET).await;
    container.hear_head().await;
    container.say("HTTP/1.1 204 No Content\r\n\r\n").await;
    client.hear_head().await;
    let start = Instant::now();
    rig.stop.cancel();
    client.hear_end().await;
    container.hear_end().await;
    rig.ended().await;
    assert!(start.elapsed() < LONG);
    assert!(rig.connections.is_empty());
    assert!(TcpStream::connect(rig.address).await.is_err());
}

#[tokio::test]
async fn lets_a_request_end() {
    let mut rig = rig(LONG).await;
    let (mut client, mut container) = rig.asked(GET).await;
    container.hear_head().await;
    rig.stop.cancel();
    container
        .say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        .await;
    let head = client.hear_head().await;
    assert!(head.contains(&"Connection: close".to_owned()), "{head:?}");
    client.hear("ha").await;
    container.say("lf").await;
    client.hear("lf").await;
    client.hear_end().await;
    rig.ended().await;
}

#[tokio::test]
async fn cuts_what_does_not_end() {
    let mut rig = rig(Duration::from_millis(50)).await;
    let web = rig.container("10.231.1.2:80").await;
    let (mut client, status, _) = rig.connect("web:80", "").await;
    assert_eq!(status, 200);
    let _container = web.accept().await;
    let mut waiting = rig.client().await;
    waiting
        .say("GET http://web/ HTTP/1.1\r\nHost: web\r\n\r\n")
        .await;
    web.accept().await.hear_head().await;
    rig.stop.cancel();
    rig.ended().await;
    client.hear_reset().await;
    assert!(rig.connections.is_empty());
}

#[tokio::test]
async fn listens_on_loopback_only_unless_a_password_is_asked_for() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let bound = Gateway::bind(address.parse().unwrap(), None).await;
        assert!(bound.is_err(), "{address}");
    }
    let password = crate::gateway::Password::new("secret");
    let bound = Gateway::bind("0.0.0.0:0".parse().unwrap(), Some(&password)).await;
    assert!(bound.unwrap().local_addr().ip().is_unspecified());
}

#[tokio::test]
async fn serves_no_more_at_a_time_than_it_may() {
    let rig = Rig::with(Config {
        capacity: 1,
        ..Config::default()
    })
    .await;
    let web = rig.container("10.231.1.2:80").await;
    let (first, status, _) = rig.connect("web:80", "").await;
    assert_eq!(status, 200);
    let container = web.accept().await;
    let mut second = rig.client().await;
    second.say("CONNECT web:80 HTTP/1.1\r\n\r\n").await;
    assert!(web.is_alone().await);
    drop((first, container));
    assert_eq!(second.hear_response().await.0, 200);
}
