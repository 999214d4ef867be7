//! Callers of the entry: handed on to the interceptor, in their own scope.

mod scope;
mod trust;

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::peer::{Peer, Server};
use super::rig::Rig;
use crate::core::resolve::Scope;
use crate::core::sample::id;
use crate::gateway::{Config, Interceptor, Introduction, Upstream};

fn of(container: &str) -> Scope {
    Scope::Container(id(container))
}

fn with(interceptor: SocketAddr) -> Config {
    Config {
        interceptors: Some(Interceptor::at(&interceptor.to_string()).unwrap()).into(),
        ..Config::default()
    }
}

async fn rig() -> (Rig, Server) {
    let interceptor = Server::new().await;
    let rig = Rig::with(with(interceptor.address())).await;
    // The first look at it.
    drop(interceptor.accept().await);
    (rig, interceptor)
}

async fn ok(peer: &mut Peer) {
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
}

async fn get(client: &mut Peer, url: &str) {
    client
        .say(format!(
            "GET {url} HTTP/1.1\r\nHost: as.asked\r\nProxy-Connection: keep-alive\r\n\r\n"
        ))
        .await;
}

#[tokio::test]
async fn a_request_goes_on_in_absolute_form_and_its_connection_is_kept() {
    let (rig, interceptor) = rig().await;
    let mut client = rig.caller(of("web")).await;
    get(&mut client, "http://db:80/a?b").await;
    let mut proxy = interceptor.accept().await;
    // The two networks that `web` is on both have one: the interceptor is told which is meant.
    let first = ["GET http://10.231.2.3/a?b HTTP/1.1", "Host: as.asked"];
    let head = proxy.hear_head().await;
    assert!(head[0].starts_with("GET http://10.231."), "{head:?}");
    assert_eq!(head[1..], first[1..]);
    ok(&mut proxy).await;
    assert_eq!(client.hear_response().await, (200, "ok".to_owned()));
    get(&mut client, "http://example.com/").await;
    assert_eq!(
        proxy.hear_head().await[0],
        "GET http://example.com/ HTTP/1.1"
    );
    ok(&mut proxy).await;
    client.hear_response().await;
    assert!(interceptor.is_alone().await, "both went one way");
    assert_eq!(rig.connections.list()[0].1.via, "interceptor");
}

/// As busybox does it: it ends its side at once, too.
#[tokio::test]
async fn a_caller_may_leave_tls_to_the_interceptor() {
    let (rig, interceptor) = rig().await;
    let mut client = rig.caller(of("web")).await;
    get(&mut client, "https://example.com/a").await;
    client.finish().await;
    let mut proxy = interceptor.accept().await;
    assert_eq!(
        proxy.hear_head().await[0],
        "GET https://example.com/a HTTP/1.1"
    );
    assert!(proxy.is_quiet(), "it would take the end for the client's");
    ok(&mut proxy).await;
    assert_eq!(client.hear_response().await, (200, "ok".to_owned()));

    let rig = Rig::new().await;
    let mut client = rig.caller(of("web")).await;
    get(&mut client, "https://example.com/a").await;
    assert_eq!(client.hear_response().await.0, 501, "there is none");
}

#[tokio::test]
async fn what_the_interceptors_own_container_sends_goes_on_without_it() {
    let (rig, interceptor) = rig().await;
    // This test's interceptor is found on loopback, so a container is made to have that address.
    rig.map.send_replace(Arc::new(crate::core::sample::map(
        "net shop 10.231.9.0/24
        net own 127.0.0.0/24
        run tunnel tunnel shop= own=
        run mitm watched own=127.0.0.1 shop=10.231.9.2
        run api watched shop=10.231.9.3
        run web watched shop=10.231.9.4",
    )));
    let server = rig.container("10.231.9.3:80").await;
    let mut caller = rig.caller(of("mitm")).await;
    get(&mut caller, "http://api/circle").await;
    let mut api = server.accept().await;
    assert_eq!(api.hear_head().await[0], "GET /circle HTTP/1.1");
    ok(&mut api).await;
    assert_eq!(caller.hear_response().await, (200, "ok".to_owned()));
    assert!(interceptor.is_alone().await, "it was asked for its own");

    let mut caller = rig.caller(of("web")).await;
    get(&mut caller, "http://api/").await;
    let mut proxy = interceptor.accept().await;
    assert_eq!(proxy.hear_head().await[0], "GET http://api/ HTTP/1.1");
    ok(&mut proxy).await;
    caller.hear_response().await;
}

#[tokio::test]
async fn what_the_interceptor_says_before_its_answer_is_heard() {
    let (rig, interceptor) = rig().await;
    let mut client = rig.caller(of("web")).await;
    get(&mut client, "http://example.com/").await;
    let mut proxy = interceptor.accept().await;
    proxy.hear_head().await;
    proxy
        .say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        .await;
    assert_eq!(
        client.hear_head().await,
        ["HTTP/1.1 103 Early Hints", "Link: </a>"]
    );
    ok(&mut proxy).await;
    assert_eq!(client.hear_response().await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn a_connection_is_made_by_the_interceptor() {
    let (rig, interceptor) = rig().await;
    let mut client = rig.caller(of("cell")).await;
    client
        .say("CONNECT 10.231.4.2:443 HTTP/1.1\r\nHost: x\r\n\r\nearly")
        .await;
    let mut proxy = interceptor.accept().await;
    let head = proxy.hear_head().await;
    assert_eq!(
        head,
        ["CONNECT 10.231.4.2:443 HTTP/1.1", "Host: 10.231.4.2:443"]
    );
    proxy.say("HTTP/1.1 200 Fine\r\n\r\nhello").await;
    assert_eq!(client.hear_response().await.0, 200);
    client.hear("hello").await;
    proxy.hear("early").await;
    client.finish().await;
    proxy.hear_end().await;
    proxy.say("bye").await;
    proxy.finish().await;
    client.hear("bye").await;
    client.hear_end().await;
}

#[tokio::test]
async fn an_interceptor_that_understands_is_told_who_calls() {
    let interceptor = Server::new().await;
    let config = Config {
        introduction: Introduction::Tags,
        ..with(interceptor.address())
    };
    let rig = Rig::with(config).await;
    drop(interceptor.accept().await);
    let told = |head: Vec<String>| {
        let token = head.iter().find_map(|line| {
            let (name, value) = line.split_once(": Basic ")?;
            name.eq_ignore_ascii_case("proxy-authorization")
                .then_some(value)
        });
        String::from_utf8(BASE64_STANDARD.decode(token.unwrap()).unwrap()).unwrap()
    };
    let web = id("web");
    let expected = format!(r#"metadata:{{"tags":["container:web","id:{web}"]}}"#);
    let mut client = rig.caller(of("web")).await;
    get(&mut client, "http://example.com/").await;
    let mut proxy = interceptor.accept().await;
    assert_eq!(told(proxy.hear_head().await), expected);
    ok(&mut proxy).await;
    client.hear_response().await;
    client.say("CONNECT example.com:443 HTTP/1.1\r\n\r\n").await;
    assert_eq!(told(proxy.hear_head().await), expected);
}

#[tokio::test]
async fn what_the_interceptor_says_against_it_is_heard() {
    let (rig, interceptor) = rig().await;
    let mut client = rig.caller(of("web")).await;
    client.say("CONNECT example.com:443 HTTP/1.1\r\n\r\n").await;
    let mut proxy = interceptor.accept().await;
    proxy.hear_head().await;
    proxy
        .say("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nnever")
        .await;
    assert_eq!(client.hear_response().await, (403, "never".to_owned()));
    // It may ask for something else.
    get(&mut client, "http://example.com/").await;
    proxy.hear_head().await;
    ok(&mut proxy).await;
    assert_eq!(client.hear_response().await.0, 200);
}

#[tokio::test]
async fn an_upgrade_passes_through_the_interceptor() {
    let (rig, interceptor) = rig().await;
    let mut client = rig.caller(of("web")).await;
    client
        .say("GET http://example.com/ws HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    let mut proxy = interceptor.accept().await;
    let head = proxy.hear_head().await;
    assert!(head.contains(&"Upgrade: websocket".to_owned()), "{head:?}");
    proxy
        .say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
        .await;
    let head = client.hear_head().await;
    assert!(head[0].starts_with("HTTP/1.1 101"), "{head:?}");
    client.hear("first").await;
    client.say("ping").await;
    proxy.hear("ping").await;
}

#[tokio::test]
async fn an_interceptor_that_dies_is_missed_by_nobody_and_used_when_it_is_back() {
    let (rig, interceptor) = rig().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.caller(of("web")).await;
    get(&mut client, "http://web/").await;
    let mut proxy = interceptor.accept().await;
    proxy.hear_head().await;
    ok(&mut proxy).await;
    client.hear_response().await;

    let address = interceptor.address();
    drop((interceptor, proxy));
    // The connection that was kept is closed: the same request goes on without.
    get(&mut client, "http://web/").await;
    let mut container = web.accept().await;
    assert_eq!(container.hear_head().await[0], "GET / HTTP/1.1");
    ok(&mut container).await;
    assert_eq!(client.hear_response().await.0, 200);

    let interceptor = Server(tokio::net::TcpListener::bind(address).await.unwrap());
    // Somebody looks out for it.
    drop(interceptor.accept().await);
    get(&mut client, "http://web/").await;
    let mut proxy = interceptor.accept().await;
    proxy.hear_head().await;
    ok(&mut proxy).await;
    assert_eq!(client.hear_response().await.0, 200);
}

#[tokio::test]
async fn callers_that_go_out_without_the_interceptor_use_the_upstream_proxy() {
    let proxy = Server::new().await;
    let url = format!("http://{}", proxy.address());
    let rig = Rig::with(Config {
        upstream: Upstream::from_url(&url).unwrap(),
        ..Config::default()
    })
    .await;
    let mut client = rig.caller(of("web")).await;
    client.say("CONNECT example.com:443 HTTP/1.1\r\n\r\n").await;
    let head = proxy.accept().await.hear_head().await;
    assert_eq!(head[0], "CONNECT example.com:443 HTTP/1.1");
}
