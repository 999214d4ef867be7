//! Projects of one, four and thirty services, up and down, again and again: nothing stays, and the map is that of a fresh look.

use std::fs;
use std::path::{Path, PathBuf};

use dockline::core::label::{Match, Selector};

use super::projects::Project;
use crate::docker::compose::composes;
use crate::support::{IMAGE, Lab, Running, eventually, on_each_engine};

const SERVICES: [usize; 3] = [1, 4, 30];
/// As many lives as CI has time for; `cargo xtask soak` has more.
const LIVES: usize = 5;

/// A third of the services is on both networks.
fn file(folder: &Path, services: usize) -> PathBuf {
    let services = (0..services).map(|number| {
        let networks = ["front", "back", "front, back"][number % 3];
        format!(
            "  s{number}: {{ image: \"{IMAGE}\", command: sleep 1000, stop_signal: SIGKILL, networks: [{networks}] }}\n"
        )
    });
    let services: String = services.collect();
    let path = folder.join("docker-compose.yml");
    let text =
        format!("version: '3'\nservices:\n{services}networks: {{ front: {{}}, back: {{}} }}\n");
    fs::write(&path, text).unwrap();
    path
}

/// Fails unless the service comes to see what one sees that has just been started.
async fn sees_what_is_there(lab: &Lab, running: &Running, containers: usize) {
    let other = Lab::new(lab.engine.clone());
    let selector = Selector {
        instance: other.name.parse().unwrap(),
        matches: vec![Match::from(lab.watched().as_str())],
        all: false,
    };
    let witness = Running::start(&other, |config| config.selector = selector).await;
    witness.ready().await;
    eventually("the picture of a fresh service", async || {
        let (is, should_be) = (running.picture().await, witness.picture().await);
        let same = is == should_be && is.len() == containers;
        same.then_some(())
            .ok_or_else(|| format!("{is:?}\n{should_be:?}"))
    })
    .await;
    witness.stop().await;
}

async fn come_and_go(lab: &Lab, running: &Running, project: &Project<'_>, services: usize) {
    let shell = running.shell(lab);
    let of_project = format!("com.docker.compose.project={}", project.name);
    for life in 1..=LIVES {
        let what = format!("life {life} of {services} by {:?}", project.program);
        project.run(&shell, &["up", "-d"]);
        let injected = ["ps", "-q", "--filter", "label=dockline.undo"];
        let filter = ["--filter", &format!("label={of_project}")];
        let injected = lab.docker(&[&injected[..], &filter].concat());
        assert_eq!(injected.lines().count(), services, "in {what}");
        if life == LIVES {
            sees_what_is_there(lab, running, services).await;
        }
        project.run(&shell, &["down", "-t", "0"]);
        assert_eq!(lab.labelled(&of_project), [""; 0], "after {what}");
        running.joined(&[]).await;
    }
}

#[test]
fn services_come_and_go_and_nothing_is_left() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let folder = tempfile::tempdir().unwrap();
        // Compose 1 where it works, so that both have their turn.
        let mut programs = composes();
        let program = match lab.engine.name.as_str() {
            "20" => programs.pop().unwrap(),
            _ => programs.swap_remove(0),
        };
        for services in SERVICES {
            let project = Project {
                program: &program,
                file: &file(folder.path(), services),
                name: lab.name.replace('-', ""),
            };
            come_and_go(&lab, &running, &project, services).await;
        }
        sees_what_is_there(&lab, &running, 0).await;
        running.stop().await;
        assert_eq!(lab.labelled(&lab.watched()), [""; 0]);
    });
}
