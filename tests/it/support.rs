//! The harness: engines to test on, a laboratory on one of them, and the service under test.

pub(crate) mod daemon;
pub(crate) mod dns;
pub(crate) mod fake_engine;
pub(crate) mod front;
mod lab;
#[cfg(target_os = "linux")]
pub(crate) mod name_server;
#[cfg(target_os = "linux")]
pub(crate) mod namespace;
pub(crate) mod process;
pub(crate) mod relay;
mod running;
pub(crate) mod terminal;
pub(crate) mod tls;
pub(crate) mod world;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) use lab::Lab;
pub(crate) use process::{Cost, Serve, raise_file_limit, signal};
pub(crate) use running::{Picture, Running};

/// For what takes milliseconds on a quiet machine: a failure, not a measure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The image that `cargo xtask` puts into every engine: static busybox and nothing else.
pub(crate) const IMAGE: &str = "dockline-fixture:latest";

/// A real engine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// What `cargo xtask` calls it.
    pub(crate) name: String,
    /// Its address.
    pub(crate) host: String,
}

/// The engines that `cargo xtask test` prepared, from `DOCKLINE_TEST_ENGINES` (`NAME=ENDPOINT,…`).
pub(crate) fn engines() -> Vec<Engine> {
    let list = std::env::var_os("DOCKLINE_TEST_ENGINES").unwrap_or_default();
    let list = list.into_string().unwrap();
    let pairs = list.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, host)| Engine {
            name: name.to_owned(),
            host: host.to_owned(),
        })
        .collect()
}

/// Runs a test on each engine, and says so if there is none.
pub(crate) fn on_each_engine(test: impl AsyncFn(Lab)) {
    let engines = engines();
    if engines.is_empty() {
        println!(
            "skipped: DOCKLINE_TEST_ENGINES names no engine; `cargo xtask test` prepares them"
        );
    }
    for engine in engines {
        println!("on engine {}", engine.name);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        runtime.unwrap().block_on(test(Lab::new(engine)));
    }
}
pub(crate) fn docker_cli() -> PathBuf {
    std::env::var_os("DOCKLINE_TEST_DOCKER").map_or_else(|| "docker".into(), PathBuf::from)
}

/// curl that asks that proxy for everything.
pub(crate) fn curl(proxy: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "--noproxy", ""])
        .args(["--proxy", proxy]);
    curl
}

/// Runs a command that must succeed; its output, trimmed.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {stderr}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What a look brings: what was looked for, or why not yet.
pub(crate) trait Look {
    type Found;
    fn look(self) -> Result<Self::Found, String>;
}

impl<T> Look for Option<T> {
    type Found = T;
    fn look(self) -> Result<T, String> {
        self.ok_or_else(String::new)
    }
}

impl<T> Look for Result<T, String> {
    type Found = T;
    fn look(self) -> Self {
        self
    }
}

/// Waits, patiently, until `found` finds something.
pub(crate) async fn eventually<L: Look>(what: &str, mut found: impl AsyncFnMut() -> L) -> L::Found {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let why = match found().await.look() {
            Ok(found) => return found,
            Err(why) => why,
        };
        assert!(
            Instant::now() < give_up,
            "not {what} within {PATIENCE:?}; {why}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
