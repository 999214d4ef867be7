//! Starts and stops the daemon of a private engine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{Version, leftovers};
use crate::console::say;
use crate::shell::{MINUTES_2, Shell, tail};
use crate::workspace::Workspace;

/// Measured: 2 s for engine 20, 3 s for engine 26.
pub(super) const START_LIMIT: Duration = Duration::from_secs(60);
/// The daemon itself gives containers 15 s to stop.
const STOP_LIMIT: Duration = Duration::from_secs(40);
/// A daemon that does not answer within this time is taken for one that does not work.
#[cfg(unix)]
const PING_LIMIT: Duration = Duration::from_secs(10);

/// What keeps two private engines apart, and both from the machine's own.
struct Plan {
    /// The default bridge, which would otherwise be `docker0` for both.
    bridge: &'static str,
    bridge_address: &'static str,
    /// Where networks without a subnet of their own get one: 256 of size /24.
    pool: &'static str,
    /// A starting daemon empties the firewall chains that another one has filled. So each has tables of its own.
    iptables: &'static str,
}

impl Plan {
    const fn of(version: Version) -> Self {
        match version {
            Version::V20 => Self {
                bridge: "dockline20",
                bridge_address: "172.30.20.1/24",
                pool: "base=10.20.0.0/16,size=24",
                iptables: "xtables-legacy-multi",
            },
            Version::V26 => Self {
                bridge: "dockline26",
                bridge_address: "172.30.26.1/24",
                pool: "base=10.26.0.0/16,size=24",
                iptables: "xtables-nft-multi",
            },
        }
    }
}

/// Where the daemon that was last started keeps its data, perhaps in another checkout.
pub(super) fn data(version: Version) -> Option<PathBuf> {
    fs::read_to_string(data_file(version))
        .ok()
        .map(PathBuf::from)
}

/// Starts the daemon and waits until it answers.
pub(super) fn start(
    shell: &Shell,
    workspace: &Workspace,
    version: Version,
    programs: &Path,
) -> Result<()> {
    let plan = Plan::of(version);
    let home = version.home(workspace);
    let run = version.run_dir();
    fs::create_dir_all(&run).with_context(|| format!("make {}", run.display()))?;
    // A daemon that had to switch it on itself would also drop all that it does not know, the other engine's included.
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("switch on IP forwarding")?;
    add_bridge(shell, &plan)?;
    let path = path(shell, version, &home, programs)?;
    let data = home.join("data");
    fs::write(data_file(version), data.display().to_string())
        .context("note where the engine's data is")?;

    let log = home.join("dockerd.log");
    let log_file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
    say(format_args!(
        "engine {version}: starting, log in {}",
        log.display()
    ));
    // In a session of its own, so that it outlives this one.
    let mut daemon = Command::new("setsid")
        .arg(programs.join("usr/sbin/dockerd"))
        .args(flags(version, &plan, &data))
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(log_file.try_clone()?)
        .stderr(log_file)
        .spawn()
        .context("start dockerd")?;
    shell.wait_until("the engine's first answer", START_LIMIT, || {
        check_alive(&mut daemon, &log)?;
        Ok(answers(version).then_some(()))
    })
}

/// Where the daemon finds its programs.
pub(super) fn path(
    shell: &Shell,
    version: Version,
    home: &Path,
    programs: &Path,
) -> Result<String> {
    let iptables = link_iptables(shell, &Plan::of(version), home)?;
    Ok(format!(
        "{}:{1}/usr/bin:{1}/usr/sbin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        iptables.display(),
        programs.display(),
    ))
}

fn flags(version: Version, plan: &Plan, data: &Path) -> Vec<String> {
    vec![
        format!("--host=unix://{}", version.socket().display()),
        format!("--data-root={}", data.display()),
        format!("--exec-root={}", version.run_dir().join("exec").display()),
        format!("--pidfile={}", pid_file(version).display()),
        format!("--bridge={}", plan.bridge),
        format!("--default-address-pool={}", plan.pool),
        // In case the machine's own containerd runs: a daemon uses that one when it is there.
        format!("--containerd-namespace=dockline-{version}"),
        format!("--containerd-plugins-namespace=dockline-{version}-plugins"),
    ]
}

pub(super) fn check_alive(daemon: &mut Child, log: &Path) -> Result<()> {
    if let Some(status) = daemon.try_wait()? {
        let said = fs::read_to_string(log).unwrap_or_default();
        bail!("dockerd ended with {status} and last wrote{}", tail(&said));
    }
    Ok(())
}

/// Stops the daemon. Returns whether it ran.
pub(super) fn stop(shell: &Shell, version: Version) -> Result<bool> {
    let Some(pid) = running_pid(version) else {
        return Ok(false);
    };
    shell.signal(pid, "TERM")?;
    let stopped = shell.wait_until("the daemon's end", STOP_LIMIT, || {
        Ok(running_pid(version).is_none().then_some(()))
    });
    if stopped.is_err() {
        say(format_args!(
            "engine {version}: did not stop in time, killing it"
        ));
        shell.signal(pid, "KILL")?;
        shell.wait_until("the killed daemon's end", STOP_LIMIT, || {
            Ok(running_pid(version).is_none().then_some(()))
        })?;
    }
    Ok(true)
}

/// Removes the default bridge, which the daemon did not make and so leaves.
pub(super) fn remove_bridge(shell: &Shell, version: Version) -> Result<()> {
    let bridge = Plan::of(version).bridge;
    if Path::new("/sys/class/net").join(bridge).exists() {
        shell.output(Command::new("ip").args(["link", "del", bridge]), MINUTES_2)?;
    }
    Ok(())
}

fn add_bridge(shell: &Shell, plan: &Plan) -> Result<()> {
    let ip = |words: &[&str]| shell.output(Command::new("ip").args(words), MINUTES_2);
    ip(&["link", "add", plan.bridge, "type", "bridge"])?;
    ip(&["addr", "add", plan.bridge_address, "dev", plan.bridge])?;
    ip(&["link", "set", plan.bridge, "up"])?;
    Ok(())
}

/// Makes a folder in which `iptables` is the wanted one, to stand first on the daemon's `PATH`.
fn link_iptables(shell: &Shell, plan: &Plan, home: &Path) -> Result<PathBuf> {
    let folder = home.join("iptables");
    fs::create_dir_all(&folder)?;
    for name in ["iptables", "ip6tables"] {
        let program = Path::new("/usr/sbin").join(plan.iptables);
        shell.output(
            Command::new("ln")
                .arg("-sfn")
                .arg(program)
                .arg(folder.join(name)),
            MINUTES_2,
        )?;
    }
    Ok(folder)
}

fn pid_file(version: Version) -> PathBuf {
    version.run_dir().join("docker.pid")
}

fn data_file(version: Version) -> PathBuf {
    version.run_dir().join("data")
}

/// The daemon's process, as its own pid file tells, if that process is indeed this daemon.
fn running_pid(version: Version) -> Option<u32> {
    let pid = fs::read_to_string(pid_file(version))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    leftovers::is_program_of(pid, &version.run_dir()).then_some(pid)
}

/// Whether `GET /_ping` is answered.
#[cfg(unix)]
pub(super) fn answers(version: Version) -> bool {
    answers_at(&version.socket())
}

/// The same of whoever listens there.
#[cfg(unix)]
pub(super) fn answers_at(socket: &Path) -> bool {
    use std::io::{Read as _, Write as _};
    let ping = || -> std::io::Result<bool> {
        let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PING_LIMIT))?;
        stream.set_write_timeout(Some(PING_LIMIT))?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.split_whitespace().nth(1) == Some("200"))
    };
    ping().unwrap_or(false)
}

/// There are no private engines on this system.
#[cfg(not(unix))]
pub(super) fn answers(_version: Version) -> bool {
    false
}

/// Nor any others.
#[cfg(not(unix))]
pub(super) fn answers_at(_socket: &Path) -> bool {
    false
}
