//! The Python SDK, which many tools are built on.

use std::path::Path;
use std::process::Command;

use crate::support::{IMAGE, on_each_engine, succeed};

/// Debian's, which comes with compose 1.
const PYTHON: &str = "/usr/bin/python3";

fn is_installed() -> bool {
    let asked = Command::new(PYTHON).args(["-c", "import docker"]).output();
    asked.is_ok_and(|output| output.status.success())
}

#[test]
fn the_python_sdk_works_as_it_does_without_us() {
    if !is_installed() {
        println!(
            "skipped: {PYTHON} has no module `docker`; `cargo xtask test` installs it where it can"
        );
        return;
    }
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/docker/api/sdk.py");
        let label = format!("test={}", lab.name);
        let mut python = shell.command(Path::new(PYTHON));
        assert_eq!(
            succeed(python.args([script, IMAGE, &label, ":8790"])),
            "fine"
        );
        running.stop().await;
    });
}
