//! Docker as usual, in an intercepted shell: the CLI and compose by way of the API proxy.

mod commits;
mod everyday;
mod injected;
mod intercepted;
mod many;
mod networks;
mod projects;
mod sdk;
mod terminal;
mod testcontainers;

use std::path::Path;

use crate::support::{Lab, eventually};

/// The laboratory in an intercepted shell of the service that has that socket, once it answers.
pub(super) async fn shell_at(lab: &Lab, socket: &Path) -> Lab {
    let shell = Lab::through(lab, format!("unix://{}", socket.display()));
    eventually("the API proxy", async || {
        let asked = shell.try_docker(&["version"]);
        asked.status.success().then_some(())
    })
    .await;
    shell
}

/// A container's variables.
fn variable(lab: &Lab, container: &str, name: &str) -> Option<String> {
    let format = "{{range .Config.Env}}{{println .}}{{end}}";
    let all = lab.docker(&["inspect", "-f", format, &lab.own(container)]);
    let mut pairs = all.lines().filter_map(|line| line.split_once('='));
    pairs.find_map(|(key, value)| (key == name).then(|| value.to_owned()))
}
