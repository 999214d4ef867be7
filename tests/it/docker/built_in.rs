//! The built-in interceptor, as somebody sees it who has nothing else installed.

#[cfg(target_os = "linux")]
mod trust;

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{IMAGE, Lab, eventually, on_each_engine, signal, succeed};

/// `dockline serve` with the built-in interceptor, whose lines go to a file.
pub(super) struct Served {
    child: Child,
    folder: tempfile::TempDir,
}

impl Served {
    fn start(lab: &Lab) -> Self {
        Self::start_with(lab, &[])
    }

    /// With more flags.
    pub(super) fn start_with(lab: &Lab, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lines = File::create(folder.path().join("lines")).unwrap();
        let har = folder.path().join("seen.har");
        let mut served = dockline(lab, folder.path(), &[&["serve"], flags].concat());
        served
            .env("DOCKLINE_HAR", har)
            .stdout(lines)
            .stderr(Stdio::null());
        Self {
            child: served.spawn().unwrap(),
            folder,
        }
    }

    fn run(&self, lab: &Lab, arguments: &[&str]) -> String {
        succeed(&mut dockline(lab, self.folder.path(), arguments))
    }

    /// Waits until it intercepts; answers what it says of itself then.
    async fn intercepting(&self, lab: &Lab) -> Value {
        eventually("built in", async || {
            let status = self.folder.path().join("run/control.sock").exists();
            let status = status.then(|| self.status(lab))?;
            let is_up = status["tunnel"]["link"]["state"] == "up";
            is_up.then_some(status)
        })
        .await
    }

    /// Where clients are intercepted, as soon as they are.
    pub(super) async fn api(&self, lab: &Lab) -> String {
        let status = self.intercepting(lab).await;
        status["api_socket"].as_str().unwrap().to_owned()
    }

    fn status(&self, lab: &Lab) -> Value {
        let text = self.run(lab, &["status", "--wait", "30", "--json"]);
        serde_json::from_str(&text).unwrap()
    }

    /// Ends it, with all that it has in the engine.
    pub(super) fn clean(mut self, lab: &Lab) {
        signal(self.child.id(), Signal::KILL);
        self.child.wait().unwrap();
        self.run(lab, &["clean"]);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("lines")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn archive(&self) -> Value {
        let text = std::fs::read(self.folder.path().join("seen.har")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn dockline(lab: &Lab, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dockline"));
    command
        .args(arguments)
        .args(["--instance", &lab.name, "--host", &lab.engine.host])
        .env("DOCKLINE_RUNTIME_DIR", folder.join("run"))
        .env("DOCKLINE_DATA_DIR", folder.join("data"))
        .env("DOCKLINE_DNS_FORWARD", "none");
    command
}

#[test]
fn requests_between_containers_scroll_by_and_are_archived() {
    on_each_engine(async |lab| {
        let mut served = Served::start(&lab);
        let status = served.intercepting(&lab).await;
        assert_eq!(status["interceptor"]["kind"], "builtin");
        assert_eq!(status["interceptor"]["reachable"], true);
        let ca = served.run(&lab, &["ca", "--pem"]);
        assert!(ca.starts_with("-----BEGIN CERTIFICATE-----"), "{ca}");
        assert_eq!(served.run(&lab, &["ca"]), status["ca"].as_str().unwrap());
        let host = status["api_socket"].as_str().unwrap().to_owned();
        let shell = Lab::through(&lab, host);
        let net = shell.network("net", &[]);
        shell.serve_page("web", &["--network", &net, "--network-alias", "web"]);
        let (name, label) = (lab.own("client"), format!("test={}", lab.name));
        let fetch =
            "cat /.dockline/ca.pem && wget -q -O - http://web/ && ! wget -q -O - http://web/no";
        let run = [
            "run",
            "--rm",
            "--name",
            &name,
            "--label",
            &label,
            "--network",
            &net,
            IMAGE,
        ];
        let seen = shell.docker(&[&run[..], &["sh", "-c", fetch]].concat());
        assert_eq!(seen, format!("{ca}\nhello from web"));
        let words = eventually("two lines", async || {
            let lines = served.lines();
            (lines.len() == 2).then(|| lines.concat())
        })
        .await;
        for part in [
            "client GET http://web/ 200 15 B",
            "client GET http://web/no 404",
        ] {
            assert!(words.contains(part), "{part} is not in {words}");
        }
        // A kill leaves an archive that can be read.
        signal(served.child.id(), Signal::KILL);
        served.child.wait().unwrap();
        let archive = served.archive();
        let entries = archive["log"]["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0]["_from"], name);
        assert_eq!(
            entries[0]["response"]["content"]["text"],
            "hello from web\n"
        );
        served.run(&lab, &["clean"]);
    });
}
