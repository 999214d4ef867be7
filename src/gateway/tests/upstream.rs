//! The user's own upstream proxies.

use super::peer::Server;
use super::rig::Rig;
use crate::gateway::{Config, Upstream, UpstreamError};

async fn rig(scheme: &str) -> (Rig, Server) {
    let proxy = Server::new().await;
    let url = format!("{scheme}{}", proxy.address());
    let config = Config {
        upstream: Upstream::from_url(&url).unwrap(),
        ..Config::default()
    };
    (Rig::with(config).await, proxy)
}

#[tokio::test]
async fn goes_out_by_connect() {
    let (rig, proxy) = rig("http://me:s3cr%21t@").await;
    let mut client = rig.client().await;
    client
        .say("CONNECT www.example.com:443 HTTP/1.1\r\n\r\n")
        .await;
    let mut upstream = proxy.accept().await;
    assert_eq!(
        upstream.hear_head().await,
        [
            "CONNECT www.example.com:443 HTTP/1.1",
            "host: www.example.com:443",
            "proxy-authorization: Basic bWU6czNjciF0",
        ]
    );
    // Servers that speak first may be quick.
    upstream
        .say("HTTP/1.1 200 Connection established\r\n\r\n220 ready")
        .await;
    assert_eq!(client.hear_response().await.0, 200);
    client.hear("220 ready").await;
    client.say("ping").await;
    upstream.hear("ping").await;
    assert_eq!(rig.connections.list()[0].1.via, "direct");
}

#[tokio::test]
async fn plain_http_goes_out_by_connect_too() {
    let (rig, proxy) = rig("http://").await;
    let mut client = rig.client().await;
    client
        .say("GET http://www.example.com/x HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
        .await;
    let mut upstream = proxy.accept().await;
    for _ in 0..2 {
        if upstream.hear_head().await[0].starts_with("CONNECT www.example.com:80 ") {
            upstream.say("HTTP/1.1 200 OK\r\n\r\n").await;
            assert_eq!(upstream.hear_head().await[0], "GET /x HTTP/1.1");
        }
        upstream
            .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
        assert_eq!(client.hear_response().await, (200, "ok".to_owned()));
        client
            .say("GET http://www.example.com/x HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
            .await;
    }
    assert!(proxy.is_alone().await);
}

#[tokio::test]
async fn goes_out_by_socks() {
    let (rig, proxy) = rig("socks5h://me:pw@").await;
    let mut client = rig.client().await;
    client
        .say("CONNECT www.example.com:443 HTTP/1.1\r\n\r\n")
        .await;
    let mut upstream = proxy.accept().await;
    upstream.hear([0x05, 0x01, 0x02]).await;
    upstream.say([0x05, 0x02]).await;
    upstream.hear(b"\x01\x02me\x02pw").await;
    upstream.say([0x01, 0x00]).await;
    upstream
        .hear(b"\x05\x01\x00\x03\x0fwww.example.com\x01\xbb")
        .await;
    upstream
        .say(b"\x05\x00\x00\x03\x03foo\x00\x50220 ready")
        .await;
    assert_eq!(client.hear_response().await.0, 200);
    client.hear("220 ready").await;
}

#[tokio::test]
async fn refusals_name_the_proxy() {
    let (rig, proxy) = rig("http://").await;
    let name = format!("upstream proxy {}", proxy.address());
    for (answer, why) in [
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            "403 Forbidden",
        ),
        (
            "HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n",
            "other credentials",
        ),
        ("SSH-2.0-OpenSSH_9\r\n", ""),
    ] {
        let mut client = rig.client().await;
        client
            .say("CONNECT www.example.com:443 HTTP/1.1\r\n\r\n")
            .await;
        let mut upstream = proxy.accept().await;
        upstream.hear_head().await;
        upstream.say(answer).await;
        let (status, text) = client.hear_response().await;
        assert_eq!(status, 502);
        assert!(text.contains(&name) && text.contains(why), "{text}");
    }
    drop(proxy);
    let (_, status, text) = rig.connect("www.example.com:443", "").await;
    assert_eq!(status, 502);
    assert!(text.contains(&name), "{text}");
}

#[tokio::test]
async fn what_stays_in_does_not_go_out() {
    let (rig, proxy) = rig("http://").await;
    let _web = rig.container("10.231.1.2:80").await;
    let server = Server::new().await;
    let port = server.address().port();
    for target in ["web:80", "10.231.1.2:80", "10.231.258:80"] {
        assert_eq!(rig.connect(target, "").await.1, 200, "{target}");
    }
    for host in ["localhost", "127.0.0.1", "127.1", "0x7f.1"] {
        assert_eq!(
            rig.connect(&format!("{host}:{port}"), "").await.1,
            200,
            "{host}"
        );
    }
    assert_eq!(rig.connect("nobody:80", "").await.1, 502);
    // A container on internal networks has no way out, with a proxy as little as without.
    let hint = "Dockline-Client: cell\r\n";
    assert_eq!(rig.connect("www.example.com:443", hint).await.1, 403);
    assert_eq!(rig.connect("93.184.215.14:443", hint).await.1, 403);
    assert!(proxy.is_alone().await);
}

#[test]
fn urls() {
    for (url, error) in [
        ("http://proxy.example:3128", None),
        ("proxy.example:3128", None),
        ("socks5://127.0.0.1:1080", None),
        ("socks5h://user:pw@proxy.example", None),
        ("", Some(UpstreamError::Invalid)),
        ("ftp://x", Some(UpstreamError::Invalid)),
        ("https://x", Some(UpstreamError::Scheme("https".to_owned()))),
        (
            "socks4://x",
            Some(UpstreamError::Scheme("socks4".to_owned())),
        ),
    ] {
        assert_eq!(Upstream::from_url(url).err(), error, "{url:?}");
    }
}

#[test]
fn a_proxy_that_is_dockline_itself_is_refused() {
    let own = [
        "127.0.0.1:1090".parse().unwrap(),
        "0.0.0.0:8000".parse().unwrap(),
    ]
    .into();
    for (url, loops) in [
        ("http://127.0.0.1:1090", true),
        ("http://localhost:1090", true),
        ("socks5://[::1]:1090", true),
        ("http://127.0.0.1:8000", true),
        ("http://127.0.0.1:3128", false),
        ("http://proxy.example:1090", false),
    ] {
        let upstream = Upstream::from_url(url).unwrap();
        assert_eq!(upstream.refuse_loops(&own).is_err(), loops, "{url}");
    }
    assert_eq!(Upstream::default().refuse_loops(&own), Ok(()));
}
