//! `status --watch` on a terminal of its own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::support::fake_engine::FakeEngine;
use crate::support::process::Serve;
use crate::support::{Running, eventually};

/// The program on a terminal, and everything that it wrote there.
struct Terminal {
    master: File,
    end: OwnedFd,
    child: Child,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn watch(running: &Running) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let end = open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&end, size).unwrap();
        let child = command(running)
            .env("TERM", "xterm")
            .stdin(end.try_clone().unwrap())
            .stdout(end.try_clone().unwrap())
            .stderr(end.try_clone().unwrap())
            .spawn()
            .unwrap();
        let master = File::from(master);
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let (mut from, to) = (master.try_clone().unwrap(), Arc::clone(&written));
        // Ends when the last end of the terminal is closed.
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(number @ 1..) = from.read(&mut some) {
                to.lock().unwrap().extend_from_slice(&some[..number]);
            }
        });
        Self {
            master,
            end,
            child,
            written,
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    async fn shows(&self, word: &str) {
        eventually(word, async || self.text().contains(word).then_some(())).await;
    }

    /// Waits for the end, and sees that the terminal is as it was: echo and lines, the first screen, a cursor.
    async fn given_back(mut self) -> ExitStatus {
        let child = Mutex::new(&mut self.child);
        let status = eventually("an end", async || child.lock().unwrap().try_wait().unwrap()).await;
        let modes = tcgetattr(&self.end).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO));
        self.shows("\x1b[?1049l").await;
        self.shows("\x1b[?25h").await;
        status
    }
}

fn command(running: &Running) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dockline"));
    command
        .args(["--instance", "fake", "status", "--watch"])
        .env("DOCKLINE_RUNTIME_DIR", running.control.parent().unwrap());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_taken_follows_what_happens_and_is_given_back() {
    let engine = FakeEngine::start();
    engine.change(|world| {
        world.network("shop");
        world.run("api-1", "shop");
    });
    let running = Running::launch("fake", &engine.front.host(), |config| {
        config.selector.all = true;
        config.tunnel_image = Some("absent".to_owned());
    })
    .await;
    running.ready().await;

    let mut terminal = Terminal::watch(&running);
    terminal.shows("\x1b[?1049h").await;
    terminal.shows("api-1").await;
    engine.change(|world| world.run("late-1", "shop"));
    terminal.shows("late-1").await;
    terminal.master.write_all(b"q").unwrap();
    assert!(terminal.given_back().await.success());

    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let terminal = Terminal::watch(&running);
        terminal.shows("api-1").await;
        kill_process(Pid::from_child(&terminal.child), signal).unwrap();
        assert!(terminal.given_back().await.success(), "{signal:?}");
    }

    // The service's end is waited out.
    let mut terminal = Terminal::watch(&running);
    terminal.shows("api-1").await;
    running.stop().await;
    terminal.master.write_all(b"\x03").unwrap();
    assert!(terminal.given_back().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_it_says_what_there_is_instead() {
    let engine = FakeEngine::start();
    let running = Running::launch("fake", &engine.front.host(), |_| {}).await;
    let refused = command(&running).stdin(Stdio::null()).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("`dockline status` says it once"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_warns_of_is_told_with_the_status() {
    let serve = Serve::without_engine().await;
    let warning = async || serve.status().await.warnings.into_iter().next();
    let warning = eventually("a warning", warning).await;
    assert_eq!(warning.level, "warn");
    assert!(warning.text.starts_with("engine is away"), "{warning:?}");
    assert!(warning.text.contains("problem="), "{warning:?}");
}
