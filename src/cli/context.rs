//! `dockline context`

use clap::{Args, Subcommand};

use super::{Failure, Global, output};
use crate::control::client;
use crate::control::report::shape::Status;
use crate::core::id::Instance;
use crate::docker::endpoint::EndpointError;

/// Flags of `context`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Make a docker context that leads to the API proxy
    Create,
    /// Remove it
    Rm,
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    let name = name(&global.instance);
    let contexts = Global::surroundings().contexts()?;
    match flags.action {
        Action::Create => {
            let status: Status = client::get(&global.control_socket(), "/v1/status", &[]).await?;
            let socket = status.api_socket.unwrap_or_default();
            contexts.create(&name, &socket, &status.engine.endpoint)?;
            output::data(&name);
            output::note(&format!(
                "use it with `docker --context {name} …` or `docker context use {name}`"
            ));
        }
        Action::Rm => match contexts.remove(&name) {
            Ok(()) => output::data(&name),
            Err(EndpointError::NoContext(_)) => output::note("nothing to remove"),
            Err(error) => return Err(error.into()),
        },
    }
    Ok(())
}

fn name(instance: &Instance) -> String {
    if instance.is_default() {
        "dockline".to_owned()
    } else {
        format!("dockline-{instance}")
    }
}
