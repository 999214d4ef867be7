//! What Prometheus reads.
#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use dockline::config::{Interception, Named};
use dockline::gateway::Interceptor;
use hickory_server::proto::rr::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::fake_engine::FakeEngine;
use crate::support::{Running, dns, eventually};

/// The answer to a `GET`, head and body.
pub(crate) async fn get(http: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(http).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Series with their values. Fails unless each belongs to the family that was described last, with a suffix that its type
/// allows (OpenMetrics 1.0), each family comes once, and the end is marked.
fn parsed(text: &str) -> BTreeMap<String, f64> {
    let body = text.strip_suffix("# EOF\n").expect("an end");
    let (mut family, mut kind) = (String::new(), String::new());
    let (mut families, mut series) = (BTreeSet::new(), BTreeMap::new());
    for line in body.lines() {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            let (name, word) = described.split_once(' ').unwrap();
            (family, kind) = (name.to_owned(), word.to_owned());
            continue;
        }
        if let Some(described) = line.strip_prefix("# ") {
            if let Some(help) = described.strip_prefix("HELP ") {
                let name = help.split(' ').next().unwrap();
                let news = families.insert(name.to_owned());
                assert!(news, "twice: {line}");
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let bare = name.split('{').next().unwrap();
        let suffix = bare.strip_prefix(family.as_str()).expect(line);
        let allowed: &[&str] = match kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_count", "_sum"],
            other => panic!("{other} of {line}"),
        };
        assert!(allowed.contains(&suffix), "{kind}: {line}");
        let value = value.parse().unwrap();
        assert!(
            series.insert(name.to_owned(), value).is_none(),
            "twice: {line}"
        );
    }
    series
}

async fn scraped(running: &Running) -> BTreeMap<String, f64> {
    let (head, body) = get(running.http, "/metrics").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.contains(kind), "{head}");
    parsed(&body)
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_say_what_happens_as_it_happens() {
    let engine = FakeEngine::start();
    engine.change(|world| {
        world.network("shop");
        world.run("api-1", "shop");
    });
    let running = Running::launch("fake", &engine.front.host(), |config| {
        config.selector.all = true;
        config.tunnel_image = Some("absent".to_owned());
        config.pace.pauses.first = std::time::Duration::from_millis(5);
        let away = Interceptor::at("127.0.0.1:1").unwrap();
        let named = Named {
            interception: Interception::External(away),
            ca: None,
            ca_file: None,
        };
        config.named.insert("shop".to_owned(), named);
    })
    .await;
    running.ready().await;
    let before = scraped(&running).await;
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("dockline_build_info{{version=\"{version}\",instance=\"fake\"}}");
    assert_eq!(before[&build], 1.0, "{before:#?}");
    assert_eq!(before["dockline_ready"], 1.0);
    assert_eq!(before["dockline_event_stream_reconnects_total"], 0.0);
    assert_eq!(before["dockline_containers{state=\"running\"}"], 1.0);
    assert_eq!(before["dockline_link{state=\"down\"}"], 1.0);
    assert_eq!(before["dockline_networks_joined"], 0.0);
    assert!(!before.contains_key("dockline_interceptor_reachable"));

    engine.change(|world| world.run("db-1", "shop"));
    eventually("the new one", async || {
        let found = running.addresses("db-1").await;
        (!found.is_empty()).then_some(())
    })
    .await;
    dns::ask(&running, "db-1.", RecordType::A);
    dns::ask(&running, "nobody.", RecordType::AAAA);
    engine.end_streams();
    let after = eventually("another event stream", async || {
        let after = scraped(&running).await;
        let is_known = after.contains_key("dockline_interceptor_reachable{name=\"shop\"}");
        (after["dockline_event_stream_reconnects_total"] >= 1.0 && is_known).then_some(after)
    })
    .await;
    assert_eq!(after["dockline_interceptor_reachable{name=\"shop\"}"], 0.0);
    let seen = |name: &str| after.get(name).copied().unwrap_or_default();
    assert_eq!(seen("dockline_containers{state=\"running\"}"), 2.0);
    for (kind, action) in [("container", "start"), ("network", "connect")] {
        let name = format!("dockline_docker_events_total{{type=\"{kind}\",action=\"{action}\"}}");
        assert!(seen(&name) >= 1.0, "{name}: {after:#?}");
    }
    let asked = "dockline_dns_queries_total{qtype=\"A\",rcode=\"NOERROR\"}";
    assert_eq!(seen(asked), 1.0);
    let unknown = "dockline_dns_queries_total{qtype=\"AAAA\",rcode=\"NXDOMAIN\"}";
    assert_eq!(seen(unknown), 1.0);
    assert_eq!(seen("dockline_dns_duration_seconds_count"), 2.0);
    let all = "dockline_dns_duration_seconds_bucket{le=\"+Inf\"}";
    assert_eq!(seen(all), 2.0);
    assert!(seen("dockline_map_generation") > before["dockline_map_generation"]);
    assert!(seen("dockline_map_age_seconds") < 60.0);
}
