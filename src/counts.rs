//! What the shells have done so far, in numbers. Each counts where it acts; `control` reads.
//!
//! A count is one atomic addition, without a lock and without memory of its own: what can be told apart is fixed here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counts of a service.
#[derive(Debug)]
pub struct Counts {
    /// The engine's events: by the watcher.
    pub events: Events,
    /// Questions: by the DNS server.
    pub dns: Dns,
    /// Connections into networks: by the gateway.
    pub tunnel: Tunnel,
    /// Calls: by the API proxy.
    pub api: Api,
    /// Requests that an interceptor got: by the gateway, or by the built-in one.
    pub intercepted: Count,
    /// When the map was last published, in microseconds after `began`.
    published: AtomicU64,
    began: Instant,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            events: Events::default(),
            dns: Dns::default(),
            tunnel: Tunnel::default(),
            api: Api::default(),
            intercepted: Count::default(),
            published: AtomicU64::new(0),
            began: Instant::now(),
        }
    }
}

impl Counts {
    /// A map is published now.
    pub fn map_published(&self) {
        let at = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.published.store(at, Ordering::Relaxed);
    }

    /// How old the map is; before the first, how long there has been none.
    pub fn map_age(&self) -> Duration {
        let at = Duration::from_micros(self.published.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(at)
    }
}

/// Type and action of the engine's events that are asked for.
const EVENTS: [(&str, &str); 22] = [
    ("container", "create"),
    ("container", "start"),
    ("container", "kill"),
    ("container", "stop"),
    ("container", "die"),
    ("container", "destroy"),
    ("container", "rename"),
    ("container", "update"),
    ("container", "pause"),
    ("container", "unpause"),
    ("container", "restart"),
    ("network", "create"),
    ("network", "update"),
    ("network", "connect"),
    ("network", "disconnect"),
    ("network", "destroy"),
    ("network", "remove"),
    ("service", "create"),
    ("service", "update"),
    ("service", "remove"),
    ("node", "update"),
    ("", ""),
];

/// The engine's events.
#[derive(Debug, Default)]
pub struct Events([Count; EVENTS.len()]);

impl Events {
    /// One has come. Those that are not told apart are counted without words.
    pub fn came(&self, kind: &str, action: &str) {
        let known = EVENTS.iter().position(|words| *words == (kind, action));
        self.0[known.unwrap_or(EVENTS.len() - 1)].one();
    }

    /// Those that came, by type and action.
    pub fn list(&self) -> impl Iterator<Item = ((&'static str, &'static str), u64)> {
        let words = |(kind, action): &(&'static str, &'static str)| match (*kind, *action) {
            ("", _) => ("other", "other"),
            known => known,
        };
        EVENTS.iter().map(words).zip(self.0.iter().map(Count::get))
    }
}

/// Codes of record types (RFC 1035 and others) that are told apart.
const QTYPES: [(u16, &str); 11] = [
    (1, "A"),
    (28, "AAAA"),
    (12, "PTR"),
    (5, "CNAME"),
    (2, "NS"),
    (6, "SOA"),
    (15, "MX"),
    (16, "TXT"),
    (33, "SRV"),
    (65, "HTTPS"),
    (0, "other"),
];
/// Response codes (RFC 1035, RFC 6891) that are told apart.
const RCODES: [(u16, &str); 8] = [
    (0, "NOERROR"),
    (3, "NXDOMAIN"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (16, "BADVERS"),
    (u16::MAX, "other"),
];
/// Upper bounds of answers' durations, in nanoseconds: out of the map within microseconds, from the world's resolvers within
/// their deadline.
const BOUNDS: [u64; 11] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    1_000_000,
    5_000_000,
    25_000_000,
    100_000_000,
    1_000_000_000,
    5_000_000_000,
];

/// Questions and answers.
#[derive(Debug, Default)]
pub struct Dns {
    answers: [[Count; RCODES.len()]; QTYPES.len()],
    /// The last one is for what took longer than any bound.
    durations: [Count; BOUNDS.len() + 1],
    nanoseconds: Count,
}

impl Dns {
    /// A question was answered. Type and code are the wire's; a question that could not be read has none.
    pub fn answered(&self, qtype: Option<u16>, rcode: u16, took: Duration) {
        let place = |codes: &[(u16, &str)], code: Option<u16>| {
            let found = codes.iter().position(|(c, _)| Some(*c) == code);
            found.unwrap_or(codes.len() - 1)
        };
        self.answers[place(&QTYPES, qtype)][place(&RCODES, Some(rcode))].one();
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.durations[BOUNDS.partition_point(|bound| *bound < took)].one();
        self.nanoseconds.add(took);
    }

    /// Answers that there were, by type and code.
    pub fn list(&self) -> impl Iterator<Item = ((&'static str, &'static str), u64)> {
        let rows = QTYPES.iter().zip(&self.answers);
        rows.flat_map(|((_, qtype), row)| {
            let cells = RCODES.iter().zip(row);
            cells.map(|((_, rcode), count)| ((*qtype, *rcode), count.get()))
        })
    }

    /// How many took up to each bound in seconds and longer than the one before, and the sum of all in seconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds to fifteen digits are enough"
    )]
    pub fn durations(&self) -> (Vec<(f64, u64)>, f64) {
        let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1e9);
        let bounds = bounds.chain([f64::INFINITY]);
        let buckets = bounds.zip(self.durations.iter().map(Count::get));
        (buckets.collect(), self.nanoseconds.get() as f64 / 1e9)
    }
}

/// What came of a wish for a connection into a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is one.
    Ok,
    /// Nobody listens there.
    Refused,
    /// It took too long.
    TimedOut,
    /// There is no way to it.
    Unreachable,
    /// The tunnel is not there, or not on that network.
    TunnelDown,
}

const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::Ok, "ok"),
    (Outcome::Refused, "refused"),
    (Outcome::TimedOut, "timeout"),
    (Outcome::Unreachable, "unreachable"),
    (Outcome::TunnelDown, "tunnel_down"),
];

/// Connections into networks.
#[derive(Debug, Default)]
pub struct Tunnel {
    outcomes: [Count; OUTCOMES.len()],
    /// Bytes that went in.
    pub sent: Count,
    /// Bytes that came out.
    pub received: Count,
}

impl Tunnel {
    /// A connection was wanted, and this came of it.
    pub fn wanted(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].one();
    }

    /// Wishes by what came of them.
    pub fn list(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.outcomes.iter().map(Count::get);
        OUTCOMES.iter().map(|(_, word)| *word).zip(counts)
    }
}

/// Words of `core::api` for calls.
const OPERATIONS: [&str; 14] = [
    "ping",
    "container_preview",
    "container_stop",
    "container_create",
    "container_start",
    "commit",
    "container_list",
    "container_inspect",
    "network_inspect",
    "network_remove",
    "network_prune",
    "buildkit",
    "hijack",
    "other",
];

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It and its answer passed as they were.
    Untouched,
    /// It or its answer was changed.
    Rewritten,
    /// It was refused.
    Refused,
}

/// Calls of the engine's API.
#[derive(Debug, Default)]
pub struct Api([[Count; 3]; OPERATIONS.len()]);

impl Api {
    /// A call was made.
    pub fn called(&self, operation: &str, passage: Passage) {
        let known = OPERATIONS.iter().position(|word| *word == operation);
        self.0[known.unwrap_or(OPERATIONS.len() - 1)][passage as usize].one();
    }

    /// Calls that were made: operation, and how many passed untouched, rewritten, and not at all.
    pub fn list(&self) -> impl Iterator<Item = (&'static str, [u64; 3])> {
        let counts = self.0.iter();
        let counts = counts.map(|[untouched, rewritten, refused]| {
            [untouched.get(), rewritten.get(), refused.get()]
        });
        OPERATIONS.into_iter().zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::api::ApiCall;

    #[test]
    fn outcomes_stand_at_their_places() {
        for (place, (outcome, _)) in OUTCOMES.iter().enumerate() {
            assert_eq!(*outcome as usize, place);
        }
    }

    #[test]
    fn every_call_has_its_word() {
        for (method, target) in [
            ("GET", "/_ping"),
            ("POST", "/containers/create"),
            ("POST", "/containers/a/start"),
            ("POST", "/containers/a/stop"),
            ("POST", "/dockline/containers/create"),
            ("POST", "/commit"),
            ("GET", "/containers/json"),
            ("GET", "/containers/a/json"),
            ("GET", "/networks/a"),
            ("DELETE", "/networks/a"),
            ("POST", "/networks/prune"),
            ("POST", "/session"),
            ("POST", "/exec/a/start"),
        ] {
            let word = ApiCall::of(method, target).as_str();
            assert!(
                OPERATIONS[..13].contains(&word),
                "{method} {target}: {word}"
            );
        }
        assert_eq!(ApiCall::of("GET", "/info").as_str(), OPERATIONS[13]);
    }

    #[test]
    fn answers_are_told_apart_by_type_code_and_duration() {
        let dns = Dns::default();
        let us = Duration::from_micros;
        dns.answered(Some(1), 0, us(10));
        dns.answered(Some(1), 0, us(11));
        dns.answered(Some(28), 3, us(20_000_000));
        dns.answered(Some(4711), 23, us(1));
        dns.answered(None, 1, us(1));
        let there: Vec<_> = dns.list().filter(|(_, n)| *n > 0).collect();
        assert_eq!(
            there,
            [
                (("A", "NOERROR"), 2),
                (("AAAA", "NXDOMAIN"), 1),
                (("other", "FORMERR"), 1),
                (("other", "other"), 1),
            ]
        );
        let (buckets, sum) = dns.durations();
        assert_eq!(buckets[..2], [(1e-5, 3), (2.5e-5, 1)]);
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, 1)));
        assert!((sum - 20.000_023).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn events_without_a_word_of_their_own_are_counted_all_the_same() {
        let events = Events::default();
        events.came("container", "start");
        events.came("node", "explode");
        let there: Vec<_> = events.list().filter(|(_, n)| *n > 0).collect();
        assert_eq!(
            there,
            [(("container", "start"), 1), (("other", "other"), 1)]
        );
    }
}
