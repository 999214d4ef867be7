//! Containers that had a proxy of their own.

use std::sync::Arc;

use super::peer::{Peer, Server};
use super::rig::Rig;
use super::world;
use crate::core::resolve::Scope;
use crate::core::sample::id;
use crate::gateway::{Config, Interceptor, Upstream};

const PROXIED: &str = "Dockline-Client: proxied\r\n";

async fn rig(config: Config, interceptor: u16) -> Rig {
    let rig = Rig::with(config).await;
    let map = Arc::new(world::with_own_proxies(interceptor));
    rig.map.send_replace(map);
    rig
}

/// Asks for that page, and whoever it meets at `proxy` lets it through.
async fn get_by(client: &mut Peer, proxy: &Server) {
    client
        .say(format!(
            "GET http://www.example.com/x HTTP/1.1\r\nHost: www.example.com\r\n{PROXIED}\r\n"
        ))
        .await;
    let mut proxy = proxy.accept().await;
    let head = proxy.hear_head().await;
    assert_eq!(
        head,
        [
            "CONNECT www.example.com:80 HTTP/1.1",
            "host: www.example.com:80",
            "proxy-authorization: Basic bWU6czNjciF0",
        ]
    );
    proxy.say("HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(proxy.hear_head().await[0], "GET /x HTTP/1.1");
    proxy
        .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(client.hear_response().await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn they_get_out_by_it_as_they_would_have() {
    let rig = rig(Config::default(), 1).await;
    let corp = rig.container("10.231.1.3:3128").await;
    get_by(&mut rig.client().await, &corp).await;
    // As a caller of the entry, without an interceptor.
    let mut caller = rig.caller(Scope::Container(id("proxied"))).await;
    get_by(&mut caller, &corp).await;
    // TLS, and an address.
    for target in ["www.example.com:443", "192.0.2.1:443"] {
        let mut client = rig.client().await;
        client
            .say(format!("CONNECT {target} HTTP/1.1\r\n{PROXIED}\r\n"))
            .await;
        let mut proxy = corp.accept().await;
        let first = proxy.hear_head().await.remove(0);
        assert_eq!(first, format!("CONNECT {target} HTTP/1.1"));
        proxy.say("HTTP/1.1 200 OK\r\n\r\n220 ready").await;
        assert_eq!(client.hear_response().await.0, 200);
        client.hear("220 ready").await;
    }
}

#[tokio::test]
async fn it_comes_before_the_users_except_where_it_did_not_count() {
    let upstream = Server::new().await;
    let url = format!("http://{}", upstream.address());
    let config = Config {
        upstream: Upstream::from_url(&url).unwrap(),
        ..Config::default()
    };
    let rig = rig(config, 1).await;
    let corp = rig.container("10.231.1.3:3128").await;
    get_by(&mut rig.client().await, &corp).await;
    for (target, headers) in [
        ("a.without.test:443", PROXIED),
        ("www.example.com:443", "Dockline-Client: web\r\n"),
        ("www.example.com:443", ""),
    ] {
        let mut client = rig.client().await;
        client
            .say(format!("CONNECT {target} HTTP/1.1\r\n{headers}\r\n"))
            .await;
        let head = upstream.accept().await.hear_head().await;
        assert!(
            head[0].starts_with(&format!("CONNECT {target} ")),
            "{head:?}"
        );
    }
    assert!(corp.is_alone().await);
}

#[tokio::test]
async fn what_is_near_is_reached_without() {
    let rig = rig(Config::default(), 1).await;
    let corp = rig.container("10.231.1.3:3128").await;
    let web = rig.container("10.231.1.2:80").await;
    let (mut client, status, text) = rig.connect("web:80", PROXIED).await;
    assert_eq!(status, 200, "{text}");
    client.say("ping").await;
    web.accept().await.hear("ping").await;
    assert!(corp.is_alone().await);
}

#[tokio::test]
async fn one_that_they_cannot_reach_is_said_to_be_so() {
    let rig = rig(Config::default(), 1).await;
    // Nobody listens there.
    let (_, status, text) = rig.connect("www.example.com:443", PROXIED).await;
    assert_eq!(status, 502, "{text}");
    assert!(text.contains("the container's own proxy db:3128"), "{text}");
    // It is on a network that the container is not on.
    let other = rig.container("10.231.4.2:3128").await;
    let (_, status, text) = rig
        .connect("www.example.com:443", "Dockline-Client: far\r\n")
        .await;
    assert_eq!(status, 502, "{text}");
    assert!(text.contains("which far is not on"), "{text}");
    assert!(other.is_alone().await);
}

#[tokio::test]
async fn the_interceptor_is_nobodys_own_proxy() {
    let interceptor = Server::new().await;
    let upstream = Server::new().await;
    let url = format!("http://{}", upstream.address());
    let at = interceptor.address();
    let config = Config {
        upstream: Upstream::from_url(&url).unwrap(),
        interceptors: Some(Interceptor::at(&at.to_string()).unwrap()).into(),
        ..Config::default()
    };
    let rig = rig(config, at.port()).await;
    drop(interceptor.accept().await);
    rig.tunnel.send_modify(|state| state.engine_is_here = true);
    let mut client = rig.client().await;
    client
        .say("CONNECT www.example.com:443 HTTP/1.1\r\nDockline-Client: looping\r\n\r\n")
        .await;
    upstream.accept().await.hear_head().await;
    assert!(interceptor.is_alone().await);
}
