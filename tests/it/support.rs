//! The harness: engines to test on, a laboratory on one of them, and the service under test.

pub(crate) mod daemon;
pub(crate) mod dns;
pub(crate) mod fake_engine;
pub(crate) mod front;
#[cfg(target_os = "linux")]
pub(crate) mod name_server;
#[cfg(target_os = "linux")]
pub(crate) mod namespace;
pub(crate) mod process;
pub(crate) mod relay;
pub(crate) mod terminal;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dockline::config::{Config, Interception};
use dockline::control::client;
use dockline::control::report::shape::{ContainerReport, Resolution, RouteReport, Status};
use dockline::core::id::Instance;
use dockline::core::label::Selector;
use dockline::dns::ForwardPolicy;
use dockline::docker::endpoint;
use dockline::docker::watcher::Pace;
use dockline::gateway::{Introduction, Upstream};
use dockline::service::Service;
use dockline::tunnel::Leftover;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use process::{Cost, Serve, raise_file_limit, signal};

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

/// A corner of an engine for one test: everything in it has the laboratory's name, and goes with it.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) engine: Engine,
    pub(crate) name: String,
    /// Whether what is in it goes with it: not if it is another way to the same.
    owns: bool,
}

impl Lab {
    pub(crate) fn new(engine: Engine) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}-{count}", std::process::id());
        Self {
            engine,
            name,
            owns: true,
        }
    }

    /// The same laboratory by another way to its engine.
    pub(crate) fn through(lab: &Self, engine: Engine) -> Self {
        Self {
            engine,
            name: lab.name.clone(),
            owns: false,
        }
    }

    /// The laboratory's own name for something.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    /// A program whose client of Docker's is led here.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("DOCKER_HOST", &self.engine.host)
            .env_remove("DOCKER_CONTEXT");
        command
    }

    /// Runs the Docker CLI; its output, trimmed. Fails the test if it fails.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        succeed(self.command(&docker_cli()).args(arguments))
    }

    /// As [`Self::docker`], for what may fail.
    pub(crate) fn try_docker(&self, arguments: &[&str]) -> Output {
        self.command(&docker_cli())
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Makes a network, with the CLI's options.
    pub(crate) fn network(&self, name: &str, options: &[&str]) -> String {
        let name = self.own(name);
        let label = format!("test={}", self.name);
        let arguments = [&["network", "create", "--label", &label], options, &[&name]].concat();
        self.docker(&arguments);
        name
    }

    /// Starts a container that serves a page with its name in it on port 80, with the CLI's options.
    pub(crate) fn serve_page(&self, name: &str, options: &[&str]) -> String {
        let page = format!(
            "mkdir -p /www && echo hello from {name} > /www/index.html && exec httpd -f -h /www"
        );
        self.start(name, options, &["sh", "-c", &page])
    }

    /// Starts a container that runs `command`.
    pub(crate) fn start(&self, name: &str, options: &[&str], command: &[&str]) -> String {
        let own = self.own(name);
        let label = format!("test={}", self.name);
        let fixed = ["run", "-d", "--name", &own, "--label", &label];
        self.docker(&[&fixed, options, &[IMAGE], command].concat())
    }

    /// What is in files of a container's, once it has written them.
    pub(crate) async fn written(&self, name: &str, files: &[&str]) -> String {
        let own = self.own(name);
        let read = [&["exec", &own, "cat"], files].concat();
        eventually("written", async || {
            let Output { status, stdout, .. } = self.try_docker(&read);
            status
                .success()
                .then(|| String::from_utf8(stdout).unwrap().trim().to_owned())
        })
        .await
    }

    /// The label that makes a container watched by this laboratory's service.
    pub(crate) fn watched(&self) -> String {
        format!("dockline.instance={}", self.name)
    }

    /// The names of containers and networks on the engine that carry `label`.
    pub(crate) fn labelled(&self, label: &str) -> Vec<String> {
        let filter = format!("label={label}");
        let containers = self.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
        let networks = self.docker(&[
            "network",
            "ls",
            "--filter",
            &filter,
            "--format",
            "{{.Name}}",
        ]);
        containers
            .lines()
            .chain(networks.lines())
            .map(str::to_owned)
            .collect()
    }

    /// A service of the laboratory's own instance, ready.
    pub(crate) async fn service(&self) -> Running {
        let running = Running::start(self, |_| {}).await;
        running.ready().await;
        running
    }
}

impl Drop for Lab {
    /// Removes what the test made, also when it failed half-way.
    fn drop(&mut self) {
        if !self.owns {
            return;
        }
        let filters = [format!("test={}", self.name), self.watched()];
        let filters = filters.map(|label| format!("label={label}"));
        // They carry no label, which what is made of them would have, too.
        let kept = format!("reference=dockline/kept:{}.*", self.name);
        // All containers first: a network that one of them is on stays.
        for (list, remove) in [
            (&["ps", "-aq"][..], &["rm", "-fv"][..]),
            (&["volume", "ls", "-q"], &["volume", "rm"]),
            (&["image", "ls", "-q"], &["image", "rm", "-f"]),
            (&["network", "ls", "-q"], &["network", "rm"]),
        ] {
            let kept = (list[0] == "image").then_some(&kept);
            for filter in filters.iter().chain(kept) {
                let found = self.try_docker(&[list, &["--filter", filter]].concat());
                for name in String::from_utf8_lossy(&found.stdout).lines() {
                    self.try_docker(&[remove, &[name]].concat());
                }
            }
        }
    }
}

pub(crate) fn docker_cli() -> PathBuf {
    std::env::var_os("DOCKLINE_TEST_DOCKER").map_or_else(|| "docker".into(), PathBuf::from)
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

/// Containers by name, with their networks by name, with the addresses there.
pub(crate) type Picture = BTreeMap<String, BTreeMap<String, Vec<IpAddr>>>;

/// The service under test, in this process.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) dns: SocketAddr,
    pub(crate) gateway: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) control: PathBuf,
    api: PathBuf,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<Option<Leftover>>>,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Starts a service of the laboratory's instance.
    pub(crate) async fn start(lab: &Lab, change: impl FnOnce(&mut Config)) -> Self {
        Self::launch(&lab.name, &lab.engine.host, change).await
    }

    /// Starts a service of some instance.
    pub(crate) async fn launch(
        instance: &str,
        host: &str,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        // A test that fails shows what its service said.
        let _ = tracing_subscriber::fmt()
            .with_env_filter("dockline=debug")
            .with_test_writer()
            .try_init();
        let folder = tempfile::tempdir().unwrap();
        let instance: Instance = instance.parse().unwrap();
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config {
            selector: Selector::new(instance),
            endpoint: endpoint::parse(host, None).unwrap(),
            pace: Pace::default(),
            dns: anywhere,
            dns_forward: ForwardPolicy::None,
            gateway: anywhere,
            gateway_password: None,
            upstream: Upstream::default(),
            interception: Interception::None,
            named: BTreeMap::new(),
            internal_egress: false,
            introduction: Introduction::None,
            http: anywhere,
            api_socket: None,
            api_tcp: None,
            ca: None,
            ca_file: None,
            pass_through: Vec::new(),
            foreign_allowed: false,
            intercept_loopback: false,
            intercept_builds: true,
            tunnel_image: None,
            runtime_dir: folder.path().join("run"),
            warnings: std::sync::Arc::default(),
        };
        change(&mut config);
        let service = Service::bind(config).await.unwrap();
        let addresses = service.addresses().clone();
        let stop = CancellationToken::new();
        let task = tokio::task::spawn(service.run(stop.clone()));
        Self {
            dns: addresses.dns,
            gateway: addresses.gateway,
            http: addresses.http,
            control: addresses.control,
            api: addresses.api,
            stop,
            task,
            _folder: folder,
        }
    }

    /// The same laboratory as clients in an intercepted shell see it.
    pub(crate) fn shell(&self, lab: &Lab) -> Lab {
        let engine = Engine {
            host: format!("unix://{}", self.api.display()),
            ..lab.engine.clone()
        };
        Lab::through(lab, engine)
    }

    /// Stops the service in order, as SIGTERM does.
    pub(crate) async fn stop(self) -> Option<Leftover> {
        self.stop.cancel();
        self.task.await.unwrap().unwrap()
    }

    /// Ends the service without a farewell, as SIGKILL does.
    pub(crate) async fn kill(self) {
        self.task.abort();
        self.task.await.unwrap_err();
    }

    pub(crate) async fn status(&self) -> Status {
        client::get(&self.control, "/v1/status", &[]).await.unwrap()
    }

    /// Runs a command of the program against this service.
    pub(crate) fn command(&self, command: &str) {
        let folder = self.control.parent().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_dockline"));
        succeed(
            Command::new(program)
                .arg(command)
                .env("DOCKLINE_RUNTIME_DIR", folder),
        );
    }

    pub(crate) async fn resolve(&self, name: &str, from: Option<&str>) -> Resolution {
        let mut query = vec![("name", name)];
        query.extend(from.map(|from| ("from", from)));
        client::get(&self.control, "/v1/resolve", &query)
            .await
            .unwrap()
    }

    pub(crate) async fn addresses(&self, name: &str) -> Vec<String> {
        let found = self.resolve(name, None).await.addresses;
        found.iter().map(ToString::to_string).collect()
    }

    pub(crate) async fn route(&self, host: &str, from: Option<&str>) -> RouteReport {
        let mut query = vec![("host", host)];
        query.extend(from.map(|from| ("from", from)));
        client::get(&self.control, "/v1/route", &query)
            .await
            .unwrap()
    }

    /// Every watched container with its networks and addresses.
    pub(crate) async fn picture(&self) -> Picture {
        let containers = self.status().await.containers.into_iter();
        let networks = |c: ContainerReport| {
            let networks = c.networks.into_iter().map(|n| (n.name, n.addresses));
            (c.name, networks.collect())
        };
        containers.map(networks).collect()
    }

    pub(crate) async fn ready(&self) {
        eventually("ready", async || self.status().await.ready.then_some(())).await;
    }

    /// Waits until the tunnel is on exactly these networks, beside its home.
    pub(crate) async fn joined(&self, networks: &[&str]) {
        let mut wanted: Vec<_> = networks.iter().map(|n| (*n).to_owned()).collect();
        wanted.sort();
        eventually(&format!("joined {wanted:?}"), async || {
            let tunnel = self.status().await.tunnel;
            let on = tunnel
                .networks
                .into_iter()
                .map(|n| n.name)
                .filter(|n| !n.starts_with("0-dockline"));
            let mut on: Vec<_> = on.collect();
            on.sort();
            (tunnel.state == "running" && on == wanted).then_some(())
        })
        .await;
    }

    /// What the gateway gives for a page, failures included.
    pub(crate) fn try_fetch(&self, scheme: &str, url: &str) -> String {
        let proxy = format!("{scheme}://{}", self.gateway);
        let arguments = [
            "-sS",
            "--max-time",
            "20",
            "--noproxy",
            "",
            "--proxy",
            &proxy,
            url,
        ];
        let output = Command::new("curl").args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What a page says, fetched through the gateway as an interceptor would.
    pub(crate) fn fetch(&self, scheme: &str, url: &str) -> String {
        let proxy = format!("{scheme}://{}", self.gateway);
        succeed(Command::new("curl").args([
            "-sS",
            "--max-time",
            "20",
            "--noproxy",
            "",
            "--proxy",
            &proxy,
            url,
        ]))
    }
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
