//! Compose projects, up and down, as their users run them.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Lab, Running, on_each_engine, succeed};

/// The composes that `cargo xtask` prepared: what to run, before the project's own arguments.
pub(super) fn composes() -> Vec<Vec<PathBuf>> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let second = path("DOCKLINE_TEST_DOCKER").map(|docker| vec![docker, "compose".into()]);
    let first = path("DOCKLINE_TEST_COMPOSE1").map(|compose| vec![compose]);
    second.into_iter().chain(first).collect()
}

fn compose(
    lab: &Lab,
    program: &[PathBuf],
    project: &str,
    fixture: u8,
    arguments: &[&str],
) -> Command {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docker-compose.test.yml");
    let mut command = Command::new(&program[0]);
    command
        .args(&program[1..])
        .args(["-f", file])
        .args(arguments)
        .env("DOCKER_HOST", &lab.engine.host)
        .env("DOCKLINE_INSTANCE", &lab.name)
        .env("COMPOSE_PROJECT_NAME", project)
        .env("DOCKLINE_FIXTURE", fixture.to_string());
    command
}

#[test]
fn the_fixtures_go_up_and_down_ten_times_and_leave_no_network() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        for program in composes() {
            let project = lab.name.replace('-', "");
            for round in 0..10 {
                succeed(&mut compose(&lab, &program, &project, 10, &["up", "-d"]));
                if round == 0 {
                    pages(&running, &project);
                }
                succeed(&mut compose(
                    &lab,
                    &program,
                    &project,
                    10,
                    &["down", "-t", "0"],
                ));
                let left = lab.docker(&[
                    "network",
                    "ls",
                    "--filter",
                    &format!("name={project}"),
                    "--format",
                    "{{.Name}}",
                ]);
                assert_eq!(left, "", "after round {round} of {program:?}");
            }
        }
        running.stop().await;
    });
}

fn pages(running: &Running, project: &str) {
    for name in ["api", "db"] {
        let page = running.fetch("http", &format!("http://{name}/"));
        assert!(
            page.contains(&format!("hello from {project}/{name}")),
            "{page}"
        );
    }
}
