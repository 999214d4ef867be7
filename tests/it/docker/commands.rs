//! The commands, run as a user runs them: the real binary, its exit codes, its JSON.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Lab, on_each_engine, signal};

/// A `dockline serve` in a process of its own.
pub(super) struct Served {
    child: Child,
    folder: tempfile::TempDir,
}

pub(super) fn dockline(lab: &Lab, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dockline"));
    command
        .args(arguments)
        .args(["--instance", &lab.name, "--host", &lab.engine.host])
        .env("DOCKLINE_RUNTIME_DIR", folder.join("run"))
        .env("DOCKLINE_DATA_DIR", folder.join("data"));
    command
}

impl Served {
    pub(super) fn start(lab: &Lab) -> Self {
        Self::start_with(lab, &[])
    }

    /// With more flags of `serve`.
    pub(super) fn start_with(lab: &Lab, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = dockline(lab, folder.path(), &[&["serve"], flags].concat())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// As [`Self::start`], with a group of its own, by which a firewall can tell it.
    pub(super) fn start_in_group(lab: &Lab, group: u32, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let serve = dockline(lab, folder.path(), &[&["serve"], flags].concat());
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--regid={group}"))
            .arg("--clear-groups")
            .arg(serve.get_program());
        command
            .args(serve.get_args())
            .env("DOCKLINE_RUNTIME_DIR", folder.path().join("run"));
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        Self { child, folder }
    }

    pub(super) fn run(&self, lab: &Lab, arguments: &[&str]) -> Output {
        dockline(lab, self.folder.path(), arguments)
            .output()
            .unwrap()
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn json(&self, lab: &Lab, arguments: &[&str]) -> Value {
        let output = self.run(lab, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{arguments:?}: {e}: {stderr}"))
    }

    /// Sends a signal that does not end it.
    pub(super) fn send(&self, name: Signal) {
        signal(self.child.id(), name);
    }

    pub(super) fn signal(&mut self, name: Signal) -> Output {
        signal(self.child.id(), name);
        let status = self.child.wait().unwrap();
        let mut stderr = Vec::new();
        std::io::Read::read_to_end(self.child.stderr.as_mut().unwrap(), &mut stderr).unwrap();
        Output {
            status,
            stdout: Vec::new(),
            stderr,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Already over in a test that went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serve_status_resolve_route_clean() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.watched_page("web", &net);
        let mut served = Served::start(&lab);
        let status = served.json(&lab, &["status", "--wait", "20", "--json"]);
        assert_eq!(status["ready"], true);
        assert_eq!(status["instance"], lab.name.as_str());
        assert_eq!(status["containers"][0]["name"], lab.own("web"));
        assert_eq!(status["engine"]["connected"], true);
        let found = served.json(&lab, &["resolve", "web", "--json"]);
        assert_eq!(
            (&found["status"], &found["source"][0]),
            (&"ok".into(), &"alias".into())
        );
        assert_eq!(found["from"], Value::Null);
        let unknown = served.run(&lab, &["resolve", "nothing"]);
        assert_eq!(unknown.status.code(), Some(1));
        let route = served.json(&lab, &["route", "web:8080", "--json"]);
        assert_eq!(
            (&route["via"], &route["network"]),
            (&"tunnel".into(), &net.as_str().into())
        );
        assert_eq!(route["destination"], "web:8080");
        let busy = served.run(&lab, &["serve"]);
        assert_eq!(busy.status.code(), Some(1));
        assert!(
            String::from_utf8_lossy(&busy.stderr).contains("already running"),
            "{busy:?}"
        );
        let clean = served.run(&lab, &["clean"]);
        assert_eq!(clean.status.code(), Some(1), "not while it runs: {clean:?}");
        let ended = served.signal(Signal::TERM);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{said}");
        assert!(
            !said.contains("has gone"),
            "nothing is brought up at the end: {said}"
        );
        assert_eq!(served.run(&lab, &["status"]).status.code(), Some(3));
        assert!(!served.folder.path().join("run/control.sock").exists());
    });
}

#[test]
fn clean_after_a_kill_leaves_nothing() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.serve_page("web", &["--label", &lab.watched(), "--network", &net]);
        let mut served = Served::start(&lab);
        crate::support::eventually("a tunnel", async || {
            let status = served.json(&lab, &["status", "--wait", "20", "--json"]);
            (status["tunnel"]["state"] == "running").then_some(())
        })
        .await;
        served.signal(Signal::KILL);
        let own = |names: Vec<String>| names.into_iter().filter(|n| n.contains(&lab.name)).count();
        assert_eq!(own(lab.labelled("dockline.role")), 2, "tunnel and home");
        for expected in [2, 0] {
            let clean = served.json(&lab, &["clean", "--json"]);
            let removed = clean["containers"].as_array().unwrap().len()
                + clean["networks"].as_array().unwrap().len();
            assert_eq!(removed, expected, "{clean}");
        }
        assert_eq!(own(lab.labelled("dockline.role")), 0);
        assert_eq!(
            lab.labelled(&lab.watched()),
            [lab.own("web")],
            "the user's own container is untouched"
        );
    });
}

#[test]
fn an_engine_that_is_not_there_is_exit_code_4() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_dockline"))
            .args(arguments)
            .env("DOCKLINE_RUNTIME_DIR", folder.path().join("run"))
            .output()
            .unwrap()
    };
    let clean = run(&["clean", "--host", "unix:///nowhere/docker.sock"]);
    assert_eq!(clean.status.code(), Some(4), "{clean:?}");
    assert_eq!(
        run(&["clean", "--host", "gopher://x"]).status.code(),
        Some(2)
    );
    assert_eq!(run(&["status", "--frobnicate"]).status.code(), Some(2));
    let ssh = run(&["clean", "--host", "ssh://me@box"]);
    assert!(
        String::from_utf8_lossy(&ssh.stderr).contains("not supported yet"),
        "{ssh:?}"
    );
}
