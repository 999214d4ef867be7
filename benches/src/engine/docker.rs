//! Containers and networks of our own on a real engine, all labelled, and all removed in the end.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::http::once;
use crate::dockline::INSTANCE;

/// Marks what is ours, for the one who removes it.
const MARK: &str = "dockline-bench";
/// Containers started at a time.
const AT_ONCE: usize = 4;

/// An engine, and what is made on it.
#[derive(Debug)]
pub(crate) struct Docker {
    socket: PathBuf,
    image: String,
}

impl Docker {
    /// Removes what an earlier run left behind.
    pub(crate) fn new(socket: &Path, image: &str) -> Result<Self> {
        let docker = Self {
            socket: socket.to_owned(),
            image: image.to_owned(),
        };
        docker.clear()?;
        Ok(docker)
    }

    /// The engine's socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Makes a network.
    pub(crate) fn network(&self, name: &str) -> Result<()> {
        let body = json!({"Name": name, "Driver": "bridge", "Labels": {MARK: ""}});
        self.call("POST", "/networks/create", Some(&body))?;
        Ok(())
    }

    /// Makes and starts a container that does nothing.
    pub(crate) fn container(&self, name: &str, network: &str, watched: bool) -> Result<()> {
        let mut labels = json!({MARK: ""});
        if watched {
            labels["dockline.instance"] = INSTANCE.into();
        }
        let body = json!({
            "Image": self.image, "Cmd": ["sleep", "100000"], "Labels": labels, "StopSignal": "SIGKILL",
            "HostConfig": {"NetworkMode": network},
        });
        self.call(
            "POST",
            &format!("/containers/create?name={name}"),
            Some(&body),
        )?;
        self.call("POST", &format!("/containers/{name}/start"), None)?;
        Ok(())
    }

    /// Makes `count` containers on a network, the first of them watched; answers their names.
    pub(crate) fn containers(&self, count: usize, network: &str) -> Result<Vec<String>> {
        let names: Vec<String> = (0..count).map(|i| format!("bench-s{i}")).collect();
        let start = |part: usize| {
            let mine = names.iter().enumerate().skip(part).step_by(AT_ONCE);
            for (index, name) in mine {
                self.container(name, network, index == 0)?;
            }
            anyhow::Ok(())
        };
        let start = &start;
        thread::scope(|scope| {
            let parts = (0..AT_ONCE).map(|part| scope.spawn(move || start(part)));
            let parts: Vec<_> = parts.collect();
            parts.into_iter().try_for_each(|part| match part.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        Ok(names)
    }

    /// Connects a container to a network, or disconnects it.
    pub(crate) fn attach(&self, network: &str, container: &str, there: bool) -> Result<()> {
        let action = if there { "connect" } else { "disconnect" };
        let body = json!({"Container": container});
        self.call(
            "POST",
            &format!("/networks/{network}/{action}"),
            Some(&body),
        )?;
        Ok(())
    }

    /// A container's inspect.
    pub(crate) fn inspect(&self, container: &str) -> Result<Value> {
        self.call("GET", &format!("/containers/{container}/json"), None)
    }

    /// The id of a network.
    pub(crate) fn network_id(&self, name: &str) -> Result<String> {
        let network = self.call("GET", &format!("/networks/{name}"), None)?;
        let id = network["Id"].as_str().context("a network without an id")?;
        Ok(id.to_owned())
    }

    /// Removes a container, running or not.
    pub(crate) fn remove(&self, container: &str) -> Result<()> {
        self.call("DELETE", &format!("/containers/{container}?force=1"), None)?;
        Ok(())
    }

    /// Removes everything that carries our mark.
    pub(crate) fn clear(&self) -> Result<()> {
        let filter = format!("filters=%7B%22label%22%3A%5B%22{MARK}%22%5D%7D");
        let containers = self.call("GET", &format!("/containers/json?all=1&{filter}"), None)?;
        for container in containers.as_array().into_iter().flatten() {
            self.remove(container["Id"].as_str().unwrap_or_default())?;
        }
        let networks = self.call("GET", &format!("/networks?{filter}"), None)?;
        for network in networks.as_array().into_iter().flatten() {
            let id = network["Id"].as_str().unwrap_or_default();
            self.call("DELETE", &format!("/networks/{id}"), None)?;
        }
        Ok(())
    }

    /// One call that has to succeed.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, answer) = once(&self.socket, method, path, body)?;
        ensure!(status < 300, "{method} {path} answered {status}: {answer}");
        Ok(answer)
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // What could not be removed is removed by the next run.
        drop(self.clear());
    }
}
