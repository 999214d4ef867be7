//! Connections for which the tunnel is not ready yet, or not at all.

use std::time::Duration;

use super::peer::soon;
use super::rig::{Rig, SECRET};
use crate::core::tunnel_state::{Secret, SocksAccess, Stage, TunnelState};
use crate::gateway::{Config, Deadlines};

/// With this much patience for the tunnel.
async fn rig(join: Duration) -> Rig {
    let deadlines = Deadlines {
        join,
        failed: Duration::from_millis(50),
        ..Deadlines::default()
    };
    Rig::with(Config {
        deadlines,
        ..Config::default()
    })
    .await
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

/// Asks, lets `meanwhile` happen, and answers the status and text.
async fn asked_while(rig: &Rig, target: &str, meanwhile: impl FnOnce()) -> (u16, String) {
    let mut client = rig.client().await;
    client
        .say(format!("CONNECT {target} HTTP/1.1\r\n\r\n"))
        .await;
    // Whether the gateway has begun to wait by then is left to chance: both must come to the same.
    tokio::task::yield_now().await;
    meanwhile();
    client.hear_response().await
}

#[tokio::test]
async fn waits_for_a_network_to_be_joined() {
    let rig = rig(LONG).await;
    let _web = rig.container("10.231.1.2:80").await;
    rig.join(&["cell"]);
    let (status, text) = asked_while(&rig, "web:80", || rig.join(&["cell", "shop"])).await;
    assert_eq!(status, 200, "{text}");
}

#[tokio::test]
async fn waits_for_the_tunnel_to_run() {
    let rig = rig(LONG).await;
    let _web = rig.container("10.231.1.2:80").await;
    let running = rig.tunnel.send_replace(TunnelState::default());
    let (status, text) = asked_while(&rig, "web:80", || {
        rig.tunnel.send_replace(TunnelState {
            stage: Stage::Starting,
            ..TunnelState::default()
        });
        rig.tunnel.send_replace(running);
    })
    .await;
    assert_eq!(status, 200, "{text}");
}

#[tokio::test]
async fn says_what_it_waited_for_in_vain() {
    let rig = rig(SHORT).await;
    rig.join(&["cell"]);
    let (_, status, text) = rig.connect("web.shop:80", "").await;
    assert_eq!(status, 503);
    assert!(
        text.contains("has not joined network shop in time"),
        "{text}"
    );

    rig.tunnel.send_replace(TunnelState::default());
    let (_, status, text) = rig.connect("web:80", "").await;
    assert_eq!(status, 503);
    assert!(text.contains("the tunnel is absent"), "{text}");
}

#[tokio::test]
async fn does_not_wait_long_for_a_tunnel_that_failed() {
    let rig = rig(LONG).await;
    rig.tunnel.send_replace(TunnelState {
        stage: Stage::Failed,
        problem: Some("no such image".to_owned()),
        ..TunnelState::default()
    });
    let (_, status, text) = soon("give up", rig.connect("web:80", "")).await;
    assert_eq!(status, 503);
    assert!(
        text.contains("the tunnel is failed: no such image"),
        "{text}"
    );
}

#[tokio::test]
async fn does_not_wait_when_nobody_will_tell() {
    let mut rig = rig(SHORT).await;
    rig.join(&["cell"]);
    rig.map = tokio::sync::watch::channel(std::sync::Arc::default()).0;
    rig.tunnel = tokio::sync::watch::channel(TunnelState::default()).0;
    let (_, status, _) = rig.connect("web:80", "").await;
    assert_eq!(status, 503);
}

#[tokio::test]
async fn prefers_an_address_that_can_be_reached_now() {
    let rig = rig(LONG).await;
    // `db` is on `back` first and on `shop` as well.
    let db = rig.container("10.231.1.3:80").await;
    rig.join(&["shop"]);
    let (_, status, text) = rig.connect("db:80", "").await;
    assert_eq!(status, 200, "{text}");
    db.accept().await;
}

#[tokio::test]
async fn tries_one_address_after_the_other() {
    let rig = rig(LONG).await;
    rig.reply("10.231.2.3:80", 0x04);
    let db6 = rig.container("[fd00:231::3]:80").await;
    let (_, status, text) = rig.connect("db:80", "").await;
    assert_eq!(status, 200, "{text}");
    db6.accept().await;
    // With none left, the first failure counts; and an address that failed is reason enough not to wait for others.
    rig.join(&["back"]);
    let (_, status, text) = soon("give up", rig.connect("db:80", "")).await;
    assert_eq!(status, 502);
    assert!(text.contains("no way to 10.231.2.3:80"), "{text}");
}

#[tokio::test]
async fn a_tunnel_that_does_not_work_is_not_taken_for_the_container() {
    let rig = rig(LONG).await;
    let _web = rig.container("10.231.1.2:80").await;
    let access = rig.tunnel.borrow().socks.clone().unwrap();
    let unbound = super::peer::Server::new().await.address();
    for (address, secret, why) in [
        (
            access.address,
            "f0e1d2c3b4a59687",
            "does not accept our credentials",
        ),
        (unbound, SECRET, "the tunnel cannot be reached"),
    ] {
        rig.tunnel.send_modify(|state| {
            let secret = Secret::new(secret);
            state.socks = Some(SocksAccess { address, secret });
        });
        let (_, status, text) = soon("give up", rig.connect("web:80", "")).await;
        assert_eq!(status, 503);
        assert!(text.contains(why), "{text}");
    }
}
