//! Host → gateway → tunnel → container on a real engine, beside host → container.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::Run;
use crate::dockline::{Dockline, INSTANCE};
use crate::engine::docker::Docker;
use crate::process::{Server, pin, program, put_first};
use crate::report::{Figure, Report, Samples, Target, progress, with_unit};
use crate::socks::load;
use crate::socks::open::{Proxy, Way};

const SUITE: &str = "tunnel";
const OURS: &str = "dockline";
const DIRECT: &str = "direct";
const NETWORK: &str = "bench-net";
const TARGET: &str = "bench-target";
const SINK: u16 = 7000;
const WEB: u16 = 8000;
const TIME: Duration = Duration::from_millis(1500);

/// Measures both ways, one after the other in each round.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let Some(engine) = &run.engine else {
        progress("  no engine was given: the tunnel in its container is left out");
        return Ok(());
    };
    let docker = Docker::new(engine, &run.image)?;
    docker.network(NETWORK)?;
    docker.container(TARGET, NETWORK, true)?;
    let target = docker.inspect(TARGET)?;
    let settings = &target["NetworkSettings"]["Networks"][NETWORK];
    let address: Ipv4Addr = settings["IPAddress"].as_str().unwrap_or_default().parse()?;
    // The servers live in the container's network, which is what matters; its image need not hold them.
    let inside = target["State"]["Pid"].to_string();
    let mut sink = serve_inside(&inside, "sink", SINK)?;
    let mut web = serve_inside(&inside, "httpd", WEB)?;
    let (sink_at, web_at) = ((address, SINK).into(), (address, WEB).into());
    sink.await_tcp(sink_at)?;
    web.await_tcp(web_at)?;

    let mut dockline = Dockline::serve(&run.dockline, engine, &run.out.join("tunnel-serve.log"))?;
    dockline.await_joined(NETWORK)?;
    let tunnel = docker.inspect(&format!("dockline-tunnel-{INSTANCE}"))?;
    let tunnel = tunnel["State"]["Pid"]
        .as_u64()
        .context("the tunnel has no process")?;
    let ours = [dockline.pid(), u32::try_from(tunnel)?];
    // The engine started it, so it has not inherited what everybody else here has.
    put_first(ours[1]);
    let everybody = [sink.pid(), web.pid(), std::process::id()];
    let gateway = |target| {
        Way::Socks(Proxy {
            server: dockline.gateway,
            password: None,
            target,
        })
    };
    let mut samples = Samples::new(&run.out, SUITE)?;
    for round in 1..=run.rounds {
        for (name, pids, sink, web) in [
            (DIRECT, &[][..], Way::Direct(sink_at), Way::Direct(web_at)),
            (OURS, &ours[..], gateway(sink_at), gateway(web_at)),
        ] {
            let mut add = |metric: &str, value| samples.add(round, name, metric, value);
            for (up, speed, cpu) in [
                (false, "MB/s down", "cpu s/GB down"),
                (true, "MB/s up", "cpu s/GB up"),
            ] {
                let stream = load::stream(&sink, pids, up, TIME)?;
                add(speed, stream.megabytes)?;
                add(cpu, stream.cpu_per_gigabyte)?;
            }
            if let [gateway, _] = pids {
                let stream = load::stream(&sink, &[*gateway], false, TIME)?;
                add("gateway's cpu s/GB down", stream.cpu_per_gigabyte)?;
            }
            let all = || pids.iter().chain(&everybody);
            all().try_for_each(|pid| pin(*pid, Some(0)))?;
            let rate = load::rate(&sink, pids, 8, 2_000)?;
            add("connections/s", rate.per_second)?;
            add("cpu µs/connection", rate.cpu_micros)?;
            add("round trip µs", load::round_trip(&sink, 5_000)?)?;
            add(
                "requests/s of 1024 B",
                load::requests(&web, 1_024, TIME / 2)?,
            )?;
            all().try_for_each(|pid| pin(*pid, None))?;
        }
    }
    figures(&samples, report);
    dockline.stop();
    Ok(())
}

/// Runs this program in another role, in a container's network.
pub(crate) fn serve_inside(process: &str, role: &str, port: u16) -> Result<Server> {
    let ourselves = std::env::current_exe().context("find this program")?;
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let mut command = program("nsenter");
    command.args(["--net", "--target", process, "--"]);
    command.arg(ourselves).arg(role).arg(address.to_string());
    Server::start(&mut command, None)
}

fn figures(samples: &Samples, report: &mut Report) {
    for (metric, unit, target) in [
        ("round trip µs", "µs", Target::AtMost(4.0)),
        ("MB/s down", "MB/s", Target::AtLeast(0.3)),
        ("MB/s up", "MB/s", Target::None),
        ("requests/s of 1024 B", "/s", Target::None),
        ("connections/s", "/s", Target::None),
    ] {
        let figure = Figure {
            what: format!("{metric} through gateway and tunnel, to direct"),
            ours: with_unit(samples.median(OURS, metric), unit),
            beside: samples.beside(&[DIRECT], metric),
            judged: samples.ratio(OURS, DIRECT, metric),
            unit: "×",
            target,
        };
        report.add(SUITE, figure);
    }
    for (what, metric, unit) in [
        (
            "CPU a connection, gateway and tunnel",
            "cpu µs/connection",
            "µs",
        ),
        ("CPU a GB down, gateway and tunnel", "cpu s/GB down", "s"),
        (
            "CPU a GB down, gateway alone",
            "gateway's cpu s/GB down",
            "s",
        ),
    ] {
        let ours = samples.median(OURS, metric);
        let figure = Figure {
            what: what.to_owned(),
            ours: with_unit(ours, unit),
            beside: String::new(),
            judged: None,
            unit: "",
            target: Target::None,
        };
        report.add(SUITE, figure);
    }
}
