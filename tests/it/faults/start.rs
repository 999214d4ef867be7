//! What stands in the way of a start, and is said.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Output};

use crate::support::fake_engine::FakeEngine;
use crate::support::succeed;

/// `dockline serve` that cannot start, so that it ends by itself.
fn refused(folder: &Path, engine: &FakeEngine, arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = serve(folder, engine, arguments).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    stderr
}

fn serve(folder: &Path, engine: &FakeEngine, arguments: &[&str]) -> Command {
    // One that starts in spite of everything does not hold up the tests for ever.
    let mut command = Command::new("timeout");
    command
        .args(["--signal", "KILL", "20"])
        .arg(env!("CARGO_BIN_EXE_dockline"))
        .args(["serve", "--instance", "start", "--tunnel-image", "absent"])
        .args(["--interceptor", "none"])
        .args(["--host", &engine.front.host()])
        .args(arguments)
        .env("DOCKLINE_RUNTIME_DIR", folder);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_with_its_flag() {
    let engine = FakeEngine::start();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (flag, taken) in [
        ("--gateway", tcp.local_addr().unwrap()),
        ("--http", tcp.local_addr().unwrap()),
        ("--dns", tcp.local_addr().unwrap()),
        ("--dns", udp.local_addr().unwrap()),
    ] {
        let taken = taken.to_string();
        let said = refused(folder.path(), &engine, &[flag, &taken]);
        assert!(said.contains(flag) && said.contains(&taken), "{said}");
        assert!(said.contains("in use"), "{said}");
    }
    assert_eq!(engine.front.asked("/"), 0, "nothing was done to the engine");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_instance_a_second_time_is_refused_and_the_first_goes_on() {
    let engine = FakeEngine::start();
    let running = super::watch(&engine, super::by_events_alone()).await;
    running.ready().await;
    let folder = running.control.parent().unwrap();
    let before = engine.front.asked("/");
    let said = refused(folder, &engine, &[]);
    assert!(said.contains("already running"), "{said}");
    assert!(said.contains("--instance"), "{said}");
    assert!(running.status().await.ready);
    assert!(engine.front.asked("POST") == 0 && before > 0);
    running.stop().await;
}

/// A file system that is full, gone with its value.
struct Full(tempfile::TempDir);

impl Full {
    fn new(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", options, "dockline-test"];
        succeed(Command::new("mount").args(mount).arg(folder.path()));
        Self(folder)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        // Whoever is killed here leaves a mount that goes with the machine.
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// Mounting is for root, as the engines of these tests are.
fn may_mount() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: only root may mount");
    }
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_for_the_runtime_folder_is_named() {
    if !may_mount() {
        return;
    }
    let engine = FakeEngine::start();
    for inodes in [1, 2, 3] {
        let full = Full::new(&format!("size=64k,nr_inodes={inodes}"));
        let folder = full.0.path().join("run");
        let said = refused(&folder, &engine, &[]);
        assert!(said.contains("No space left on device"), "{inodes}: {said}");
        assert!(
            said.contains(&folder.display().to_string()),
            "{inodes}: {said}"
        );
    }
    assert_eq!(engine.front.asked("/"), 0, "nothing was done to the engine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_a_byte_to_spare_is_named() {
    if !may_mount() {
        return;
    }
    let engine = FakeEngine::start();
    let full = Full::new("size=64k");
    let mut count = 0;
    while std::fs::write(full.0.path().join(format!("ballast{count}")), [0; 4096]).is_ok() {
        count += 1;
    }
    let folder = full.0.path().join("run");
    let said = refused(&folder, &engine, &[]);
    assert!(said.contains("No space left on device"), "{said}");
    assert!(said.contains(&folder.display().to_string()), "{said}");
}
