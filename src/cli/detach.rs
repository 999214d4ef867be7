//! `dockline detach CONTAINER…|--project P|--all`

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::anew::{self, Outcome};
use super::{Failure, Global};
use crate::core::label::{COMPOSE_PROJECT, INSTANCE, UNDO};
use crate::core::recreate::difference::difference;
use crate::docker::Client;
use crate::recreate::{Job, Recreation};

/// Flags of `detach`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// Their names or ids
    #[arg(required_unless_present_any = ["project", "all"], value_name = "CONTAINER")]
    containers: Vec<String>,
    /// All of a compose project
    #[arg(long, conflicts_with_all = ["containers", "all"], value_name = "NAME")]
    project: Option<String>,
    /// All that this instance intercepts
    #[arg(long, conflicts_with = "containers")]
    all: bool,
    /// Print what would be different, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    let engine = Client::new(global.endpoint()?);
    let ready = anew::ready(global, &engine, &engine, flags.dry_run).await?;
    let containers = if flags.containers.is_empty() {
        intercepted(&ready.recreation, flags.project.as_deref()).await?
    } else {
        flags.containers.clone()
    };
    if containers.is_empty() {
        super::output::note("nothing to detach");
    }
    let outcomes = anew::each(&engine, &containers, async |reference, enough| {
        let enough = (!flags.dry_run).then_some(enough);
        detach(&ready.recreation, reference, enough).await
    })
    .await;
    anew::report(outcomes, "detached", flags.json, flags.dry_run)
}

/// The names of the containers that the instance intercepts, of a project or all of them.
pub(super) async fn intercepted(
    recreation: &Recreation<'_>,
    project: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let own = format!("{INSTANCE}={}", recreation.instance);
    let of_project = project.map(|project| format!("{COMPOSE_PROJECT}={project}"));
    let labels: Vec<_> = [Some(own.as_str()), Some(UNDO), of_project.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    let found = recreation.engine.labelled_containers(&labels).await?;
    let mut names: Vec<_> = found.into_iter().map(|container| container.name).collect();
    names.sort();
    Ok(names)
}

/// Makes one container anew, as it was before it was intercepted, unless somebody has `enough` of it; without that,
/// nothing is done.
pub(super) async fn detach(
    recreation: &Recreation<'_>,
    reference: &str,
    enough: Option<&CancellationToken>,
) -> Result<Outcome, Failure> {
    let original = recreation.find(reference).await?;
    let name = original.name().to_owned();
    let anew = recreation.plain(&original).await?;
    let before = recreation.same(&original).await?;
    let difference = difference(&before.body, &anew.body);
    if let Some(enough) = enough {
        if let Some(noticed) = original.noticed_by() {
            anew::progress(&name, &format!("note that {noticed}"));
        }
        let job = Job { original, anew };
        recreation.replace(&job, enough.cancelled()).await?;
    }
    Ok(Outcome::done(&name, difference))
}
