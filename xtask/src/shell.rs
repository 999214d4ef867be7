//! Runs other programs and waits for conditions: with a deadline, and stopped by Ctrl-C.
//!
//! A program that fails is reported with its command line, its exit code and the end of what it wrote to stderr.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// How often a condition is looked at again: short beside anything that is waited for here.
const POLL: Duration = Duration::from_millis(20);
/// How long a program may go on after Ctrl-C, which reaches it as well, before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How long the output of a program that has ended may stay open (a child of its own may hold it).
const OUTPUT_GRACE: Duration = Duration::from_secs(5);
/// How much of a failed program's stderr is shown.
const TAIL_LINES: usize = 20;

/// Long enough for anything that answers a question or changes one thing in an engine.
pub(crate) const MINUTES_2: Duration = Duration::from_secs(120);
/// Long enough for downloads and installs.
pub(crate) const MINUTES_10: Duration = Duration::from_secs(600);

/// Runs programs until Ctrl-C (or SIGTERM) is seen; then every call fails, so that its caller cleans up.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    interrupted: Arc<AtomicBool>,
}

impl Shell {
    /// Takes over Ctrl-C and SIGTERM for the whole process.
    pub(crate) fn new() -> Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&interrupted);
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
            .context("watch for Ctrl-C")?;
        Ok(Self { interrupted })
    }

    /// A shell for cleaning up, which goes on after Ctrl-C.
    pub(crate) fn for_cleanup() -> Self {
        Self {
            interrupted: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Fails after Ctrl-C, for those who go on after a program has failed.
    pub(crate) fn go_on(&self) -> Result<()> {
        ensure!(!self.interrupted.load(Ordering::Relaxed), "interrupted");
        Ok(())
    }

    /// Runs a program whose output the user sees as it comes.
    pub(crate) fn run(&self, command: &mut Command, limit: Duration) -> Result<()> {
        let line = command_line(command);
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("start `{line}`"))?;
        let status = self.wait(child, &line, limit)?;
        ensure!(status.success(), "`{line}` failed: {}", describe(status));
        Ok(())
    }

    /// Runs a program and returns what it wrote to stdout.
    pub(crate) fn output(&self, command: &mut Command, limit: Duration) -> Result<String> {
        let line = command_line(command);
        let finished = self.capture(command, limit)?;
        if !finished.status.success() {
            bail!(
                "`{line}` failed: {}{}",
                describe(finished.status),
                tail(&finished.stderr)
            );
        }
        Ok(finished.stdout)
    }

    /// Runs a program that may well fail, and returns its stdout only if it did not.
    pub(crate) fn try_output(&self, command: &mut Command, limit: Duration) -> Option<String> {
        self.output(command, limit).ok()
    }

    /// Sends a signal to one process.
    pub(crate) fn signal(&self, pid: u32, signal: &str) -> Result<()> {
        // The shell's own `kill`: a bare machine has no program of that name.
        let script = "kill -s \"$0\" \"$1\"";
        self.output(
            Command::new("sh")
                .args(["-c", script, signal])
                .arg(pid.to_string()),
            MINUTES_2,
        )?;
        Ok(())
    }

    fn capture(&self, command: &mut Command, limit: Duration) -> Result<Finished> {
        let line = command_line(command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start `{line}`"))?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let status = self.wait(child, &line, limit)?;
        Ok(Finished {
            status,
            stdout: collected(&stdout, &line)?,
            stderr: collected(&stderr, &line)?,
        })
    }

    /// Waits for a program to end; kills it when its time is up or Ctrl-C was pressed.
    pub(crate) fn wait(&self, mut child: Child, line: &str, limit: Duration) -> Result<ExitStatus> {
        let waited = self.wait_until(&format!("the end of `{line}`"), limit, || {
            Ok(child.try_wait()?)
        });
        if waited.is_err() {
            let grace = Self::for_cleanup().wait_until("its end", GRACE, || Ok(child.try_wait()?));
            if grace.is_err() {
                child
                    .kill()
                    .and_then(|()| child.wait())
                    .with_context(|| format!("kill `{line}`"))?;
            }
        }
        waited
    }

    /// Looks again and again until `probe` finds something; fails at the deadline or after Ctrl-C.
    pub(crate) fn wait_until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut probe: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(found) = probe()? {
                return Ok(found);
            }
            ensure!(
                !self.interrupted.load(Ordering::Relaxed),
                "interrupted while waiting for {what}"
            );
            ensure!(
                Instant::now() < deadline,
                "gave up after {} s waiting for {what}",
                limit.as_secs()
            );
            thread::sleep(POLL);
        }
    }
}

struct Finished {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// A command as one would type it.
pub(crate) fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted: Vec<String> = words.map(|word| quote(&word.to_string_lossy())).collect();
    quoted.join(" ")
}

/// A command line with the program's bare name.
pub(crate) fn typed(command: &Command) -> String {
    let line = command_line(command);
    let program = command.get_program().to_string_lossy();
    let name = Path::new(command.get_program())
        .file_name()
        .map_or_else(|| program.clone(), |name| name.to_string_lossy());
    line.strip_prefix(&*program)
        .map_or_else(|| line.clone(), |rest| format!("{name}{rest}"))
}

/// A word as one would type it.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{word}'")
    }
}

fn describe(status: ExitStatus) -> String {
    status
        .code()
        .map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

/// The end of a text, set off so that it can follow an error message.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines[from..]
        .iter()
        .flat_map(|line| ["\n    ", line])
        .collect()
}

/// Reads a pipe on a thread of its own, so that a program that writes much to both never blocks.
fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    // From the reading thread to the one that waits for the program.
    let (bytes_tx, bytes_rx) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is still worth showing.
            drop(pipe.read_to_end(&mut bytes));
        }
        drop(bytes_tx.send(bytes));
    });
    bytes_rx
}

fn collected(bytes_rx: &mpsc::Receiver<Vec<u8>>, line: &str) -> Result<String> {
    let bytes = bytes_rx.recv_timeout(OUTPUT_GRACE).with_context(|| {
        format!("`{line}` ended, but something that it started keeps its output open")
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
