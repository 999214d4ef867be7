//! The service under test, in this process.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

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

use super::{Lab, curl, eventually, succeed};

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
        Lab::through(lab, format!("unix://{}", self.api.display()))
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
        let output = self.curl(scheme, url).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What a page says, fetched through the gateway as an interceptor would.
    pub(crate) fn fetch(&self, scheme: &str, url: &str) -> String {
        succeed(&mut self.curl(scheme, url))
    }

    fn curl(&self, scheme: &str, url: &str) -> Command {
        let mut curl = curl(&format!("{scheme}://{}", self.gateway));
        curl.arg(url);
        curl
    }
}
