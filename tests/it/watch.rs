//! `status --watch` on a terminal of its own.

use std::process::{Command, ExitStatus, Stdio};

use rustix::process::Signal;

use crate::support::fake_engine::FakeEngine;
use crate::support::process::Serve;
use crate::support::terminal::Terminal;
use crate::support::{Running, eventually};

/// Waits for the end, and sees that the terminal is as it was: the first screen, a cursor.
async fn given_back(mut terminal: Terminal) -> ExitStatus {
    let status = terminal.given_back().await;
    terminal.shows("\x1b[?1049l").await;
    terminal.shows("\x1b[?25h").await;
    status
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

    let mut terminal = Terminal::run(&mut command(&running));
    terminal.shows("\x1b[?1049h").await;
    terminal.shows("api-1").await;
    engine.change(|world| world.run("late-1", "shop"));
    terminal.shows("late-1").await;
    terminal.type_in("q");
    assert!(given_back(terminal).await.success());

    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let terminal = Terminal::run(&mut command(&running));
        terminal.shows("api-1").await;
        terminal.signal(signal);
        assert!(given_back(terminal).await.success(), "{signal:?}");
    }

    // The service's end is waited out.
    let mut terminal = Terminal::run(&mut command(&running));
    terminal.shows("api-1").await;
    running.stop().await;
    terminal.type_in("\x03");
    assert!(given_back(terminal).await.success());
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
    assert!(warning.text.contains("error="), "{warning:?}");
}
