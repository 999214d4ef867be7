//! What is counted, and in whose name.

use super::peer::Server;
use super::rig::Rig;
use crate::core::resolve::Scope;
use crate::core::sample::id;
use crate::gateway::{Config, Interceptor};
use crate::traffic::Talk;

/// Who calls whom by which way, with connections, requests, and bytes both ways.
fn talks(rig: &Rig) -> Vec<(String, [u64; 4])> {
    let traffic = rig.connections.traffic().list();
    let line = |talk: &Talk| {
        let from = match &talk.pair.from {
            Scope::Container(id) => id.short().to_owned(),
            Scope::Network(_) | Scope::Merged => "-".to_owned(),
        };
        let words = format!("{from} {} {}", talk.pair.to, talk.pair.via);
        let counts = [
            &talk.connections,
            &talk.requests,
            &talk.sent,
            &talk.received,
        ];
        (words, counts.map(crate::counts::Count::get))
    };
    let mut lines: Vec<_> = traffic.iter().map(|talk| line(talk)).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn connections_through_the_tunnel_by_what_came_of_them_and_their_bytes() {
    let rig = Rig::new().await;
    let server = rig.container("10.231.1.2:80").await;
    rig.reply("10.231.1.2:81", 0x05);
    let (mut client, status, _) = rig.connect("10.231.1.2:80", "").await;
    assert_eq!(status, 200);
    let mut far = server.accept().await;
    client.say("ping").await;
    far.hear("ping").await;
    far.say("hello").await;
    client.hear("hello").await;
    let (_, status, _) = rig.connect("10.231.1.2:81", "").await;
    assert_eq!(status, 502);
    let outcomes: Vec<_> = rig.counts.tunnel.list().filter(|(_, n)| *n > 0).collect();
    assert_eq!(outcomes, [("ok", 1), ("refused", 1)]);
    let bytes = (
        rig.counts.tunnel.sent.get(),
        rig.counts.tunnel.received.get(),
    );
    assert_eq!(bytes, (4, 5), "the tunnel's own greetings do not count");
    let expected = ("- 10.231.1.2:80 tunnel".to_owned(), [1, 1, 4, 5]);
    assert_eq!(talks(&rig), [expected]);
    assert_eq!(rig.connections.traffic().list()[0].open(), 1);
}

#[tokio::test]
async fn requests_that_the_interceptor_gets_are_the_callers() {
    let interceptor = Server::new().await;
    let at = Interceptor::at(&interceptor.address().to_string()).unwrap();
    let rig = Rig::with(Config {
        interceptors: Some(at).into(),
        ..Config::default()
    })
    .await;
    // The first look at it.
    drop(interceptor.accept().await);
    let web = Scope::Container(id("web"));
    let mut caller = rig.caller(web).await;
    let mut proxy = None;
    for url in ["http://10.231.1.2/a", "http://10.231.1.2/b", "http://db/"] {
        caller
            .say(format!("GET {url} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        if proxy.is_none() {
            proxy = Some(interceptor.accept().await);
        }
        let proxy = proxy.as_mut().unwrap();
        proxy.hear_head().await;
        proxy
            .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
        assert_eq!(caller.hear_response().await, (200, "ok".to_owned()));
    }
    assert_eq!(rig.counts.intercepted.get(), 3);
    let web = id("web");
    let requests: Vec<_> = talks(&rig)
        .into_iter()
        .map(|(words, [_, requests, ..])| (words, requests))
        .collect();
    let expected = [("10.231.1.2:80", 2), ("db:80", 1)];
    let expected = expected.map(|(to, n)| (format!("{} {to} interceptor", web.short()), n));
    assert_eq!(requests, expected);
}
