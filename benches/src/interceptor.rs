//! The built-in interceptor on loopback, beside the plain gateway and mitmproxy: requests a second, what a warm HTTPS request
//! costs, and the memory that hosts take.

mod tls;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::Run;
use crate::dockline::Dockline;
use crate::measure::{float, median, micros, resident_kib};
use crate::process::{Server, free_port, is_installed, program};
use crate::report::{Figure, Report, Samples, Target, progress, with_unit};
use tls::{Origin, Trusting};

const SUITE: &str = "interceptor";
const OURS: &str = "built-in interceptor";
const GATEWAY: &str = "gateway";
const MITMPROXY: &str = "mitmproxy";
const DIRECT: &str = "direct";
/// There is none: only this host is asked for anything.
const NO_ENGINE: &str = "/nonexistent/docker.sock";
const SIZE: usize = 512;
const TIME: Duration = Duration::from_secs(2);
const CONNECTIONS: [usize; 2] = [1, 8];
const HTTPS_REQUESTS: usize = 2_000;
/// Each has a certificate made up for it.
const HOSTS: usize = 10_000;
/// Nothing on one machine takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures all three ways in each round.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir().context("make a folder for certificates")?;
    let origin = Origin::start()?;
    let trusted = folder.path().join("origin.pem");
    std::fs::write(&trusted, origin.authority())?;
    let web = free_port()?;
    let mut httpd = Server::ourselves(&["httpd", &web.to_string()])?;
    httpd.await_tcp(web)?;
    let log = run.out.join("interceptor-serve.log");
    let dockline = Dockline::intercepting(&run.dockline, Path::new(NO_ENGINE), &log, &trusted)?;
    let built_in = dockline.interceptor()?;
    let mitmproxy = mitmproxy(folder.path())?;
    let mut samples = Samples::new(&run.out, SUITE)?;
    let mut ways = vec![(GATEWAY, dockline.gateway), (OURS, built_in)];
    ways.extend(mitmproxy.as_ref().map(|(_, address)| (MITMPROXY, *address)));
    for round in 1..=run.rounds {
        for (name, proxy) in &ways {
            for connections in CONNECTIONS {
                let rate = requests(*proxy, web, connections)?;
                samples.add(
                    round,
                    name,
                    &format!("{connections} connections req/s"),
                    rate,
                )?;
            }
        }
        let both = Trusting::new(&[&origin.authority(), &dockline.authority()?])?;
        for (name, proxy) in [
            (DIRECT, None),
            (GATEWAY, Some(dockline.gateway)),
            (OURS, Some(built_in)),
        ] {
            let times = https(proxy, &origin, &both)?;
            samples.add(round, name, "HTTPS p50 µs", median(&times))?;
        }
    }
    hosts(&dockline, built_in, &origin, &mut samples)?;
    dockline.stop();
    figures(&samples, report);
    Ok(())
}

/// As it comes, saying nothing of what it sees.
fn mitmproxy(folder: &Path) -> Result<Option<(Server, SocketAddr)>> {
    if !is_installed("mitmdump") {
        progress("  mitmproxy is not installed and left out");
        return Ok(None);
    }
    let address = free_port()?;
    let mut command = program("mitmdump");
    command
        .args(["--quiet", "--listen-host", "127.0.0.1"])
        .args(["--listen-port", &address.port().to_string()])
        .arg("--set")
        .arg(format!("confdir={}", folder.display()));
    let mut server = Server::start(&mut command, None)?;
    server.await_tcp(address)?;
    Ok(Some((server, address)))
}

/// Requests a second in absolute form, by so many connections that are kept.
fn requests(proxy: SocketAddr, web: SocketAddr, connections: usize) -> Result<f64> {
    let request = Arc::new(format!(
        "GET http://{web}/{SIZE} HTTP/1.1\r\nHost: {web}\r\n\r\n"
    ));
    let start = Instant::now();
    let loads: Vec<_> = (0..connections)
        .map(|_| {
            let request = Arc::clone(&request);
            thread::spawn(move || one_load(proxy, &request, start))
        })
        .collect();
    let mut done = 0;
    for load in loads {
        match load.join() {
            Ok(count) => done += count?,
            Err(_) => bail!("a client panicked"),
        }
    }
    Ok(float(done) / start.elapsed().as_secs_f64())
}

fn one_load(proxy: SocketAddr, request: &str, start: Instant) -> Result<u64> {
    let mut stream = connect(proxy)?;
    let mut done = 0;
    while start.elapsed() < TIME {
        stream.write_all(request.as_bytes())?;
        answer(&mut stream)?;
        done += 1;
    }
    Ok(done)
}

fn connect(to: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Reads an answer with a body of [`SIZE`] bytes.
fn answer(stream: &mut impl std::io::Read) -> Result<()> {
    let (mut read, mut buffer) = (0, [0; 4_096]);
    loop {
        let count = stream.read(&mut buffer[read..])?;
        ensure!(count > 0, "a connection ended");
        read += count;
        let head = buffer[..read].windows(4).position(|w| w == b"\r\n\r\n");
        if head.is_some_and(|at| read >= at + 4 + SIZE) {
            ensure!(
                buffer.starts_with(b"HTTP/1.1 200 "),
                "not answered with 200"
            );
            return Ok(());
        }
    }
}

/// A connection to the origin, by CONNECT if there is a proxy.
fn reach(proxy: Option<SocketAddr>, origin: &Origin) -> Result<TcpStream> {
    let Some(proxy) = proxy else {
        return connect(origin.address);
    };
    let mut stream = connect(proxy)?;
    let to = origin.address;
    write!(stream, "CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n")?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    ensure!(
        head.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&head)
    );
    Ok(stream)
}

/// What each request takes on a connection that is warm, in microseconds.
fn https(proxy: Option<SocketAddr>, origin: &Origin, trusting: &Trusting) -> Result<Vec<f64>> {
    let mut stream = trusting.connect("warm.hosts.bench", reach(proxy, origin)?)?;
    let mut times = Vec::with_capacity(HTTPS_REQUESTS);
    for number in 0..HTTPS_REQUESTS + HTTPS_REQUESTS / 10 {
        let start = Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: warm.hosts.bench\r\n\r\n")?;
        stream.flush()?;
        answer(&mut stream)?;
        if number >= HTTPS_REQUESTS / 10 {
            times.push(micros(start.elapsed()));
        }
    }
    Ok(times)
}

/// One request to each of very many hosts, twice as many as are remembered.
fn hosts(
    dockline: &Dockline,
    proxy: SocketAddr,
    origin: &Origin,
    samples: &mut Samples,
) -> Result<()> {
    let trusting = Trusting::new(&[&dockline.authority()?])?;
    samples.add(1, OURS, "RSS before KiB", resident_kib(dockline.pid())?)?;
    for (part, metric) in [
        (0, "RSS after 10,000 hosts KiB"),
        (1, "RSS after 20,000 hosts KiB"),
    ] {
        for host in part * HOSTS..(part + 1) * HOSTS {
            let name = format!("host{host}.hosts.bench");
            let mut stream = trusting.connect(&name, reach(Some(proxy), origin)?)?;
            write!(
                stream,
                "GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
            )?;
            answer(&mut stream).with_context(|| format!("{name} is not answered"))?;
        }
        samples.add(1, OURS, metric, resident_kib(dockline.pid())?)?;
    }
    Ok(())
}

fn figures(samples: &Samples, report: &mut Report) {
    for connections in CONNECTIONS {
        let metric = format!("{connections} connections req/s");
        report.add(
            SUITE,
            Figure {
                what: format!("HTTP requests, kept connections, {connections}"),
                ours: with_unit(samples.median(OURS, &metric), "/s"),
                beside: samples.beside(&[GATEWAY, MITMPROXY], &metric),
                judged: samples.ratio(OURS, GATEWAY, &metric),
                unit: "×",
                target: Target::AtLeast(0.5),
            },
        );
    }
    let p50 = |name| samples.median(name, "HTTPS p50 µs");
    let added = p50(OURS)
        .zip(p50(GATEWAY))
        .map(|(ours, gateway)| ours - gateway);
    let of_hosts = |metric| samples.median(OURS, metric);
    let before = of_hosts("RSS before KiB");
    let grown = |metric| {
        of_hosts(metric)
            .zip(before)
            .map(|(after, before)| after - before)
    };
    let told = [
        (
            "added to a warm HTTPS request",
            added,
            " µs",
            Target::AtMost(2_000.0),
        ),
        (
            "memory of 10,000 hosts",
            grown("RSS after 10,000 hosts KiB"),
            " KiB",
            Target::None,
        ),
        (
            "the same after 10,000 others",
            grown("RSS after 20,000 hosts KiB"),
            " KiB",
            Target::None,
        ),
    ];
    for (what, value, unit, target) in told {
        let figure = Figure {
            what: what.to_owned(),
            ours: with_unit(value, unit.trim_start()),
            beside: String::new(),
            judged: value,
            unit,
            target,
        };
        report.add(SUITE, figure);
    }
}
