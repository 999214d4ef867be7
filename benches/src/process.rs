//! Servers that are measured or that help measuring: each a process of its own, ended with its owner.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, setpriority_process};
use rustix::thread::{CpuSet, sched_setaffinity};

/// How long a server may take for anything that is waited for: engines on a busy machine are slow.
const START: Duration = Duration::from_secs(90);
/// How long one may take to clean up after itself.
const STOP: Duration = Duration::from_secs(25);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    name: String,
}

impl Server {
    /// Starts a program. What it says goes to `log`, if anywhere.
    pub(crate) fn start(command: &mut Command, log: Option<&Path>) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = || match log {
            Some(path) => Ok(Stdio::from(
                File::options().append(true).create(true).open(path)?,
            )),
            None => Ok::<_, anyhow::Error>(Stdio::null()),
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(output()?)
            .stderr(output()?)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        Ok(Self { child, name })
    }

    /// Starts this very program in another role.
    pub(crate) fn ourselves(args: &[&str]) -> Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        Self::start(Command::new(program).args(args), None)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until somebody takes connections there.
    pub(crate) fn await_tcp(&mut self, address: SocketAddr) -> Result<()> {
        self.wait_for("a listener", || {
            TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
        })
    }

    /// Waits until `probe` says so, or the server ends.
    pub(crate) fn wait_for(&mut self, what: &str, mut probe: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + START;
        while !probe() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}", self.name);
            }
            if Instant::now() > deadline {
                bail!("{}: waited in vain for {what}", self.name);
            }
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Asks it to stop, and waits while it cleans up.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    /// Ends it at once, without asking.
    pub(crate) fn kill(mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    fn end(&mut self) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| matches!(self.child.try_wait(), Ok(None))) {
            let _ = kill_process(pid, Signal::TERM);
            let deadline = Instant::now() + STOP;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                sleep(Duration::from_millis(10));
            }
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A loopback port that is free for UDP and TCP at this moment.
pub(crate) fn free_port() -> Result<SocketAddr> {
    for _ in 0..16 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
        let address = tcp.local_addr()?;
        if UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port is free for both UDP and TCP")
}

/// Whether a program is there to be measured.
pub(crate) fn is_installed(program: &str) -> bool {
    let places = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<_> = std::env::split_paths(&places).collect();
    // Debian's servers are not on everybody's path.
    places.push("/usr/sbin".into());
    places.iter().any(|place| place.join(program).is_file())
}

/// A program of the machine, wherever it is.
pub(crate) fn program(name: &str) -> Command {
    let in_sbin = Path::new("/usr/sbin").join(name);
    if in_sbin.is_file() {
        Command::new(in_sbin)
    } else {
        Command::new(name)
    }
}

/// Puts a process, and all that it starts from now on, before whatever else the machine does; false if it may not.
pub(crate) fn put_first(pid: u32) -> bool {
    // Linux may weigh whole sessions against one another first, and the processes of each only then.
    let group = std::fs::write(format!("/proc/{pid}/autogroup"), "-10");
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    group.is_ok() && setpriority_process(pid, -10).is_ok()
}

/// Keeps all threads of a process on one processor, or lets them run anywhere again.
///
/// Two processes that wake one another are placed by the scheduler now on one processor and now on two, which makes a
/// factor of four in a round trip: so it is said where.
pub(crate) fn pin(pid: u32, processor: Option<usize>) -> Result<()> {
    let mut set = CpuSet::new();
    let all = processors();
    match processor {
        Some(processor) => set.set(processor % all),
        None => (0..all).for_each(|processor| set.set(processor)),
    }
    let tasks = format!("/proc/{pid}/task");
    for task in std::fs::read_dir(&tasks).with_context(|| format!("read {tasks}"))? {
        let name = task?.file_name();
        let thread = name
            .to_str()
            .and_then(|name| Pid::from_raw(name.parse().ok()?));
        // A thread that ended meanwhile needs no place.
        let _ = sched_setaffinity(thread, &set);
    }
    Ok(())
}

/// All of the machine's, wherever this process may run.
fn processors() -> usize {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let cpu = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    stat.lines().filter(cpu).count().max(1)
}
