//! What people do all day: it works as it does without us.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::{IMAGE, Lab, docker_cli, eventually, on_each_engine, signal, succeed};

/// Runs the CLI with that input; its output and exit code.
fn with_input(lab: &Lab, arguments: &[&str], input: &str) -> (String, Option<i32>) {
    let mut command = lab.command(&docker_cli());
    let command = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code(),
    )
}

#[test]
fn a_run_has_input_output_and_an_exit_code() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let label = format!("test={}", lab.name);
        let run = ["run", "--rm", "-i", "--label", &label, IMAGE, "sh", "-c"];
        let script = "read line; echo \"got $line\"; cat; exit 3";
        let input = format!("first\n{}", "0123456789abcdef\n".repeat(10_000));
        let (output, code) = with_input(&shell, &[&run[..], &[script]].concat(), &input);
        assert_eq!(code, Some(3));
        assert_eq!(output, format!("got {input}"));
        // A terminal's line ends.
        let output = succeed(shell.command(&docker_cli()).args([
            "run",
            "--rm",
            "-t",
            "--label",
            &label,
            IMAGE,
            "sh",
            "-c",
            "tty; echo a; echo b",
        ]));
        assert!(
            output.starts_with("/dev/") && output.ends_with("a\r\nb"),
            "{output:?}"
        );
        running.stop().await;
    });
}

#[test]
fn signals_reach_the_container() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let own = lab.own("waits");
        let label = format!("test={}", lab.name);
        let script = "trap 'exit 7' INT; echo waiting; while :; do sleep 0.1; done";
        let mut command = shell.command(&docker_cli());
        command.args([
            "run", "--name", &own, "--label", &label, IMAGE, "sh", "-c", script,
        ]);
        let mut client = command.stdout(Stdio::null()).spawn().unwrap();
        eventually("waiting", async || {
            let said = lab.try_docker(&["logs", &own]).stdout;
            String::from_utf8_lossy(&said)
                .contains("waiting")
                .then_some(())
        })
        .await;
        signal(client.id(), Signal::INT);
        assert_eq!(client.wait().unwrap().code(), Some(7));
        running.stop().await;
    });
}

/// Commands whose output is the same whichever way they are asked.
fn same(lab: &Lab, shell: &Lab, arguments: &[&str]) {
    let direct = lab.try_docker(arguments);
    let through = shell.try_docker(arguments);
    assert_eq!(through.status.code(), direct.status.code(), "{arguments:?}");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&through.stdout), text(&direct.stdout), "{arguments:?}");
    assert_eq!(text(&through.stderr), text(&direct.stderr), "{arguments:?}");
}

#[test]
fn commands_say_what_they_say_without_us() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let web = lab.own("web");
        shell.serve_page("web", &[]);
        shell.docker(&[
            "exec",
            &web,
            "sh",
            "-c",
            "echo kept > /kept; echo said > /proc/1/fd/1",
        ]);
        for arguments in [
            &["inspect", &web][..],
            &["logs", &web],
            &["exec", &web, "sh", "-c", "echo out; echo err >&2; exit 5"],
            &["top", &web, "-o", "pid"],
            &["port", &web],
            &["cp", &format!("{web}:/kept"), "-"],
            &[
                "ps",
                "-a",
                "--filter",
                &format!("name={web}"),
                "--format",
                "{{.Names}} {{.Image}}",
            ],
            &["inspect", "no-such-container"],
            &["network", "inspect", "no-such-network"],
            &["rm", "no-such-container"],
            &["start", "no-such-container"],
            &["create", "--name", "!", IMAGE],
            &["create", "no-such-image:nowhere"],
            &["events", "--since", "1", "--until", "2"],
        ] {
            same(&lab, &shell, arguments);
        }
        let exec = ["exec", "-i", &web, "cat"];
        assert_eq!(
            with_input(&shell, &exec, "to and fro"),
            ("to and fro".to_owned(), Some(0))
        );
        running.stop().await;
    });
}

#[test]
fn files_logs_events_images_and_names_work() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let web = lab.own("web");
        shell.serve_page("web", &[]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("big");
        std::fs::write(&file, vec![7; 3_000_000]).unwrap();
        shell.docker(&["cp", file.to_str().unwrap(), &format!("{web}:/big")]);
        assert_eq!(
            shell.docker(&["exec", &web, "wc", "-c", "/big"]),
            "3000000 /big"
        );
        // A stream without an end, until its container ends.
        let mut command = shell.command(&docker_cli());
        let follow = command.args(["logs", "-f", &web]).stdout(Stdio::piped());
        let follow = follow.spawn().unwrap();
        let mut command = shell.command(&docker_cli());
        let wait = command
            .args(["wait", &web])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        shell.docker(&[
            "exec",
            &web,
            "sh",
            "-c",
            "echo the last word > /proc/1/fd/1",
        ]);
        let renamed = lab.own("renamed");
        shell.docker(&["rename", &web, &renamed]);
        let image = lab.own("image");
        shell.docker(&["commit", "-p", &renamed, &image]);
        let tar = folder.path().join("image.tar");
        shell.docker(&["save", "-o", tar.to_str().unwrap(), &image]);
        shell.docker(&["rmi", &image]);
        let loaded = shell.docker(&["load", "-i", tar.to_str().unwrap()]);
        assert!(loaded.contains(&image), "{loaded}");
        shell.docker(&["rmi", &image]);
        assert!(
            shell
                .docker(&["stats", "--no-stream", &renamed])
                .contains(&renamed)
        );
        shell.docker(&["kill", &renamed]);
        let said = follow.wait_with_output().unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&said).trim(), "the last word");
        let code = wait.wait_with_output().unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&code).trim(), "137");
        shell.docker(&["rm", &renamed]);
        running.stop().await;
    });
}

#[test]
fn without_an_engine_clients_are_told_so() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        running.stop().await;
        let output = shell.try_docker(&["ps"]);
        assert!(
            !output.status.success(),
            "nobody serves the socket any more"
        );
        let absent = Lab::new(lab.engine.clone());
        let running = crate::support::Running::launch(
            &absent.name,
            "unix:///nonexistent/docker.sock",
            |_| {},
        )
        .await;
        let output = running.shell(&absent).try_docker(&["ps"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("no engine answers at unix:///nonexistent/docker.sock"),
            "{said}"
        );
        running.stop().await;
    });
}

#[test]
fn a_command_runs_in_an_intercepted_shell_and_a_service_comes_for_it() {
    on_each_engine(async |lab| {
        let folder = tempfile::tempdir().unwrap();
        let dockline = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_dockline"));
            command
                .args(arguments)
                .env("DOCKLINE_RUNTIME_DIR", folder.path().join("run"))
                .env("DOCKLINE_INSTANCE", &lab.name)
                .env("DOCKLINE_HOST", &lab.engine.host);
            command
        };
        let docker = docker_cli();
        let docker = docker.to_str().unwrap();
        let label = format!("test={}", lab.name);
        let script =
            format!("{docker} run --rm --label {label} {IMAGE} sh -c 'echo $HTTP_PROXY'; exit 9");
        let mut run = dockline(&["run", "--", "sh", "-c", &script]);
        let output = run.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(9), "{said}");
        let proxy = String::from_utf8(output.stdout).unwrap();
        assert!(
            proxy.starts_with("http://") && proxy.trim().ends_with(":8790"),
            "{proxy}"
        );
        assert_eq!(lab.labelled(&lab.watched()), [""; 0]);
    });
}
