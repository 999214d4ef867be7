//! Images built in an intercepted shell, by the clients that people use.

mod added;
mod classic;
mod clients;
mod contexts;
mod engine_side;
mod everyday;
mod pulled;
mod uploaded;

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::docker::entry::intercepted_with;
use crate::docker::entry::recorder::Recorder;
use crate::support::{Lab, Running, docker_cli};

/// An authority, as far as text goes: nobody looks into it here.
const CA: &str = "-----BEGIN CERTIFICATE-----\nZG9ja2xpbmU=\n-----END CERTIFICATE-----\n";

/// A service with an interceptor that writes down what passes, and a page to be asked for.
struct Site {
    running: Running,
    recorder: Recorder,
    shell: Lab,
    /// On the default bridge, where builds are.
    page: String,
}

impl Site {
    async fn new(lab: &Lab) -> Self {
        let recorder = Recorder::new().await;
        recorder.do_not_ask_who();
        let trusting = |config: &mut dockline::config::Config| config.ca = Some(CA.into());
        let running = intercepted_with(lab, &recorder, trusting).await;
        let shell = running.shell(lab);
        lab.serve_page("web", &[]);
        let address = lab.address("web");
        Self {
            running,
            recorder,
            shell,
            page: format!("http://{address}/"),
        }
    }

    /// How often the page was asked for since the last time.
    fn requests(&self) -> usize {
        let wanted = format!("GET {}", self.page);
        let all = self.recorder.take();
        all.iter().filter(|(_, request)| *request == wanted).count()
    }
}

/// Builds what is read from standard input.
fn build(lab: &Lab, dockerfile: &str, options: &[&str]) -> Output {
    let label = format!("test={}", lab.name);
    let mut command = lab.command(&docker_cli());
    command.args(["build", "--progress", "plain", "--label", &label]);
    command.args(options).arg("-");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(dockerfile.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// Builds a folder, or a URL.
fn build_folder(lab: &Lab, context: &Path, options: &[&str]) -> Output {
    let label = format!("test={}", lab.name);
    let mut command = lab.command(&docker_cli());
    command.args(["build", "--progress", "plain", "--label", &label]);
    command.args(options).arg(context).output().unwrap()
}

/// The same, and it must succeed; all that it said.
fn built(lab: &Lab, dockerfile: &str, options: &[&str]) -> String {
    let output = build(lab, dockerfile, options);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    said
}

fn said(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// What an image is made of: its configuration, layers, and history.
fn image(lab: &Lab, name: &str) -> String {
    let format = "{{json .Config.Env}} {{json .Config.Cmd}} {{json .RootFS.Layers}}";
    let is = lab.docker(&["image", "inspect", "-f", format, name]);
    let history = lab.docker(&["history", "--no-trunc", "--format", "{{.CreatedBy}}", name]);
    format!("{is}\n{history}")
}

/// All paths in an image.
fn paths(lab: &Lab, name: &str) -> Vec<String> {
    let container = lab.own("exported");
    let label = format!("test={}", lab.name);
    lab.docker(&["create", "--name", &container, "--label", &label, name, "x"]);
    let export = lab.try_docker(&["export", &container]);
    lab.docker(&["rm", "-v", &container]);
    let mut archive = tar::Archive::new(&export.stdout[..]);
    let entries = archive.entries().unwrap();
    let path = |entry: std::io::Result<tar::Entry<'_, _>>| {
        entry.unwrap().path().unwrap().display().to_string()
    };
    entries.map(path).collect()
}

/// What an image by BuildKit has of ours. Engine 20 leaves the empty folder that a mount was at.
fn traces(lab: &Lab, name: &str) -> Vec<String> {
    let is_left = |path: &str| lab.engine.name == "20" && path == ".dockline/";
    let mut all = paths(lab, name);
    all.retain(|path| path.contains("dockline") && !is_left(path));
    all.extend(
        image(lab, name)
            .lines()
            .filter(|line| line.contains(".dockline/"))
            .map(str::to_owned),
    );
    all
}
