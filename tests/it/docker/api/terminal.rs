//! What somebody at a terminal does, and what goes on until it is stopped.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::terminal::Terminal;
use crate::support::{IMAGE, docker_cli, eventually, on_each_engine};

#[test]
fn a_terminal_is_resized_left_and_come_back_to() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let (own, label) = (lab.own("shell"), format!("test={}", lab.name));
        let mut command = shell.command(&docker_cli());
        let script = "echo ready; while read line; do echo \"<$line>\"; done";
        command.args(["run", "-it", "--name", &own, "--label", &label]);
        let mut terminal = Terminal::run(command.args([IMAGE, "sh", "-c", script]));
        terminal.shows("ready").await;
        terminal.type_in("hello\n");
        terminal.shows("<hello>").await;
        eventually("the new size", async || {
            // Again and again: the client may not listen yet.
            terminal.resize(33, 101);
            let size = lab.try_docker(&["exec", &own, "sh", "-c", "stty size < /proc/1/fd/0"]);
            (size.stdout.trim_ascii() == b"33 101").then_some(())
        })
        .await;
        terminal.type_in("\x10\x11");
        assert!(
            terminal.given_back().await.success(),
            "left by ctrl-p ctrl-q"
        );

        let mut command = shell.command(&docker_cli());
        let mut terminal = Terminal::run(command.args(["attach", &own]));
        terminal.type_in("back\n");
        terminal.shows("<back>").await;
        terminal.type_in("\x04");
        assert!(terminal.given_back().await.success(), "ended by ctrl-d");
        running.stop().await;
    });
}

/// Lines of a command that goes on for ever; it ends when this is dropped.
struct Follow(Child, BufReader<ChildStdout>);

impl Follow {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self(child, lines)
    }

    fn line_with(&mut self, wanted: &str) {
        let mut line = String::new();
        while !line.contains(wanted) {
            line.clear();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "it ended");
        }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn events_and_figures_come_as_they_happen() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let web = lab.own("web");
        shell.serve_page("web", &[]);
        let mut command = shell.command(&docker_cli());
        let mut stats = Follow::start(command.args(["stats", "--format", "{{.Name}}", &web]));
        for _ in 0..3 {
            stats.line_with(&web);
        }
        let mut command = shell.command(&docker_cli());
        let watched = format!("container={web}");
        let since = lab.docker(&["inspect", "-f", "{{.Created}}", &web]);
        command.args(["events", "--since", &since, "--filter", &watched]);
        let mut events = Follow::start(&mut command);
        events.line_with("container start");
        for (word, seen) in [
            ("pause", "container pause"),
            ("unpause", "container unpause"),
        ] {
            shell.docker(&[word, &web]);
            events.line_with(seen);
        }
        running.stop().await;
    });
}
