//! DNS: one address record out of 60 names in memory, over UDP on loopback.
//!
//! Under load the server has a processor of its own; one question at a time, it shares one with the asker.

pub(crate) mod limit;
pub(crate) mod load;
pub(crate) mod wire;

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::Run;
use crate::dockline::{Dockline, INSTANCE};
use crate::engine::fake::{self, Fake};
use crate::process::{Server, free_port, is_installed, pin, program};
use crate::report::{Figure, Report, Samples, Target, progress, with_unit};

const SUITE: &str = "dns";
const NAMES: usize = 60;
const TIME: Duration = Duration::from_millis(1500);
const LIMIT: &str = "limit";
const OURS: &str = "dockline";
const PEERS: [&str; 3] = [LIMIT, "dnsmasq", "unbound"];

/// A server under measurement.
struct Candidate {
    name: &'static str,
    address: SocketAddr,
    pid: u32,
}

/// Measures all servers, one after the other in each round.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("engine.sock");
    let _engine = Fake::start(&socket, NAMES, INSTANCE)?;
    let dockline = Dockline::serve(&run.dockline, &socket, &run.out.join("dns-serve.log"))?;
    let mut candidates = vec![Candidate {
        name: OURS,
        address: dockline.dns,
        pid: dockline.pid(),
    }];
    let mut servers = Vec::new();
    for (name, server) in peers(folder.path())? {
        let Some((server, address)) = server else {
            progress(&format!("  {name} is not installed and left out"));
            continue;
        };
        let pid = server.pid();
        candidates.push(Candidate { name, address, pid });
        servers.push(server);
    }
    let names: Vec<String> = (1..=NAMES).map(fake::name).collect();
    let mut samples = Samples::new(&run.out, SUITE)?;
    for round in 1..=run.rounds {
        for Candidate { name, address, pid } in &candidates {
            pin(*pid, Some(0))?;
            pin(std::process::id(), Some(1))?;
            let load = load::throughput(*address, *pid, &names, TIME)?;
            samples.add(round, name, "queries/s", load.per_second)?;
            samples.add(round, name, "cpu µs/query", load.cpu_micros)?;
            samples.add(round, name, "lost", crate::measure::float(load.lost))?;
            pin(std::process::id(), Some(0))?;
            let serial = load::serial(*address, &names, TIME / 2)?;
            samples.add(round, name, "serial p50 µs", serial)?;
        }
    }
    pin(std::process::id(), None)?;
    figures(&samples, report);
    Ok(())
}

fn figures(samples: &Samples, report: &mut Report) {
    let cpu = samples.median(OURS, "cpu µs/query");
    report.add(
        SUITE,
        Figure {
            what: "CPU a query".to_owned(),
            ours: with_unit(cpu, "µs"),
            beside: samples.beside(&PEERS, "cpu µs/query"),
            judged: cpu,
            unit: " µs",
            target: Target::AtMost(9.0),
        },
    );
    for (metric, unit, target) in [
        ("queries/s", "/s", Target::AtLeast(0.65)),
        ("serial p50 µs", "µs", Target::AtMost(1.5)),
    ] {
        report.add(
            SUITE,
            Figure {
                what: format!("{metric}, to the limit's"),
                ours: with_unit(samples.median(OURS, metric), unit),
                beside: samples.beside(&PEERS, metric),
                judged: samples.ratio(OURS, LIMIT, metric),
                unit: "×",
                target,
            },
        );
    }
}

type Started = (&'static str, Option<(Server, SocketAddr)>);

/// The limit program and Debian's servers, all with the same names.
fn peers(folder: &Path) -> Result<[Started; 3]> {
    let address = free_port()?;
    let limit = Server::ourselves(&["dns-limit", &address.to_string()])?;
    let mut peers = [
        (LIMIT, Some((limit, address))),
        ("dnsmasq", dnsmasq(folder)?),
        ("unbound", unbound(folder)?),
    ];
    for (_, peer) in &mut peers {
        if let Some((server, address)) = peer {
            let mut asker = wire::Asker::new(*address)?;
            server.wait_for("an answer", || asker.knows(&fake::name(1)).is_ok())?;
        }
    }
    Ok(peers)
}

fn dnsmasq(folder: &Path) -> Result<Option<(Server, SocketAddr)>> {
    if !is_installed("dnsmasq") {
        return Ok(None);
    }
    let hosts = folder.join("hosts");
    let lines = (1..=NAMES).map(|i| format!("172.18.0.{} {}\n", i + 1, fake::name(i)));
    fs::write(&hosts, lines.collect::<String>())?;
    let address = free_port()?;
    let mut command = program("dnsmasq");
    command
        .args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
        ])
        .args([
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
            "--user=root",
        ])
        .arg(format!("--port={}", address.port()))
        .arg(format!("--addn-hosts={}", hosts.display()))
        .arg(format!(
            "--pid-file={}",
            folder.join("dnsmasq.pid").display()
        ));
    Ok(Some((Server::start(&mut command, None)?, address)))
}

fn unbound(folder: &Path) -> Result<Option<(Server, SocketAddr)>> {
    if !is_installed("unbound") {
        return Ok(None);
    }
    let address = free_port()?;
    let mut text = format!(
        "server:\n interface: 127.0.0.1@{}\n num-threads: 1\n use-syslog: no\n logfile: /dev/null\n chroot: \"\"\n username: \"\"\n \
         directory: {folder}\n pidfile: {folder}/unbound.pid\n access-control: 127.0.0.0/8 allow\n module-config: \"iterator\"\n",
        address.port(),
        folder = folder.display(),
    );
    for index in 1..=NAMES {
        let name = fake::name(index);
        // Writing to a string does not fail.
        let _ = writeln!(text, " local-zone: \"{name}.\" static");
        let _ = writeln!(
            text,
            " local-data: \"{name}. 0 IN A 172.18.0.{}\"",
            index + 1
        );
    }
    text.push_str("remote-control:\n control-enable: no\n");
    let path = folder.join("unbound.conf");
    fs::write(&path, text)?;
    let mut command = program("unbound");
    command.arg("-d").arg("-c").arg(path);
    Ok(Some((Server::start(&mut command, None)?, address)))
}
