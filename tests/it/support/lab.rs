//! A corner of an engine for one test.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Engine, IMAGE, Running, docker_cli, eventually, succeed};

/// A laboratory: everything in it has the laboratory's name, and goes with it.
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
    pub(crate) fn through(lab: &Self, host: String) -> Self {
        Self {
            engine: Engine {
                host,
                ..lab.engine.clone()
            },
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

    /// The same for a watched container on a network, where others call it `name`.
    pub(crate) fn watched_page(&self, name: &str, net: &str) -> String {
        let watched = self.watched();
        let options = ["--label", &watched, "--network", net];
        self.serve_page(name, &[&options[..], &["--network-alias", name]].concat())
    }

    /// Starts a container that runs `command`.
    pub(crate) fn start(&self, name: &str, options: &[&str], command: &[&str]) -> String {
        let own = self.own(name);
        let label = format!("test={}", self.name);
        let fixed = ["run", "-d", "--name", &own, "--label", &label];
        self.docker(&[&fixed, options, &[IMAGE], command].concat())
    }

    /// A container's addresses, one after the other: of one that is on one network, its address.
    pub(crate) fn address(&self, name: &str) -> String {
        let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        self.docker(&["inspect", "-f", template, &self.own(name)])
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
