//! What containers send, seen by dockline itself.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Demo;
use super::project::KIOSK;
use crate::console::say;

/// For lines to be written.
const LINES_LIMIT: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Demo<'_> {
    /// Brings a third project up in an intercepted shell, and shows what its services ask of one another.
    pub(super) fn watch_traffic(&self) -> Result<()> {
        let narrator = self.narrator;
        narrator.heading("What containers send");
        say(
            "A third project comes up through dockline's own Docker socket, and with that alone its containers are\n\
             intercepted: no file of it was changed, and no other program is needed.\n",
        );
        let compose = KIOSK.compose(&self.stage, &["up", "-d"]);
        let mut run = self.dockline.command(&["run", "--"]);
        run.arg(compose.get_program()).args(compose.get_args());
        for (name, value) in compose.get_envs() {
            match value {
                Some(value) => run.env(name, value),
                None => run.env_remove(name),
            };
        }
        run.current_dir(self.stage.workspace.root());
        let line = format!("dockline run -- env {}", KIOSK.line(&compose));
        narrator.run_as(&line, &mut run)?;
        say("\nIts services talk to one another as they always did:\n");
        for (service, url, page) in [
            ("web", "http://api/", "hello from kiosk/api"),
            ("web", "http://backend/", "hello from kiosk/api"),
            ("guest", "http://www/", "hello from kiosk/web"),
        ] {
            let container = KIOSK.container(narrator, &self.stage, service)?;
            let mut fetch = self
                .stage
                .docker(&["exec", &container, "wget", "-q", "-O", "-", url]);
            narrator.run_expecting(&mut fetch, &[page])?;
        }
        say("\nAnd in the terminal where `dockline serve` runs, this has scrolled by:\n");
        for line in self.lines(&[
            "web_1 GET http://api/ 200",
            "web_1 GET http://backend/ 200",
            "guest_1 GET http://www/ 200",
        ])? {
            say(format_args!("    {line}"));
        }
        Ok(())
    }

    /// The lines in which these words stand, once all are there. Compose 2 writes `-1` where compose 1 writes `_1`.
    fn lines(&self, expected: &[&str]) -> Result<Vec<String>> {
        let give_up = Instant::now() + LINES_LIMIT;
        loop {
            let log = self.dockline.log()?;
            let says = |line: &str, words: &str| line.replace("-1 ", "_1 ").contains(words);
            let find = |words: &&str| log.lines().find(|line| says(line, words));
            let found: Vec<_> = expected.iter().filter_map(find).collect();
            if found.len() == expected.len() {
                return Ok(found.into_iter().map(str::to_owned).collect());
            }
            if Instant::now() > give_up {
                bail!("dockline should have seen {expected:?}, but wrote\n{log}");
            }
            sleep(LOOK_AGAIN);
        }
    }
}
