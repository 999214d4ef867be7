//! The tunnel's program as a SOCKS5 server on loopback, beside a direct connection, haproxy's tuned relay, and microsocks.

pub(crate) mod httpd;
pub(crate) mod load;
pub(crate) mod open;
mod servers;
pub(crate) mod sink;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};

use self::open::{Proxy, Way};
use self::servers::{haproxy, microsocks, tunnel};
use crate::Run;
use crate::measure::{len, proportional_kib, threads};
use crate::process::{Server, free_port, pin};
use crate::report::{Figure, Report, Samples, Target, with_unit};

const SUITE: &str = "socks";
const OURS: &str = "dockline";
const ONE_FLIGHT: &str = "dockline, one flight";
const DIRECT: &str = "direct";
const RELAY: &str = "haproxy relay";
const MICROSOCKS: &str = "microsocks";
const PEERS: [&str; 3] = [DIRECT, RELAY, MICROSOCKS];
const AT_ONCE: usize = 16;
const CONNECTIONS: usize = 8_000;
const TIME: Duration = Duration::from_millis(1500);
const REQUEST_TIME: Duration = Duration::from_millis(700);
const BODIES: [usize; 6] = [512, 1_024, 4_096, 16_384, 65_536, 1_048_576];
const IDLE: usize = 5_000;
const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A way to the sink and to the web server.
struct Candidate {
    name: &'static str,
    pids: Vec<u32>,
    sink: Way,
    web: Way,
    /// Whether its clients are standard ones, so that everything is measured.
    whole: bool,
}

/// Measures all ways, one after the other in each round.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (sink, web) = (free_port()?, free_port()?);
    let mut servers = vec![
        Server::ourselves(&["sink", &sink.to_string()])?,
        Server::ourselves(&["httpd", &web.to_string()])?,
    ];
    servers[0].await_tcp(sink)?;
    servers[1].await_tcp(web)?;
    let mut candidates = vec![Candidate {
        name: DIRECT,
        pids: Vec::new(),
        sink: Way::Direct(sink),
        web: Way::Direct(web),
        whole: true,
    }];
    let (server, address) = tunnel(&run.tunnel)?;
    let proxy = |target| Proxy {
        server: address,
        password: Some(SECRET.to_owned()),
        target,
    };
    candidates.push(Candidate {
        name: OURS,
        pids: vec![server.pid()],
        sink: Way::Socks(proxy(sink)),
        web: Way::Socks(proxy(web)),
        whole: true,
    });
    candidates.push(Candidate {
        name: ONE_FLIGHT,
        pids: vec![server.pid()],
        sink: Way::OneFlight(proxy(sink)),
        web: Way::OneFlight(proxy(web)),
        whole: false,
    });
    servers.push(server);
    if let Some((server, to_sink, to_web)) = haproxy(folder.path(), sink, web)? {
        candidates.push(Candidate {
            name: RELAY,
            pids: vec![server.pid()],
            sink: Way::Direct(to_sink),
            web: Way::Direct(to_web),
            whole: true,
        });
        servers.push(server);
    }
    if let Some((server, address)) = microsocks()? {
        let way = |target| {
            Way::Socks(Proxy {
                server: address,
                password: None,
                target,
            })
        };
        candidates.push(Candidate {
            name: MICROSOCKS,
            pids: vec![server.pid()],
            sink: way(sink),
            web: way(web),
            whole: true,
        });
        servers.push(server);
    }
    let helpers = [servers[0].pid(), servers[1].pid(), std::process::id()];
    let mut samples = Samples::new(&run.out, SUITE)?;
    for round in 1..=run.rounds {
        for candidate in &candidates {
            candidate.measure(round, &mut samples, &helpers)?;
        }
    }
    drop(servers.split_off(2));
    memory(run, sink, &mut samples)?;
    figures(&samples, report);
    Ok(())
}

impl Candidate {
    fn measure(&self, round: u32, samples: &mut Samples, helpers: &[u32]) -> Result<()> {
        let mut add = |metric: &str, value| samples.add(round, self.name, metric, value);
        // All share one processor where they wait for one another: on two, what counts most is which of them the scheduler
        // happens to put together.
        let all = || self.pids.iter().chain(helpers);
        all().try_for_each(|pid| pin(*pid, Some(0)))?;
        let rate = load::rate(&self.sink, &self.pids, AT_ONCE, CONNECTIONS)?;
        add("connections/s", rate.per_second)?;
        add("cpu µs/connection", rate.cpu_micros)?;
        if self.whole {
            add("round trip µs", load::round_trip(&self.sink, 10_000)?)?;
            for size in BODIES {
                let metric = format!("requests/s of {size} B");
                add(&metric, load::requests(&self.web, size, REQUEST_TIME)?)?;
            }
        }
        all().try_for_each(|pid| pin(*pid, None))?;
        if !self.whole {
            return Ok(());
        }
        for (up, speed, cpu) in [
            (false, "MB/s down", "cpu s/GB down"),
            (true, "MB/s up", "cpu s/GB up"),
        ] {
            let stream = load::stream(&self.sink, &self.pids, up, TIME)?;
            add(speed, stream.megabytes)?;
            add(cpu, stream.cpu_per_gigabyte)?;
        }
        Ok(())
    }
}

/// Memory of fresh servers, so that none is counted that was held from earlier load.
fn memory(run: &Run, sink: SocketAddr, samples: &mut Samples) -> Result<()> {
    for round in 1..=2 {
        let (server, address) = tunnel(&run.tunnel)?;
        let way = |password| {
            Way::Socks(Proxy {
                server: address,
                password,
                target: sink,
            })
        };
        idle(samples, round, OURS, &server, &way(Some(SECRET.to_owned())))?;
        drop(server);
        if let Some((server, server_address)) = microsocks()? {
            let way = Way::Socks(Proxy {
                server: server_address,
                password: None,
                target: sink,
            });
            idle(samples, round, MICROSOCKS, &server, &way)?;
        }
    }
    Ok(())
}

fn idle(samples: &mut Samples, round: u32, name: &str, server: &Server, way: &Way) -> Result<()> {
    let before = proportional_kib(server.pid())?;
    let mut open = load::idle(way, IDLE)?;
    let after = proportional_kib(server.pid())?;
    samples.add(round, name, "KiB/idle tunnel", (after - before) / len(IDLE))?;
    samples.add(round, name, "threads", threads(server.pid())?)?;
    let alive = open.iter_mut().filter_map(|s| load::echo(s).ok()).count();
    ensure!(alive == IDLE, "{name}: {} idle tunnels died", IDLE - alive);
    Ok(())
}

fn figures(samples: &Samples, report: &mut Report) {
    let mut ratio = |what: &str, ours: &str, base: &'static str, metric: &str, target, unit| {
        let figure = Figure {
            what: what.to_owned(),
            ours: with_unit(samples.median(ours, metric), unit),
            beside: samples.ratios_beside(&PEERS, DIRECT, metric),
            judged: samples.ratio(ours, base, metric),
            unit: "×",
            target,
        };
        report.add(SUITE, figure);
    };
    let least = Target::AtLeast;
    let rate = "connections/s";
    ratio(
        "connections/s, standard client, to direct",
        OURS,
        DIRECT,
        rate,
        least(0.36),
        "/s",
    );
    ratio(
        "connections/s, one flight, to direct",
        ONE_FLIGHT,
        DIRECT,
        rate,
        least(0.42),
        "/s",
    );
    ratio(
        "one stream down, to direct",
        OURS,
        DIRECT,
        "MB/s down",
        least(0.5),
        "MB/s",
    );
    ratio(
        "one stream up, to direct",
        OURS,
        DIRECT,
        "MB/s up",
        least(0.28),
        "MB/s",
    );
    ratio(
        "round trip of 64 B, to direct",
        OURS,
        DIRECT,
        "round trip µs",
        Target::None,
        "µs",
    );
    for size in BODIES {
        let metric = format!("requests/s of {size} B");
        let what = format!("keep-alive GET of {size} B, to the relay");
        ratio(&what, OURS, RELAY, &metric, least(0.9), "/s");
    }
    for (what, metric, unit, most) in [
        ("CPU a connection", "cpu µs/connection", " µs", 160.0),
        ("CPU a GB down", "cpu s/GB down", " s", 0.7),
        ("CPU a GB up", "cpu s/GB up", " s", 0.7),
        ("memory an idle tunnel", "KiB/idle tunnel", " KiB", 4.0),
    ] {
        let ours = samples.median(OURS, metric);
        let figure = Figure {
            what: what.to_owned(),
            ours: with_unit(ours, unit.trim()),
            beside: samples.beside(&PEERS[1..], metric),
            judged: ours,
            unit,
            target: Target::AtMost(most),
        };
        report.add(SUITE, figure);
    }
}
