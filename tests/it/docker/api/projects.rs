//! Compose projects: made in an intercepted shell, outside of one, and in turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::docker::compose::composes;
use crate::support::{IMAGE, Lab, Running, on_each_engine, succeed};

fn file(folder: &Path) -> PathBuf {
    let path = folder.join("docker-compose.yml");
    let service = format!(
        "{{ image: \"{IMAGE}\", command: sleep 1000, stop_signal: SIGKILL, networks: [front, back] }}"
    );
    let text = format!(
        "version: '3'\nservices:\n  web: {service}\n  api: {service}\nnetworks: {{ front: {{}}, back: {{}} }}\n"
    );
    fs::write(&path, text).unwrap();
    path
}

/// A compose project, and the compose that runs it.
pub(super) struct Project<'a> {
    pub(super) program: &'a [PathBuf],
    pub(super) file: &'a Path,
    pub(super) name: String,
}

impl Project<'_> {
    pub(super) fn run(&self, lab: &Lab, arguments: &[&str]) -> String {
        let mut command = lab.command(&self.program[0]);
        command.args(&self.program[1..]).arg("-f").arg(self.file);
        succeed(
            command
                .args(arguments)
                .env("COMPOSE_PROJECT_NAME", &self.name),
        )
    }

    /// Ids of the project's containers.
    fn containers(&self, lab: &Lab) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let ids = lab.docker(&["ps", "-q", "--no-trunc", "--filter", &filter]);
        let mut ids: Vec<_> = ids.lines().map(str::to_owned).collect();
        ids.sort();
        ids
    }

    /// Whether all of its containers are intercepted; fails if some are.
    fn is_intercepted(&self, lab: &Lab) -> bool {
        let ids = self.containers(lab);
        assert_eq!(ids.len(), 2);
        let format = "{{json .Config.Env}}{{json .Mounts}}";
        let intercepted = ids.iter().filter(|id| {
            let said = lab.docker(&["inspect", "-f", format, id]);
            let has = said.contains(":8790");
            assert_eq!(said.contains("/.dockline"), has, "{said}");
            has
        });
        match intercepted.count() {
            0 => false,
            2 => true,
            some => panic!("{some} of 2 are intercepted"),
        }
    }
}

#[test]
fn a_project_is_intercepted_by_up_inside_and_let_go_by_up_outside() {
    on_each_engine(async |lab| {
        let pem = "-----BEGIN CERTIFICATE-----\nZG9ja2xpbmU=\n-----END CERTIFICATE-----\n";
        let running = Running::start(&lab, |config| config.ca = Some(pem.into())).await;
        running.ready().await;
        let shell = running.shell(&lab);
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        for program in composes() {
            // Compose 1 cannot make anything anew on engines from 25 on, which no longer say what it asks for.
            if program.len() == 1 && lab.engine.name != "20" {
                continue;
            }
            let project = Project {
                program: &program,
                file: &file,
                name: lab.name.replace('-', ""),
            };
            for (from, intercepted) in
                [(&lab, false), (&shell, true), (&lab, false), (&shell, true)]
            {
                project.run(from, &["up", "-d"]);
                assert_eq!(project.is_intercepted(&lab), intercepted, "{program:?}");
                let before = project.containers(&lab);
                project.run(from, &["up", "-d"]);
                assert_eq!(
                    project.containers(&lab),
                    before,
                    "{program:?} made them anew without a reason"
                );
            }
            // Stopped and started again, it is what it was.
            project.run(&shell, &["stop", "-t", "0"]);
            project.run(&shell, &["start"]);
            assert!(project.is_intercepted(&lab));
            project.run(&shell, &["down", "-t", "0"]);
            let filter = format!("name={}", project.name);
            assert_eq!(
                lab.docker(&["network", "ls", "-q", "--filter", &filter]),
                ""
            );
        }
        running.stop().await;
    });
}

#[test]
fn an_attached_project_stays_composes_own() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        for program in composes() {
            let project = Project {
                program: &program,
                file: &file,
                name: lab.name.replace('-', ""),
            };
            project.run(&lab, &["up", "-d"]);
            let filter = format!("label=com.docker.compose.project={}", project.name);
            let names = lab.docker(&["ps", "--format", "{{.Names}}", "--filter", &filter]);
            let mut attach = Command::new(env!("CARGO_BIN_EXE_dockline"));
            attach.arg("attach").args(names.lines());
            attach.args(["--instance", &lab.name, "--host", &lab.engine.host]);
            attach.env("DOCKLINE_RUNTIME_DIR", running.control.parent().unwrap());
            succeed(&mut attach);
            let attached = project.containers(&lab);
            // Outside of an intercepted shell and in one: there is nothing to do.
            for from in [&lab, &running.shell(&lab)] {
                project.run(from, &["up", "-d"]);
                assert_eq!(project.containers(&lab), attached, "{program:?}");
            }
            project.run(&lab, &["down", "--timeout", "0"]);
            assert_eq!(project.containers(&lab), [] as [String; 0]);
            let networks = lab.docker(&["network", "ls", "-q", "--filter", &filter]);
            assert_eq!(networks, "", "{program:?}");
        }
        running.stop().await;
    });
}
