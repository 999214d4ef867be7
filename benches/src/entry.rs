//! Container → entry → link → interceptor on a real engine: how soon a request is there, and what a thousand at a time take.
//!
//! The callers are this machine's, by its own address on the network, and so is the interceptor, with one clock for both.

mod returns;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::Run;
use crate::dockline::{Dockline, INSTANCE};
use crate::engine::docker::Docker;
use crate::measure::{len, median, micros, peak_kib, percentile, resident_kib};
use crate::report::{Figure, Report, Samples, Target, progress, with_unit};
use crate::tunnel::serve_inside;

const SUITE: &str = "entry";
const OURS: &str = "dockline";
const CONNECT: &str = "dockline, CONNECT";
const NETWORK: &str = "bench-entry";
const TARGET: &str = "bench-entry-target";
/// In host mode, so that this machine's calls are known to be its: dockline waits a moment for who is not known.
const CALLER: &str = "bench-entry-caller";
const WEB: u16 = 8000;
const ENTRY: u16 = 8790;
const REQUESTS: usize = 2_000;
const CALLERS: usize = 1_000;
/// Enough for a request's head and a connection each way.
const STACK: usize = 64 * 1024;
/// For all requests to be at the interceptor.
const GATHERING: Duration = Duration::from_secs(3);
/// For an answer; nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A network with a web server, and what dockline is to be started with.
struct Scene<'a> {
    run: &'a Run,
    docker: &'a Docker,
    request: String,
    connect: String,
}

/// Measures both, each on a fresh dockline.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let Some(engine) = &run.engine else {
        progress("  no engine was given: the entry is left out");
        return Ok(());
    };
    let docker = Docker::new(engine, &run.image)?;
    docker.network(NETWORK)?;
    docker.container(TARGET, NETWORK, true)?;
    docker.container(CALLER, "host", true)?;
    let target = docker.inspect(TARGET)?;
    let web = SocketAddr::from((address_of(&target)?, WEB));
    let mut server = serve_inside(&target["State"]["Pid"].to_string(), "httpd", WEB)?;
    server.await_tcp(web)?;
    let scene = Scene {
        run,
        docker: &docker,
        request: format!("GET http://{web}/512 HTTP/1.1\r\nHost: {web}\r\n\r\n"),
        connect: format!("CONNECT {web} HTTP/1.1\r\nHost: {web}\r\n\r\n"),
    };
    let mut samples = Samples::new(&run.out, SUITE)?;
    scene.how_soon(&mut samples)?;
    scene.how_much(CONNECT, &scene.connect, &mut samples)?;
    scene.how_much(OURS, &scene.request, &mut samples)?;
    scene.how_soon_back(&mut samples)?;
    figures(&samples, report);
    Ok(())
}

impl Scene<'_> {
    fn how_soon(&self, samples: &mut Samples) -> Result<()> {
        let interceptor = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (dockline, entry) = self.serve(&interceptor)?;
        let (seen_tx, seen) = channel();
        thread::spawn(move || {
            for stream in interceptor.incoming().flatten() {
                let seen_tx = seen_tx.clone();
                thread::spawn(move || stamp(stream, &seen_tx));
            }
        });
        for round in 1..=self.run.rounds {
            for (way, kept) in [("kept", true), ("new", false)] {
                let times = self.latencies(entry, kept, &seen)?;
                samples.add(round, OURS, &format!("{way} p50 µs"), median(&times))?;
                samples.add(
                    round,
                    OURS,
                    &format!("{way} p99 µs"),
                    percentile(&times, 99),
                )?;
            }
        }
        dockline.stop();
        Ok(())
    }

    fn how_much(&self, form: &str, request: &str, samples: &mut Samples) -> Result<()> {
        let interceptor = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (dockline, entry) = self.serve(&interceptor)?;
        let (gateway, pid) = (dockline.gateway, dockline.pid());
        samples.add(1, form, "idle RSS KiB", resident_kib(pid)?)?;
        let there = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&there);
        thread::spawn(move || {
            for stream in interceptor.incoming().flatten() {
                let there = Arc::clone(&counted);
                let pass = move || pass(stream, gateway, &there);
                drop(thread::Builder::new().stack_size(STACK).spawn(pass));
            }
        });
        let start = Instant::now();
        let mut callers = Vec::new();
        for _ in 0..CALLERS {
            let mut caller = connect(entry)?;
            caller.write_all(request.as_bytes())?;
            callers.push(caller);
        }
        for (number, caller) in callers.iter_mut().enumerate() {
            let answer = read_until(caller, b"\r\n\r\n");
            let answer = answer.with_context(|| format!("caller {number} got no answer"))?;
            ensure!(
                answer.starts_with(b"HTTP/1.1 200 "),
                "caller {number} got {}",
                String::from_utf8_lossy(&answer)
            );
        }
        samples.add(1, form, "1,000 at once ms", micros(start.elapsed()) / 1e3)?;
        let intercepted = len(there.load(Ordering::Relaxed));
        samples.add(1, form, "of 1,000 intercepted", intercepted)?;
        samples.add(1, form, "peak RSS KiB", peak_kib(pid)?)?;
        dockline.stop();
        Ok(())
    }

    /// A dockline that hands on to `interceptor`, and its tunnel's entry.
    fn serve(&self, interceptor: &TcpListener) -> Result<(Dockline, SocketAddr)> {
        let mut dockline = self.spawn(interceptor)?;
        dockline.await_ready()?;
        dockline.await_joined(NETWORK)?;
        dockline.await_link()?;
        let tunnel = self
            .docker
            .inspect(&format!("dockline-tunnel-{INSTANCE}"))?;
        Ok((dockline, (address_of(&tunnel)?, ENTRY).into()))
    }

    /// The same before it does anything.
    fn spawn(&self, interceptor: &TcpListener) -> Result<Dockline> {
        let at = interceptor.local_addr()?.to_string();
        let log = self.run.out.join("entry-serve.log");
        let flags = ["--interceptor", &at];
        Dockline::spawn_with(&self.run.dockline, self.docker.socket(), &log, &flags)
    }

    /// From before a request is sent until the interceptor has read it.
    fn latencies(
        &self,
        entry: SocketAddr,
        kept: bool,
        seen: &Receiver<Instant>,
    ) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(REQUESTS);
        let mut open = None;
        for _ in 0..REQUESTS {
            let start = Instant::now();
            let mut caller = match open.take() {
                Some(caller) => caller,
                None => connect(entry)?,
            };
            caller.write_all(self.request.as_bytes())?;
            let seen = seen.recv_timeout(PATIENCE);
            let seen = seen.context("the interceptor heard nothing")?;
            times.push(micros(seen - start));
            read_until(&mut caller, b"ok")?;
            open = kept.then_some(caller);
        }
        Ok(times)
    }
}

fn address_of(container: &serde_json::Value) -> Result<Ipv4Addr> {
    let address = &container["NetworkSettings"]["Networks"][NETWORK]["IPAddress"];
    Ok(address.as_str().unwrap_or_default().parse()?)
}

fn connect(to: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Everything up to and with `end`, or more.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut piece = [0; 2_048];
    while !read.windows(end.len()).any(|window| window == end) {
        let count = stream.read(&mut piece)?;
        ensure!(count > 0, "ended after {}", String::from_utf8_lossy(&read));
        read.extend(&piece[..count]);
    }
    Ok(read)
}

/// An interceptor that answers by itself, and tells when each request was there.
fn stamp(mut stream: TcpStream, seen: &Sender<Instant>) {
    while read_until(&mut stream, b"\r\n\r\n").is_ok() {
        let told = seen.send(Instant::now()).is_ok();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        if !told || stream.write_all(answer).is_err() {
            return;
        }
    }
}

/// An interceptor that goes on through the gateway, once all requests are there. Some may never be: who waits too long for
/// dockline is served by the tunnel alone.
fn pass(mut stream: TcpStream, gateway: SocketAddr, there: &AtomicUsize) -> Result<()> {
    let request = read_until(&mut stream, b"\r\n\r\n")?;
    there.fetch_add(1, Ordering::Relaxed);
    let give_up = Instant::now() + GATHERING;
    while there.load(Ordering::Relaxed) < CALLERS && Instant::now() < give_up {
        thread::sleep(Duration::from_millis(5));
    }
    let mut onward = connect(gateway)?;
    onward.write_all(&request)?;
    let answer = read_until(&mut onward, b"\r\n\r\n")?;
    stream.write_all(&answer)?;
    std::io::copy(&mut onward, &mut stream)?;
    Ok(())
}

fn figures(samples: &Samples, report: &mut Report) {
    for (what, metric, unit, target) in [
        (
            "a request on a kept connection is at the interceptor",
            "kept p50 µs",
            "µs",
            Target::AtMost(300.0),
        ),
        (
            "the same with a new connection",
            "new p50 µs",
            "µs",
            Target::None,
        ),
        (
            "1,000 requests at once, there and back",
            "1,000 at once ms",
            "ms",
            Target::None,
        ),
        (
            "of these intercepted",
            "of 1,000 intercepted",
            "",
            Target::AtLeast(1_000.0),
        ),
        (
            "dockline is killed → a new request is served",
            "killed → plain ms",
            "ms",
            Target::AtMost(1_000.0),
        ),
        (
            "dockline is started again → a request is intercepted",
            "started → intercepted ms",
            "ms",
            Target::AtMost(1_000.0),
        ),
        (
            "memory at most meanwhile",
            "peak RSS KiB",
            "KiB",
            Target::AtMost(40_960.0),
        ),
    ] {
        let ours = samples.median(OURS, metric);
        let figure = Figure {
            what: what.to_owned(),
            ours: with_unit(ours, unit),
            beside: samples.beside(&[CONNECT], metric),
            judged: ours,
            unit,
            target,
        };
        report.add(SUITE, figure);
    }
}
