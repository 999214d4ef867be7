//! Containers as a whole, to make them anew: in the engine's own words, whatever they are.

use std::time::Duration;

use bollard::query_parameters::ListContainersOptions;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Client, INSPECT, QUICK, SLOW, found};
use crate::docker::Error;
use crate::docker::raw::{self, Method, Payload};

/// For what takes as long as the files do that a container wrote.
pub(super) const COPY: Duration = Duration::from_secs(600);

/// Where the API proxy says what a create call becomes.
const PREVIEW: &str = "/dockline/containers/create";

/// What was made.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Made {
    pub(super) id: String,
}

/// What a container changed of its image's files.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub struct Change {
    /// The file.
    pub path: String,
}

impl Client {
    /// A container, as the engine describes it.
    pub async fn inspect_whole(&self, reference: &str) -> Result<Option<Value>, Error> {
        let path = format!("/containers/{}/json", segment(reference));
        found(self.ask(INSPECT, &path).await)
    }

    /// An image, as the engine describes it.
    pub async fn inspect_whole_image(&self, reference: &str) -> Result<Option<Value>, Error> {
        found(self.ask(QUICK, &format!("/images/{reference}/json")).await)
    }

    /// The ids and names of all containers.
    pub async fn all_containers(&self) -> Result<Vec<(String, String)>, Error> {
        let all = ListContainersOptions {
            all: true,
            ..Default::default()
        };
        let listed = self.within(QUICK, self.docker()?.list_containers(Some(all)));
        let listed = listed.await?.into_iter();
        Ok(listed
            .filter_map(|container| {
                // Links make a container known by the names of others, too: `/other/alias`.
                let names = container.names?.into_iter();
                let mut own = names.filter_map(|name| {
                    let name = name.trim_start_matches('/');
                    (!name.contains('/')).then(|| name.to_owned())
                });
                Some((container.id?, own.next()?))
            })
            .collect())
    }

    /// What this API proxy would make of a create call.
    pub async fn preview(
        &self,
        name: &str,
        platform: Option<&str>,
        body: &Value,
    ) -> Result<Value, Error> {
        let query = named(name, platform)?;
        let payload = Payload::Json(body.to_string().into());
        let target = format!("{PREVIEW}?{query}");
        let answer = raw::call(&self.endpoint, SLOW, Method::POST, &target, payload).await?;
        understood(&answer)
    }

    /// Makes a container; its id.
    pub async fn create_whole(
        &self,
        name: &str,
        platform: Option<&str>,
        body: &Value,
    ) -> Result<String, Error> {
        let path = format!("/containers/create?{}", named(name, platform)?);
        let made: Made = understood(&self.tell(SLOW, &path, body).await?)?;
        Ok(made.id)
    }

    /// Joins a container to a network, by an endpoint's whole settings.
    pub async fn connect_whole(
        &self,
        network: &str,
        container: &str,
        endpoint: &Value,
    ) -> Result<(), Error> {
        let path = format!("/networks/{}/connect", segment(network));
        let body = json!({ "Container": container, "EndpointConfig": endpoint });
        self.tell(SLOW, &path, &body).await.map(drop)
    }

    /// Takes a container off a network.
    pub async fn disconnect_whole(&self, network: &str, container: &str) -> Result<(), Error> {
        let path = format!("/networks/{}/disconnect", segment(network));
        let body = json!({ "Container": container, "Force": true });
        self.tell(SLOW, &path, &body).await.map(drop)
    }

    /// Gives a container another name.
    pub async fn rename(&self, id: &str, name: &str) -> Result<(), Error> {
        let query = named(name, None)?;
        let path = format!("/containers/{id}/rename?{query}");
        self.tell(QUICK, &path, &Value::Null).await.map(drop)
    }

    /// Lets a container stop by itself for as long as its own configuration gives it, then stops it. One that does not
    /// run is fine, and so is one that its end removed.
    pub async fn stop_whole(&self, id: &str, grace: Duration) -> Result<(), Error> {
        let path = format!("/containers/{id}/stop");
        let deadline = grace.saturating_add(SLOW);
        let stopped = self.tell(deadline, &path, &Value::Null).await;
        found(stopped).map(drop)
    }

    /// Stops a container, which may take `grace`, and starts it.
    pub async fn restart(&self, id: &str, grace: Duration) -> Result<(), Error> {
        let path = format!("/containers/{id}/restart");
        let deadline = grace.saturating_add(SLOW);
        self.tell(deadline, &path, &Value::Null).await.map(drop)
    }

    /// Ends a container at once, if it runs.
    pub async fn kill(&self, id: &str) -> Result<(), Error> {
        let path = format!("/containers/{id}/kill");
        match self.tell(SLOW, &path, &Value::Null).await {
            Err(error) if error.is_not_found() || error.status() == Some(409) => Ok(()),
            done => done.map(drop),
        }
    }

    /// Gives a container another restart policy.
    pub async fn set_restart_policy(&self, id: &str, policy: &Value) -> Result<(), Error> {
        let path = format!("/containers/{id}/update");
        let body = json!({ "RestartPolicy": policy });
        self.tell(QUICK, &path, &body).await.map(drop)
    }

    /// Removes a container, running or not; its anonymous volumes stay. One that has gone is fine.
    pub async fn remove_keeping_volumes(&self, id: &str) -> Result<(), Error> {
        match self.delete(&format!("/containers/{id}?force=1")).await {
            Err(error) if error.is_not_found() => Ok(()),
            // Somebody else is at it.
            Err(error) if error.status() == Some(409) => self.gone(id).await,
            done => done,
        }
    }

    /// What a container changed of its image's files; nothing if it has gone.
    pub async fn changes(&self, id: &str) -> Result<Vec<Change>, Error> {
        let changed: Option<Vec<Change>> =
            self.ask(COPY, &format!("/containers/{id}/changes")).await?;
        Ok(changed.unwrap_or_default())
    }

    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        deadline: Duration,
        path: &str,
    ) -> Result<T, Error> {
        let path = self.versioned(path);
        let nothing = Payload::Nothing;
        let asked = raw::call(&self.endpoint, deadline, Method::GET, &path, nothing);
        understood(&asked.await?)
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), Error> {
        let path = self.versioned(path);
        let nothing = Payload::Nothing;
        let deleted = raw::call(&self.endpoint, SLOW, Method::DELETE, &path, nothing);
        deleted.await.map(drop)
    }

    pub(super) async fn tell(
        &self,
        deadline: Duration,
        path: &str,
        body: &Value,
    ) -> Result<Bytes, Error> {
        let payload = match body {
            Value::Null => Payload::Nothing,
            body => Payload::Json(body.to_string().into()),
        };
        let path = self.versioned(path);
        raw::call(&self.endpoint, deadline, Method::POST, &path, payload).await
    }

    /// With the version that was agreed on, if it was.
    pub(super) fn versioned(&self, path: &str) -> String {
        match self.docker() {
            Ok(docker) => format!("/v{}{path}", docker.client_version()),
            Err(_) => path.to_owned(),
        }
    }
}

pub(super) fn understood<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(answer).map_err(|error| Error::Unexpected(Box::new(error)))
}

fn named(name: &str, platform: Option<&str>) -> Result<String, Error> {
    let name = [("name", name)].into_iter();
    let pairs: Vec<_> = name.chain(platform.map(|p| ("platform", p))).collect();
    serde_urlencoded::to_string(pairs).map_err(|error| Error::Unexpected(Box::new(error)))
}

/// As a path has it: names of networks may have anything in them.
fn segment(text: &str) -> String {
    let text = serde_urlencoded::to_string([("", text)]).unwrap_or_default();
    text.trim_start_matches('=').replace('+', "%20")
}
