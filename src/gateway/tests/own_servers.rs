//! Names of the world, for containers with DNS servers and search domains of their own.

use std::net::IpAddr;
use std::sync::Arc;

use dashmap::DashMap;

use super::peer::Server;
use super::rig::Rig;
use super::world;
use crate::core::route;
use crate::gateway::{AskServers, Config, Upstream};

const OWN: &str = "Dockline-Client: own\r\n";

/// A gateway beside a DNS server that knows these names, and what that was asked.
async fn rig(upstream: Upstream, known: &[(&str, &str)]) -> (Rig, Arc<DashMap<String, u32>>) {
    let asked: Arc<DashMap<String, u32>> = Arc::default();
    let told = Arc::clone(&asked);
    let known: Vec<(String, IpAddr)> = known
        .iter()
        .map(|(name, address)| ((*name).to_owned(), address.parse().unwrap()))
        .collect();
    let ask_servers = AskServers::new(move |names, servers| {
        let [route::Server::Tunnel(targets)] = servers.as_slice() else {
            panic!("{servers:?}");
        };
        assert_eq!(targets[0].address.to_string(), "10.231.1.53:53");
        *told.entry(names.join(" ")).or_default() += 1;
        let found = names.iter().find_map(|name| {
            let (_, address) = known.iter().find(|(known, _)| known == name)?;
            Some(*address)
        });
        Box::pin(std::future::ready(found.into_iter().collect()))
    });
    let rig = Rig::with(Config {
        upstream,
        ask_servers,
        ..Config::default()
    })
    .await;
    rig.map.send_replace(Arc::new(world::with_own_servers()));
    (rig, asked)
}

#[tokio::test]
async fn a_name_of_the_containers_own_server_leads_into_its_network() {
    let known = [
        ("inner.corp.test", "10.231.1.2"),
        ("foreign.corp.test", "10.231.3.2"),
    ];
    let (rig, asked) = rig(Upstream::default(), &known).await;
    let web = rig.container("10.231.1.2:80").await;
    for name in ["inner.corp.test", "inner"] {
        let (mut client, status, text) = rig.connect(&format!("{name}:80"), OWN).await;
        assert_eq!(status, 200, "{name}: {text}");
        client.say("ping").await;
        web.accept().await.hear("ping").await;
        assert_eq!(rig.connections.list()[0].1.via, "tunnel");
    }
    for (name, words) in [
        ("foreign.corp.test", "which own is not on"),
        ("nosuch.corp.test", "own DNS servers"),
        ("nosuch", "own DNS servers"),
    ] {
        let (_, _, text) = rig.connect(&format!("{name}:80"), OWN).await;
        assert!(text.contains(words), "{name}: {text}");
    }
    assert!(asked.contains_key("nosuch.corp.test nosuch.corp.test.corp.test"));
    // Names of the engine's are asked of nobody.
    asked.clear();
    let (_, status, _) = rig.connect("web:80", OWN).await;
    assert_eq!((status, asked.len()), (200, 0));
}

#[tokio::test]
async fn a_kept_connection_is_still_the_same_names() {
    let (rig, asked) = rig(Upstream::default(), &[("inner.corp.test", "10.231.1.2")]).await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    let request = format!("GET http://inner/ HTTP/1.1\r\nHost: inner\r\n{OWN}\r\n");
    client.say(&request).await;
    let mut container = web.accept().await;
    for _ in 0..2 {
        container.hear_head().await;
        container.say("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(client.hear_response().await.0, 204);
        client.say(&request).await;
    }
    assert!(web.is_alone().await);
    assert_eq!(*asked.get("inner.corp.test").unwrap(), 1);
}

#[tokio::test]
async fn with_ndots_set_a_containers_name_is_meant_last() {
    let first = "Dockline-Client: first\r\n";
    let (rig, asked) = rig(Upstream::default(), &[("db.corp.test", "10.231.1.2")]).await;
    let db = rig.container("10.231.1.2:80").await;
    let web = rig.container("10.231.1.5:80").await;
    let (_client, status, _) = rig.connect("db:80", first).await;
    assert_eq!(status, 200);
    db.accept().await;
    let (_client, status, text) = rig.connect("first:80", first).await;
    assert_eq!(status, 200, "{text}");
    web.accept().await;
    assert!(asked.contains_key("first.corp.test"));
    let (_, status, text) = rig.connect("own:80", first).await;
    assert_eq!(status, 502, "{text}");
    assert!(text.contains("10.231.1.4"), "{text}");
    assert!(asked.contains_key("own.corp.test"));
}

#[tokio::test]
async fn what_leads_out_is_left_to_the_proxy_by_its_address() {
    let proxy = Server::new().await;
    let upstream = Upstream::from_url(&format!("http://{}", proxy.address())).unwrap();
    let (rig, _) = rig(upstream, &[("www.corp.test", "192.0.2.80")]).await;
    let mut client = rig.client().await;
    client
        .say(format!("CONNECT www:443 HTTP/1.1\r\n{OWN}\r\n"))
        .await;
    let head = proxy.accept().await.hear_head().await;
    assert_eq!(head[0], "CONNECT 192.0.2.80:443 HTTP/1.1");
    // Whoever has no servers of its own leaves names to the proxy.
    for (given, handed) in [
        ("www.example.com", "www.example.com"),
        ("www", "www.lan.test"),
    ] {
        let mut client = rig.client().await;
        let hint = "Dockline-Client: searching";
        client
            .say(format!("CONNECT {given}:443 HTTP/1.1\r\n{hint}\r\n\r\n"))
            .await;
        let head = proxy.accept().await.hear_head().await;
        assert_eq!(head[0], format!("CONNECT {handed}:443 HTTP/1.1"));
    }
}
