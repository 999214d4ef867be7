//! Containers in which a connection begins and ends whose bytes are dockline's own: programs in them are spoken to.

use std::pin::Pin;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, NetworkingConfig, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::CreateContainerOptions;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::io::AsyncWrite;

use super::{Client, SLOW};
use crate::core::label::Labels;
use crate::docker::Error;

/// Such a container, as it is to be.
#[derive(Clone, Debug)]
pub struct EndSpec {
    /// Its name, and its alias on the network.
    pub name: String,
    /// Its image, whose program it is.
    pub image: String,
    /// What the program is told.
    pub command: Vec<String>,
    /// Its labels.
    pub labels: Labels,
    /// The one network that it is on.
    pub network: String,
}

/// What a program in a container says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// To standard output.
    Out(Bytes),
    /// To standard error.
    Err(Bytes),
}

/// A running program in a container.
pub struct Spoken {
    /// What it says, to its end.
    pub output: Pin<Box<dyn Stream<Item = Result<Said, Error>> + Send>>,
    /// Its standard input.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl std::fmt::Debug for Spoken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spoken(…)")
    }
}

impl Client {
    /// Makes and starts such a container; answers its id.
    pub async fn start_end(&self, spec: &EndSpec) -> Result<String, Error> {
        let options = CreateContainerOptions {
            name: Some(spec.name.clone()),
            ..Default::default()
        };
        let call = self
            .docker()?
            .create_container(Some(options), end_body(spec));
        let id = self.within(SLOW, call).await?.id;
        self.within(SLOW, self.docker()?.start_container(&id, None))
            .await?;
        Ok(id)
    }

    /// The container of a program whose output comes in frames, as that of all without a terminal does.
    pub async fn framed_program(&self, exec: &str) -> Result<Option<String>, Error> {
        let call = self.docker()?.inspect_exec(exec);
        let exec = self.within(SLOW, call).await?;
        let has_terminal = exec.process_config.and_then(|config| config.tty);
        Ok(exec.container_id.filter(|_| has_terminal != Some(true)))
    }

    /// Runs a program in a container.
    pub async fn speak(&self, container: &str, command: &[&str]) -> Result<Spoken, Error> {
        let docker = self.docker()?;
        let words = command.iter().map(|word| (*word).to_owned()).collect();
        let options = CreateExecOptions::<String> {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(words),
            ..Default::default()
        };
        let made = self.within(SLOW, docker.create_exec(container, options));
        let id = made.await?.id;
        let started = self.within(SLOW, docker.start_exec(&id, None)).await?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(Error::Unexpected(
                "a program that cannot be spoken to".into(),
            ));
        };
        let endpoint = self.shown.clone();
        let output = output.map(move |said| match said {
            Ok(LogOutput::StdErr { message }) => Ok(Said::Err(message)),
            Ok(
                LogOutput::StdOut { message }
                | LogOutput::StdIn { message }
                | LogOutput::Console { message },
            ) => Ok(Said::Out(message)),
            Err(error) => Err(Error::from_bollard(error, &endpoint)),
        });
        Ok(Spoken {
            output: Box::pin(output),
            input,
        })
    }
}

/// As little as the tunnel may.
fn end_body(spec: &EndSpec) -> ContainerCreateBody {
    let endpoint = EndpointSettings {
        aliases: Some(vec![spec.name.clone()]),
        ..Default::default()
    };
    let endpoints = [(spec.network.clone(), endpoint)].into_iter().collect();
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: Some(spec.command.clone()),
        user: Some("65534:65534".to_owned()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        host_config: Some(HostConfig {
            network_mode: Some(spec.network.clone()),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            readonly_rootfs: Some(true),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            ..Default::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(endpoints),
        }),
        ..Default::default()
    }
}
