//! HTTP CONNECT.

use super::rig::Rig;
use crate::gateway::{Config, Password};

#[tokio::test]
async fn becomes_a_tunnel_with_whatever_was_sent_before() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:443").await;
    let mut client = rig.client().await;
    client
        .say("CONNECT web:443 HTTP/1.1\r\nHost: web:443\r\n\r\nearly")
        .await;
    let mut container = web.accept().await;
    container.hear("early").await;
    container.say("answer").await;
    let head = client.hear_head().await;
    assert_eq!(head, ["HTTP/1.1 200 OK"]);
    client.hear("answer").await;
    assert_eq!(
        rig.connections.list()[0].1.destination.to_string(),
        "web:443"
    );
    client.finish().await;
    container.hear_end().await;
    container.say("more").await;
    container.finish().await;
    client.hear("more").await;
    client.hear_end().await;
}

#[tokio::test]
async fn a_byte_at_a_time_is_enough() {
    let rig = Rig::new().await;
    let web6 = rig.container("[fd00:231::2]:443").await;
    let mut client = rig.client().await;
    client
        .spell("CONNECT [fd00:231::2]:443 HTTP/1.0\r\n\r\n")
        .await;
    assert_eq!(client.hear_head().await, ["HTTP/1.0 200 OK"]);
    client.spell("ping").await;
    web6.accept().await.hear("ping").await;
}

#[tokio::test]
async fn each_failure_has_its_status_and_says_why() {
    let rig = Rig::new().await;
    rig.reply("10.231.1.2:3", 0x06);
    let own = format!("localhost:{}", rig.address.port());
    for (target, status, why) in [
        ("web.shop:9", 502, "10.231.1.2:9 refused the connection"),
        ("web.shop:3", 504, "10.231.1.2:3 did not answer"),
        (
            "nobody:80",
            502,
            "no watched network has the name \"nobody\"",
        ),
        (
            "10.231.3.2:80",
            403,
            "network foreign, which no watched container is on",
        ),
        (own.as_str(), 508, "is dockline itself"),
    ] {
        let (_, got, text) = rig.connect(target, "").await;
        assert_eq!(got, status, "{target}");
        assert!(
            text.starts_with(&format!("dockline cannot reach {target}: ")),
            "{text}"
        );
        assert!(text.contains(why), "{text}");
        assert!(text.ends_with(".\n"), "{text}");
    }
    assert_eq!(rig.connect("web", "").await.1, 400);
}

#[tokio::test]
async fn a_refused_client_may_ask_again() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:443").await;
    let (mut client, status, _) = rig.connect("nobody:80", "").await;
    assert_eq!(status, 502);
    client.say("CONNECT web:443 HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.hear_response().await.0, 200);
    client.say("ping").await;
    web.accept().await.hear("ping").await;
}

#[tokio::test]
async fn the_hint_is_a_header_or_the_user_name() {
    let rig = Rig::new().await;
    let _web = rig.container("10.231.1.2:80").await;
    for (headers, status) in [
        ("", 200),
        ("Dockline-Client: web\r\n", 200),
        ("dockline-client: 10.231.1.3:4711\r\n", 200),
        ("Dockline-Client: cell\r\n", 403),
        // "cell:" and "web:", the latter beside the header.
        ("Proxy-Authorization: Basic Y2VsbDo=\r\n", 403),
        (
            "Proxy-Authorization: Basic d2ViOg==\r\nDockline-Client: cell\r\n",
            403,
        ),
        ("Dockline-Client: whoever\r\n", 200),
    ] {
        assert_eq!(
            rig.connect("10.231.1.2:80", headers).await.1,
            status,
            "{headers}"
        );
    }
}

#[tokio::test]
async fn a_password_must_be_the_right_one() {
    let rig = Rig::with(Config {
        password: Some(Password::new("s3cr!t")),
        ..Config::default()
    })
    .await;
    let _web = rig.container("10.231.1.2:80").await;
    // "web:s3cr!t", "web:wrong".
    let right = "Proxy-Authorization: Basic d2ViOnMzY3IhdA==\r\n";
    let wrong = "Proxy-Authorization: Basic d2ViOndyb25n\r\n";
    assert_eq!(rig.connect("web:80", right).await.1, 200);
    assert_eq!(rig.connect("web:80", wrong).await.1, 407);
    assert_eq!(rig.connect("web:80", "").await.1, 407);

    let mut client = rig.client().await;
    client
        .say("GET http://web/ HTTP/1.1\r\nHost: web\r\n\r\n")
        .await;
    let head = client.hear_head().await;
    assert!(
        head.contains(&"proxy-authenticate: Basic realm=\"dockline\"".to_owned()),
        "{head:?}"
    );
}
