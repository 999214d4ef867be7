//! From whose point of view: loopback in a scope, and names that say from where they are seen.

use super::peer::Server;
use super::rig::Rig;
use crate::gateway::{Config, Upstream};

const WEB: &str = "Dockline-Client: web\r\n";

#[tokio::test]
async fn loopback_in_a_scope_is_the_container() {
    let rig = Rig::new().await;
    let here = Server::new().await;
    let port = here.address().port();
    let web = rig.container(&format!("10.231.1.2:{port}")).await;
    let web6 = rig.container(&format!("[fd00:231::2]:{port}")).await;
    for (host, server) in [
        ("127.0.0.1", &web),
        ("localhost", &web),
        ("0.0.0.0", &web),
        ("[::1]", &web6),
    ] {
        let (mut client, status, _) = rig.connect(&format!("{host}:{port}"), WEB).await;
        assert_eq!(status, 200, "{host}");
        client.say("ping").await;
        server.accept().await.hear("ping").await;
    }
    assert!(here.is_alone().await);
    // Without a scope it is this host.
    let (mut client, status, _) = rig.connect(&format!("127.0.0.1:{port}"), "").await;
    assert_eq!(status, 200);
    client.say("ping").await;
    here.accept().await.hear("ping").await;
}

#[tokio::test]
async fn a_refusal_by_own_loopback_says_what_it_may_be() {
    let rig = Rig::new().await;
    let own = format!("127.0.0.1:{}", rig.address.port());
    for (host, address) in [
        ("127.0.0.1:9", "10.231.1.2:9"),
        ("[::1]:9", "[fd00:231::2]:9"),
        ("localhost:9", "10.231.1.2:9"),
        // Nobody but us listens there, and we are not in that container.
        (&own, "10.231.1.2"),
    ] {
        let (_, status, text) = rig.connect(host, WEB).await;
        assert_eq!(status, 502, "{text}");
        assert!(text.contains(address), "{text}");
        assert!(text.contains("listens on loopback only"), "{text}");
    }
    let (_, _, text) = rig.connect("web:9", WEB).await;
    assert!(!text.contains("loopback"), "{text}");
}

#[tokio::test]
async fn a_name_may_say_from_where_it_is_seen() {
    let rig = Rig::new().await;
    let db = rig.container("10.231.1.3:80").await;
    let name = "DB.web.scope.dockline:80";
    let (mut client, status, _) = rig.connect(name, "").await;
    assert_eq!(status, 200);
    client.say("ping").await;
    db.accept().await.hear("ping").await;
    let open = rig.connections.list();
    assert_eq!(open[0].1.destination.to_string(), name);
    for (name, status) in [
        ("db.cell.scope.dockline:80", 502),
        ("www.example.com.cell.scope.dockline:80", 403),
        ("db.nobody.scope.dockline:80", 502),
        ("www.example.com.nobody.scope.dockline:80", 502),
    ] {
        assert_eq!(rig.connect(name, "").await.1, status, "{name}");
    }
}

#[tokio::test]
async fn the_world_is_asked_for_the_name_in_the_scope() {
    let proxy = Server::new().await;
    let url = format!("http://{}", proxy.address());
    let config = Config {
        upstream: Upstream::from_url(&url).unwrap(),
        ..Config::default()
    };
    let rig = Rig::with(config).await;
    let mut client = rig.client().await;
    for _ in 0..2 {
        client
            .say("GET http://www.example.com.web.scope.dockline/x HTTP/1.1\r\nHost: x\r\n\r\n")
            .await;
    }
    let mut upstream = proxy.accept().await;
    let head = upstream.hear_head().await;
    assert_eq!(head[0], "CONNECT www.example.com:80 HTTP/1.1");
    upstream.say("HTTP/1.1 200 OK\r\n\r\n").await;
    for _ in 0..2 {
        assert_eq!(upstream.hear_head().await[0], "GET /x HTTP/1.1");
        upstream
            .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
        assert_eq!(client.hear_response().await, (200, "ok".to_owned()));
    }
    // The second went the way of the first.
    assert!(proxy.is_alone().await);
}
