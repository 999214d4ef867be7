//! The two containers, on a network of their own.

use std::time::Duration;

use futures_util::future::try_join;
use tokio::time::{Instant, sleep, timeout};

use super::Error;
use super::line::Line;
use crate::core::id::Instance;
use crate::core::label::{self, Labels};
use crate::core::tunnel_state::PROGRAM;
use crate::docker::client::{EndSpec, NetworkSpec};
use crate::docker::{self, Client};

/// For a program in a container to say its first word.
const FIRST_WORD: Duration = Duration::from_secs(20);
/// For the tunnel to leave a network whose containers have gone.
const LEAVING: Duration = Duration::from_secs(20);
/// How often the network's removal is tried again: the engine tells nobody when it is empty.
const AGAIN: Duration = Duration::from_millis(100);

/// What the containers are made for.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Whose they are.
    pub instance: Instance,
    /// The tunnel's image.
    pub image: String,
    /// The SHA-256 of the authority that they are to trust.
    pub ca: Option<String>,
    /// Told apart from all others by it.
    pub token: String,
}

impl Scene {
    fn name(&self, part: &str) -> String {
        format!("dockline-check-{part}-{}", self.token)
    }

    fn labels(&self, part: &str) -> Labels {
        let labels = [
            (label::INSTANCE, self.instance.as_str()),
            (label::ROLE, label::ROLE_PROBE),
            (label::CHECK, part),
        ];
        let ca = self.ca.as_deref().map(|ca| (label::CA, ca));
        let all = labels.into_iter().chain(ca);
        all.map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn end(&self, part: &str) -> EndSpec {
        EndSpec {
            name: self.name(part),
            image: self.image.clone(),
            command: vec!["probe".to_owned(), "hold".to_owned()],
            labels: self.labels(part),
            network: self.name("network"),
        }
    }
}

/// The containers, while they are there.
#[derive(Debug)]
pub struct Stage {
    client: Client,
    scene: Scene,
    caller: String,
    origin: String,
    origin_name: String,
}

impl Stage {
    /// Makes network and containers. What was made of it before a failure, [`clear`] finds.
    pub async fn set(client: Client, scene: Scene) -> Result<Self, Error> {
        let network = NetworkSpec {
            name: scene.name("network"),
            labels: scene.labels("network"),
            ranges: Vec::new(),
            internal: false,
        };
        let made = client.create_network(&network).await;
        made.map_err(|error| Error::Engine("make a network", error))?;
        let (caller, origin) = (scene.end("caller"), scene.end("origin"));
        let started = try_join(client.start_end(&caller), client.start_end(&origin)).await;
        let (caller, origin) =
            started.map_err(|error| Error::Engine("start a container", error))?;
        Ok(Self {
            client,
            origin_name: scene.name("origin"),
            scene,
            caller,
            origin,
        })
    }

    /// What only the asked container can know.
    pub fn token(&self) -> &str {
        &self.scene.token
    }

    /// The name of the container that is asked, on the network.
    pub fn origin_name(&self) -> &str {
        &self.origin_name
    }

    /// The name of the one that asks.
    pub fn caller_name(&self) -> String {
        self.scene.name("caller")
    }

    /// The name of their network.
    pub fn network_name(&self) -> String {
        self.scene.name("network")
    }

    /// A line from the calling container to a port of the tunnel's.
    pub(super) async fn call(&self, port: u16) -> Result<Line, Error> {
        let tunnel = self.scene.instance.tunnel_name();
        let words = [PROGRAM, "probe", "call", &tunnel, &port.to_string()];
        self.speak(&self.caller, &words).await
    }

    /// A line that takes one connection in the asked container.
    pub(super) async fn answer(&self, port: u16) -> Result<Line, Error> {
        let words = [PROGRAM, "probe", "answer", &port.to_string()];
        let mut line = self.speak(&self.origin, &words).await?;
        match timeout(FIRST_WORD, line.note()).await {
            Ok(Ok(note)) if note == "listening" => Ok(line),
            Ok(Ok(note)) => Err(Error::Listen(note)),
            Ok(Err(error)) => Err(Error::Listen(error.to_string())),
            Err(_) => Err(Error::Listen(format!("no word within {FIRST_WORD:?}"))),
        }
    }

    async fn speak(&self, container: &str, words: &[&str]) -> Result<Line, Error> {
        let spoken = self.client.speak(container, words).await;
        let spoken = spoken.map_err(|error| Error::Engine("run a program in a container", error));
        spoken.map(Line::new)
    }
}

/// Removes what a check of that token made.
pub async fn clear(client: &Client, scene: &Scene) -> Result<(), docker::Error> {
    let own = format!("{}={}", label::INSTANCE, scene.instance);
    let mine = |name: &str| name.ends_with(&scene.token);
    for container in client.labelled_containers(&[&own, label::CHECK]).await? {
        if mine(&container.name) {
            client.remove(&container.id).await?;
        }
    }
    for network in client.labelled_networks(&[&own, label::CHECK]).await? {
        if mine(&network.name) {
            remove_network(client, network.id.as_str()).await?;
        }
    }
    Ok(())
}

/// Once the tunnel has left it.
async fn remove_network(client: &Client, id: &str) -> Result<(), docker::Error> {
    let give_up = Instant::now() + LEAVING;
    loop {
        match client.remove_network(id).await {
            Err(docker::Error::Refused { .. }) if Instant::now() < give_up => sleep(AGAIN).await,
            other => return other,
        }
    }
}

/// Removes what earlier checks left that were killed: containers that have ended by themselves, and networks without any.
pub async fn clear_leftovers(client: &Client, instance: &Instance) -> Result<(), docker::Error> {
    let own = format!("{}={instance}", label::INSTANCE);
    let containers = client.labelled_containers(&[&own, label::CHECK]).await?;
    for container in containers.iter().filter(|container| !container.running) {
        client.remove(&container.id).await?;
    }
    for network in client.labelled_networks(&[&own, label::CHECK]).await? {
        match client.remove_network(network.id.as_str()).await {
            // Of a check that is under way.
            Err(docker::Error::Refused { .. }) | Ok(()) => {}
            other => return other,
        }
    }
    Ok(())
}
