//! What is told to Prometheus and the like: the shells' counts and the state of things, as OpenMetrics.
//!
//! Everything is read when it is asked for; what has never happened has a description and no line. Names are promised: others
//! may be added, none is renamed.

mod page;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use self::page::Page;
use super::report::{InterceptorSource, Sources};
use crate::core::hand_on::Shares;
use crate::core::inventory::RunState;
use crate::core::map::NetworkMap;

/// The form of the text (OpenMetrics 1.0).
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The words of `dockline_link`.
const LINK_STATES: [&str; 3] = ["up", "down", "busy"];
/// The words of `dockline_tunnel`.
const TUNNEL_STATES: [&str; 4] = ["absent", "starting", "running", "failed"];

/// All metrics, as of now.
pub(super) fn text(sources: &Arc<Sources>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("dockline");
    registry.register_collector(Box::new(Scrape(Arc::clone(sources))));
    let mut text = String::with_capacity(16 * 1024);
    encode(&mut text, &registry)?;
    Ok(text)
}

struct Scrape(Arc<Sources>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let map = Arc::clone(&self.0.map.borrow());
        service(&mut page, &self.0)?;
        engine(&mut page, &self.0, &map)?;
        dns(&mut page, &self.0)?;
        ways(&mut page, &self.0)
    }
}

/// The service itself.
fn service(page: &mut Page<'_>, sources: &Sources) -> fmt::Result {
    page.info(
        "build",
        "Which dockline this is",
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("instance", &sources.instance.to_string()),
        ],
    )?;
    page.gauge(
        "ready",
        "Whether the map is complete and being kept",
        i64::from(sources.is_ready()),
    )
}

/// The engine, and what is known of it.
fn engine(page: &mut Page<'_>, sources: &Sources, map: &NetworkMap) -> fmt::Result {
    let engine = sources.engine.borrow().clone();
    page.gauge(
        "engine_connected",
        "Whether the engine answers",
        i64::from(engine.connected),
    )?;
    page.counters(
        "docker_events",
        "Events of the engine that came",
        sources
            .counts
            .events
            .list()
            .map(|((kind, action), count)| ([("type", kind), ("action", action)], count)),
    )?;
    page.counter(
        "event_stream_reconnects",
        "Times that the engine's event stream was opened again",
        engine.resyncs.saturating_sub(1),
    )?;
    let mut states = [("running", 0), ("paused", 0), ("stopped", 0)];
    for known in map.watched_containers() {
        let place = match known.container.state {
            RunState::Running => 0,
            RunState::Paused => 1,
            RunState::Stopped => 2,
        };
        states[place].1 += 1;
    }
    page.gauges(
        "containers",
        "Watched containers",
        states.map(|(word, count)| ([("state", word)], count)),
    )?;
    page.gauge(
        "networks_joined",
        "Networks that the tunnel is on",
        number(map.joined().count()),
    )?;
    page.gauge(
        "map_generation",
        "Which map of the networks is in use",
        i64::try_from(map.generation()).unwrap_or(i64::MAX),
    )?;
    let age = ConstGauge::new(sources.counts.map_age().as_secs_f64());
    page.metric(
        "map_age",
        "How long ago anything changed in the map",
        Some(&Unit::Seconds),
        &age,
    )
}

/// Names.
fn dns(page: &mut Page<'_>, sources: &Sources) -> fmt::Result {
    let dns = &sources.counts.dns;
    page.counters(
        "dns_queries",
        "Questions that were answered",
        dns.list()
            .map(|((qtype, rcode), count)| ([("qtype", qtype), ("rcode", rcode)], count)),
    )?;
    let (buckets, sum) = dns.durations();
    let count = buckets.iter().map(|(_, count)| count).sum();
    page.0
        .encode_descriptor(
            "dns_duration",
            "From a question to its answer",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?
        .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}

/// Tunnel, link, interceptor and API proxy.
fn ways(page: &mut Page<'_>, sources: &Sources) -> fmt::Result {
    let counts = &sources.counts;
    let tunnel = sources.tunnel.borrow().stage.as_str();
    page.gauges(
        "tunnel",
        "Where the tunnel stands: 1 for the state that it is in",
        TUNNEL_STATES.map(|word| ([("state", word)], i64::from(word == tunnel))),
    )?;
    let all_attempts = counts.tunnel.list();
    page.every_counter(
        "tunnel_connections",
        "Connections through the tunnel that were wanted",
        all_attempts.map(|(result, count)| ([("result", result)], count)),
    )?;
    page.every_counter(
        "tunnel_bytes",
        "Bytes through the tunnel",
        [
            ([("direction", "sent")], counts.tunnel.sent.get()),
            ([("direction", "received")], counts.tunnel.received.get()),
        ],
    )?;
    let link = sources.link.borrow().as_str();
    page.gauges(
        "link",
        "Where the link to the tunnel stands: 1 for the state that it is in",
        LINK_STATES.map(|word| ([("state", word)], i64::from(word == link))),
    )?;
    interceptors(page, &sources.interceptors)?;
    page.gauge(
        "intercepting",
        "Whether callers of the entry are handed on to the interceptor: not while it is paused",
        i64::from(*sources.intercepting.borrow()),
    )?;
    page.counter(
        "interceptor_requests",
        "Requests that the interceptor got",
        counts.intercepted.get(),
    )?;
    let passed = counts.api.list().flat_map(|(op, [plain, rewritten, _])| {
        [("false", plain), ("true", rewritten)]
            .map(|(word, count)| ([("op", op), ("rewritten", word)], count))
    });
    page.counters(
        "api_requests",
        "Calls through the API proxy, and whether they or their answers were changed",
        passed,
    )?;
    let refused = counts.api.list().map(|(op, [.., n])| ([("op", op)], n));
    page.counters("api_refused", "Calls that the API proxy refused", refused)
}

/// Everybody's without a label, as that of most is the only one; those of some by their names.
fn interceptors(
    page: &mut Page<'_>,
    interceptors: &Shares<Option<InterceptorSource>>,
) -> fmt::Result {
    let answers = |source: &Option<InterceptorSource>| {
        let reachable = source.as_ref().map(|source| *source.reachable.borrow());
        reachable.flatten().map(i64::from)
    };
    let mut encoder = page.0.encode_descriptor(
        "interceptor_reachable",
        "Whether the interceptor answered the last time",
        None,
        MetricType::Gauge,
    )?;
    if let Some(answers) = answers(&interceptors.rest) {
        encoder.encode_gauge(&answers)?;
    }
    for (name, source) in &interceptors.named {
        if let Some(answers) = answers(source) {
            let labels = [("name", name.as_str())];
            encoder.encode_family(&labels)?.encode_gauge(&answers)?;
        }
    }
    Ok(())
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
