//! Compose projects of one, four and thirty services that go up and down in an intercepted shell, back to back.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::stage::Stage;
use super::witness;
use super::{Flags, INSTANCE};
use crate::console::say;
use crate::dockline::Dockline;
use crate::engine::Engine;
use crate::images::FIXTURE;
use crate::shell::MINUTES_2;

const NAME: &str = "soakcrowd";
/// How many services a project has.
pub(super) const SERVICES: [usize; 3] = [1, 4, 30];

/// Brings each up and down so often, by the API proxy at `api`; answers what was wrong. In the last life of each the map must
/// be that of a fresh listing.
pub(super) fn come_and_go(
    stage: &Stage<'_>,
    dockline: &Dockline,
    api: &str,
    flags: &Flags,
) -> Result<Vec<String>> {
    let inside = Engine {
        endpoint: api.to_owned(),
        ..stage.engine.clone()
    };
    let mut problems = Vec::new();
    let lives = flags.compose;
    for services in flags.services.iter().copied() {
        let start = Instant::now();
        for life in 1..=lives {
            let what = format!("{NAME}: life {life} of {services}");
            compose(stage, &inside, services, &["up", "-d"])?;
            let injected = found(stage, &["ps", "--filter", "label=dockline.undo"])?;
            if injected.len() != services {
                let injected = injected.len();
                problems.push(format!("{what}: {injected} are injected"));
            }
            if life == lives {
                problems.extend(witness::compare(stage, dockline)?);
            }
            compose(stage, &inside, services, &["down", "--timeout", "0"])?;
            for listing in [["ps", "--all"].as_slice(), &["network", "ls"]] {
                let left = found(stage, listing)?.into_iter();
                problems.extend(left.map(|id| format!("{what}: {id} is left")));
            }
        }
        let seconds = start.elapsed().as_secs_f32();
        say(format_args!(
            "{services} services went up and down {lives} times on engine {} by the API proxy, in {seconds:.1} s",
            stage.engine.name
        ));
    }
    Ok(problems)
}

/// Removes what a life that was cut short has left.
pub(super) fn down(stage: &Stage<'_>) -> Result<()> {
    compose(
        stage,
        stage.engine,
        1,
        &["down", "--remove-orphans", "--timeout", "0"],
    )
}

/// Ids of what the project has.
fn found(stage: &Stage<'_>, listing: &[&str]) -> Result<Vec<String>> {
    let project = format!("label=com.docker.compose.project={NAME}");
    let mut command = stage.setup.tools.docker(stage.engine);
    command
        .args(listing)
        .args(["--quiet", "--filter", &project]);
    let ids = stage.shell.output(&mut command, MINUTES_2)?;
    Ok(ids.split_whitespace().map(str::to_owned).collect())
}

fn compose(stage: &Stage<'_>, engine: &Engine, services: usize, arguments: &[&str]) -> Result<()> {
    let file = file(stage, services)?;
    let mut command = stage.setup.tools.compose(engine);
    command.arg("-f").arg(file).args(arguments);
    command.env("COMPOSE_PROJECT_NAME", NAME);
    stage.shell.output(&mut command, MINUTES_2).map(drop)
}

/// A third of the services is on both networks.
fn file(stage: &Stage<'_>, services: usize) -> Result<PathBuf> {
    let services = (0..services).map(|number| {
        let networks = ["front", "back", "front, back"][number % 3];
        format!(
            "  s{number}: {{ image: \"{FIXTURE}\", command: sleep 1000, stop_signal: SIGKILL, networks: [{networks}] }}\n"
        )
    });
    let services: String = services.collect();
    let text =
        format!("version: '3'\nservices:\n{services}networks: {{ front: {{}}, back: {{}} }}\n");
    let folder = stage.workspace.target().join(INSTANCE);
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let path = folder.join("crowd.yml");
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}
