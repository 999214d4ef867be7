//! Callers of the entry: handed on to the interceptor, in their own scope.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::peer::{Peer, Server, soon};
use super::rig::Rig;
use super::world;
use crate::core::hand_on::Interception;
use crate::core::resolve::Scope;
use crate::core::sample::{id, network_id};
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
async fn a_caller_is_refused_what_it_could_not_reach() {
    let (rig, interceptor) = rig().await;
    let _cell = rig.container("10.231.4.2:80").await;
    for (scope, target, status, why) in [
        (of("web"), "10.231.4.2:80", 403, "which web is not on"),
        (of("web"), "10.231.3.2:80", 403, "which web is not on"),
        (of("cell"), "10.231.1.2:80", 403, "which cell is not on"),
        (of("cell"), "example.com:80", 403, "internal networks only"),
        (of("cell"), "192.0.2.1:80", 403, "internal networks only"),
        (of("web"), "nobody:80", 502, "\"nobody\""),
        (
            Scope::Network(network_id("cell")),
            "10.231.1.2:80",
            403,
            "not known to be on",
        ),
        (
            Scope::Network(network_id("shop")),
            "127.0.0.1:80",
            403,
            "who calls is not known",
        ),
        (
            Scope::Network(network_id("cell")),
            "example.com:80",
            403,
            "internal",
        ),
    ] {
        for request in [
            format!("CONNECT {target} HTTP/1.1\r\n\r\n"),
            format!("GET http://{target}/ HTTP/1.1\r\nHost: x\r\nDockline-Client: cell\r\n\r\n"),
        ] {
            let mut client = rig.caller(scope.clone()).await;
            client.say(request).await;
            let (got, text) = client.hear_response().await;
            assert_eq!(got, status, "{target}: {text}");
            assert!(text.contains(why), "{text}");
        }
    }
    assert!(interceptor.is_alone().await, "it need not hear of that");
}

#[tokio::test]
async fn internal_networks_may_be_let_out() {
    let interceptor = Server::new().await;
    let config = Config {
        internal_egress: true,
        ..with(interceptor.address())
    };
    let rig = Rig::with(config).await;
    drop(interceptor.accept().await);
    let mut client = rig.caller(of("cell")).await;
    get(&mut client, "http://example.com/").await;
    interceptor.accept().await.hear_head().await;
}

#[tokio::test]
async fn without_an_interceptor_callers_go_on_in_their_scope() {
    let rig = Rig::new().await;
    let db = rig.container("10.231.2.3:80").await;
    let here = rig.container("10.231.1.2:80").await;
    let mut client = rig.caller(of("web")).await;
    get(&mut client, "http://localhost/").await;
    let mut container = here.accept().await;
    assert_eq!(
        container.hear_head().await,
        ["GET / HTTP/1.1", "Host: as.asked"]
    );
    ok(&mut container).await;
    client.hear_response().await;
    client.say("CONNECT db.back:80 HTTP/1.1\r\n\r\nping").await;
    db.accept().await.hear("ping").await;
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
async fn the_interceptors_own_word_for_its_client_is_a_hint() {
    let (rig, interceptor) = rig().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.caller(of("web")).await;
    client.say("CONNECT example.com:443 HTTP/1.1\r\n\r\n").await;
    let (stream, seen) = soon("accept", interceptor.0.accept()).await.unwrap();
    let hint = format!("Dockline-Client: {seen}\r\n");
    // In the scope of `web`, loopback is `web`.
    let (mut asked, status, _) = rig.connect("127.0.0.1:80", &hint).await;
    assert_eq!(status, 200);
    asked.say("ping").await;
    web.accept().await.hear("ping").await;
    let (_, status, _) = rig.connect("10.231.4.2:80", &hint).await;
    assert_eq!(status, 403);
    drop((stream, client));
    soon("forgotten", async {
        while rig.connect("10.231.4.2:80", &hint).await.1 == 403 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_public_name_that_a_caller_made_up_leads_nobody_into_a_network() {
    let (rig, interceptor) = rig().await;
    // The system's resolver takes this for 10.231.4.2, on the internal network.
    let name = "10.231.1026";
    let cell = rig.container("10.231.4.2:80").await;
    let (_, status, _) = rig.connect(&format!("{name}:80"), "").await;
    assert_eq!(status, 200, "asked for by nobody in particular");
    drop(cell.accept().await);
    let mut client = rig.caller(of("web")).await;
    client
        .say(format!("CONNECT {name}:80 HTTP/1.1\r\n\r\n"))
        .await;
    interceptor.accept().await.hear_head().await;
    let (_, status, text) = rig.connect(&format!("{name}:80"), "").await;
    assert_eq!(status, 403, "{text}");
}

#[tokio::test]
async fn a_name_that_is_public_to_the_caller_alone_is_looked_up_for_it() {
    let (rig, interceptor) = rig().await;
    // On network `back` that is somebody's name, and `cell` is not there; nobody else knows it.
    let mut client = rig.caller(Scope::Network(network_id("shop"))).await;
    client.say("CONNECT db.back:80 HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.hear_response().await.0, 502);
    assert!(interceptor.is_alone().await);
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

/// With an authority in use that nobody trusts yet, and a host that is passed through.
async fn distrusted() -> (Rig, Server) {
    let interceptor = Server::new().await;
    let interception = Interception {
        ca: Some("abc".to_owned()).into(),
        pass_through: vec!["10.231.1.3".parse().unwrap()],
    };
    let rig = Rig::with(Config {
        interception,
        ..with(interceptor.address())
    })
    .await;
    drop(interceptor.accept().await);
    (rig, interceptor)
}

#[tokio::test]
async fn only_tls_of_who_trusts_the_authority_is_handed_on() {
    let (rig, interceptor) = distrusted().await;
    let db = rig.container("10.231.2.3:443").await;
    let mut client = rig.caller(of("web")).await;
    client
        .say("CONNECT 10.231.2.3:443 HTTP/1.1\r\n\r\nearly")
        .await;
    assert_eq!(client.hear_response().await.0, 200);
    db.accept().await.hear("early").await;
    assert!(interceptor.is_alone().await, "its authority is not trusted");
    let mut client = rig.caller(of("web")).await;
    get(&mut client, "http://10.231.2.3:443/").await;
    let mut proxy = interceptor.accept().await;
    proxy.hear_head().await;
    ok(&mut proxy).await;
    assert_eq!(client.hear_response().await.0, 200);

    rig.map
        .send_replace(Arc::new(world::where_web_trusts("abc")));
    let mut client = rig.caller(of("web")).await;
    client.say("CONNECT 10.231.2.3:443 HTTP/1.1\r\n\r\n").await;
    let head = interceptor.accept().await.hear_head().await;
    assert_eq!(head[0], "CONNECT 10.231.2.3:443 HTTP/1.1");
}

#[tokio::test]
async fn a_distrusting_caller_gets_no_further_than_before() {
    let (rig, interceptor) = distrusted().await;
    let mut client = rig.caller(of("web")).await;
    client.say("CONNECT 10.231.4.2:443 HTTP/1.1\r\n\r\n").await;
    let (status, text) = client.hear_response().await;
    assert_eq!(status, 403, "{text}");
    assert!(interceptor.is_alone().await);
}

#[tokio::test]
async fn the_interceptor_never_hears_of_what_is_passed_through() {
    let (rig, interceptor) = distrusted().await;
    rig.map
        .send_replace(Arc::new(world::where_web_trusts("abc")));
    let db = rig.container("10.231.1.3:80").await;
    let mut client = rig.caller(of("web")).await;
    // One connection of the client's, of which some requests are intercepted.
    get(&mut client, "http://example.com/").await;
    let mut proxy = interceptor.accept().await;
    proxy.hear_head().await;
    ok(&mut proxy).await;
    client.hear_response().await;
    get(&mut client, "http://10.231.1.3/x").await;
    let mut container = db.accept().await;
    assert_eq!(container.hear_head().await[0], "GET /x HTTP/1.1");
    ok(&mut container).await;
    assert_eq!(client.hear_response().await.0, 200);
    client
        .say("CONNECT 10.231.1.3:80 HTTP/1.1\r\n\r\nping")
        .await;
    db.accept().await.hear("ping").await;
    assert!(interceptor.is_alone().await);
}
