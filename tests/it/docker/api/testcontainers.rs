//! Testcontainers, with its reaper Ryuk, which mounts the socket that it finds in `DOCKER_HOST`.
//!
//! The reaper is a stand-in of ours (`xtask/examples/reaper.rs`) by the image's own name: no registry is asked here.

use std::path::Path;

use crate::docker::entry::intercepted;
use crate::docker::entry::recorder::Recorder;
use crate::support::{IMAGE, eventually, on_each_engine, succeed};

/// As this release of Testcontainers has it.
const RYUK: &str = "testcontainers/ryuk:0.8.1";
// Not by the name of the package, which it would hide.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/docker/api/suite.py");

#[test]
fn testcontainers_is_intercepted_and_its_reaper_reaps() {
    let Some(python) = std::env::var_os("DOCKLINE_TEST_PYTHON") else {
        println!(
            "skipped: DOCKLINE_TEST_PYTHON names no Python with Testcontainers; `cargo xtask test` prepares one"
        );
        return;
    };
    on_each_engine(async |lab| {
        if !lab.try_docker(&["image", "inspect", RYUK]).status.success() {
            println!("skipped: there is no {RYUK}, which `cargo xtask` gives its own engines");
            return;
        }
        let recorder = Recorder::new().await;
        let running = intercepted(&lab, &recorder).await;
        let shell = running.shell(&lab);
        let label = format!("test={}", lab.name);
        let socket = lab.engine.host.strip_prefix("unix://").unwrap();
        let mut suite = shell.command(Path::new(&python));
        suite
            .args([SCRIPT, IMAGE, &label, &lab.name, socket])
            .env("RYUK_CONTAINER_IMAGE", RYUK)
            .env("RYUK_RECONNECTION_TIMEOUT", "1s");
        let session = succeed(&mut suite);
        assert_eq!(
            recorder.recorded(),
            [("client".to_owned(), "GET http://web/".to_owned())]
        );
        let of_session = format!("org.testcontainers.session-id={session}");
        let ryuk = format!("name=testcontainers-ryuk-{session}");
        eventually("reaped", async || {
            let left = lab.labelled(&of_session);
            let reaper = lab.docker(&["ps", "-a", "--filter", &ryuk, "--format", "{{.Names}}"]);
            (left.is_empty() && reaper.is_empty())
                .then_some(())
                .ok_or_else(|| format!("{left:?} {reaper}"))
        })
        .await;
        running.stop().await;
    });
}
