//! Two compose projects with services of the same names, created in an intercepted shell.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::clients::image;
use crate::console::say;
use crate::engine::Engine;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::tools::Tools;

/// Their names.
pub(super) const PROJECTS: [&str; 2] = ["icpt-shop", "icpt-blog"];

const ORIGIN: &str = include_str!("../../interceptors/origin.py");
const CALLER: &str = include_str!("../../interceptors/caller.py");
/// For a thousand requests through a debug build on a small machine.
const ASKING: Duration = Duration::from_secs(15 * 60);

/// Both projects, on one engine.
pub(super) struct Projects<'a> {
    shell: &'a Shell,
    tools: &'a Tools,
    /// The engine as intercepted clients see it.
    api: Engine,
    engine: &'a Engine,
    files: Vec<(&'static str, PathBuf)>,
}

impl<'a> Projects<'a> {
    pub(super) fn new(
        shell: &'a Shell,
        tools: &'a Tools,
        api: Engine,
        engine: &'a Engine,
        folder: &Path,
    ) -> Result<Self> {
        let mut files = Vec::new();
        for project in PROJECTS {
            let path = folder.join(format!("{project}.json"));
            let origin = |name: &str| {
                json!({
                    "image": image::DEBIAN, "command": ["python3", "-c", ORIGIN], "stop_signal": "SIGKILL",
                    "environment": { "ME": format!("{project}/{name}"), "NAME": name },
                })
            };
            let web = json!({
                "image": image::DEBIAN, "command": ["sleep", "infinity"], "stop_signal": "SIGKILL",
                "environment": { "PROJECT": project },
            });
            let services =
                json!({ "services": { "api": origin("api"), "db": origin("db"), "web": web } });
            fs::write(&path, services.to_string()).context("write a compose file")?;
            files.push((project, path));
        }
        let new = Self {
            shell,
            tools,
            api,
            engine,
            files,
        };
        // What an earlier run left would be of another authority.
        new.down()?;
        Ok(new)
    }

    fn compose(&self, engine: &Engine, project: &str, file: &Path) -> Command {
        let mut command = self.tools.compose(engine);
        command.arg("-f").arg(file).args(["-p", project]);
        command
    }

    /// Brings both up, and waits until all serve.
    pub(super) fn up(&self) -> Result<()> {
        for (project, file) in &self.files {
            say(format_args!(
                "  bringing {project} up in an intercepted shell"
            ));
            let mut up = self.compose(&self.api, project, file);
            self.shell.output(up.args(["up", "-d"]), MINUTES_10)?;
        }
        for (project, _) in &self.files {
            for service in ["api", "db"] {
                let what = format!("{project}'s {service}");
                self.shell.wait_until(&what, MINUTES_2, || {
                    let mut logs = self.tools.docker(self.engine);
                    logs.args(["logs", &self.container(project, service)?]);
                    let said = self.shell.output(&mut logs, MINUTES_2)?;
                    Ok(said.contains("serving").then_some(()))
                })?;
            }
        }
        Ok(())
    }

    /// The id of a service's container.
    fn container(&self, project: &str, service: &str) -> Result<String> {
        let labels = [("project", project), ("service", service)];
        let mut list = self.tools.docker(self.engine);
        list.args(["ps", "-q"]);
        for (key, value) in labels {
            list.args([
                "--filter",
                &format!("label=com.docker.compose.{key}={value}"),
            ]);
        }
        let id = self.shell.output(&mut list, MINUTES_2)?;
        ensure!(
            id.lines().count() == 1,
            "{service} of {project} should run once"
        );
        Ok(id.trim().to_owned())
    }

    /// Both ask at the same time; answers how many of all were answered as they should be, and which were not.
    pub(super) fn ask(
        &self,
        run: &str,
        requests: usize,
        at_a_time: usize,
    ) -> Result<(usize, Vec<String>)> {
        let mut asking = Vec::new();
        for (project, _) in &self.files {
            let mut exec = self.tools.docker(self.engine);
            exec.args([
                "exec",
                &self.container(project, "web")?,
                "python3",
                "-c",
                CALLER,
            ]);
            exec.args([run, &requests.to_string(), &at_a_time.to_string()]);
            let child = exec.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
            asking.push((project, child));
        }
        let (mut served, mut problems) = (0, Vec::new());
        let mut unfinished = Vec::new();
        for (project, mut child) in asking {
            let waited = self
                .shell
                .wait_until(&format!("{project}'s requests"), ASKING, || {
                    Ok(child.try_wait()?)
                });
            if waited.is_err() {
                child.kill()?;
            }
            let output = child.wait_with_output()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let last = text.lines().last().unwrap_or_default().to_owned();
            say(format_args!("  {project}: {last}"));
            let count = last.split(' ').next().and_then(|n| n.parse::<usize>().ok());
            match count {
                Some(count) => served += count,
                None => unfinished.push(format!("{project} did not finish: {text}")),
            }
            let wrong = text.lines().filter(|line| line.starts_with("http"));
            problems.extend(wrong.map(|line| format!("{project}: {line}")));
        }
        problems.extend(unfinished);
        Ok((served, problems))
    }

    pub(super) fn down(&self) -> Result<()> {
        let shell = Shell::for_cleanup();
        for (project, file) in &self.files {
            let mut down = self.compose(self.engine, project, file);
            shell.output(
                down.args(["down", "--volumes", "--timeout", "1"]),
                MINUTES_2,
            )?;
        }
        Ok(())
    }
}
