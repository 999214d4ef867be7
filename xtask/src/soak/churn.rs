//! Containers and networks that come, change and go at random.
//!
//! A [`Churner`] has containers and networks of its own, and knows what it made of them; what it connects them to may be
//! another's, and may have gone meanwhile. Then the engine refuses, which is part of the exercise.

use std::time::{Duration, Instant};

use super::chance::Chance;
use super::tally::Tally;
use super::{INSTANCE, LABEL};
use crate::engine::Engine;
use crate::images::FIXTURE;
use crate::shell::{MINUTES_2, Shell};
use crate::tools::Tools;

/// Containers of all churners together; number `n` belongs to churner `n % CHURNERS`.
pub(super) const CONTAINERS: usize = 16;
/// The same for networks.
pub(super) const NETWORKS: usize = 6;
/// How many churn at a time.
pub(super) const CHURNERS: usize = 2;

/// How long the tunnel may be alone on a network that is to go: it leaves within milliseconds of the last container, on a
/// machine that is not busy.
const LETTING_GO: Duration = Duration::from_secs(5);
/// How long a network's removal is tried.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is known of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    Stopped,
    Running,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Churner<'a> {
    shell: Shell,
    tools: &'a Tools,
    engine: &'a Engine,
    tally: &'a Tally,
    chance: Chance,
    number: usize,
    containers: Vec<State>,
    networks: Vec<bool>,
}

impl<'a> Churner<'a> {
    pub(super) fn new(
        (shell, tools, engine): (&Shell, &'a Tools, &'a Engine),
        tally: &'a Tally,
        seed: u64,
        number: usize,
    ) -> Self {
        Self {
            shell: shell.clone(),
            tools,
            engine,
            tally,
            chance: Chance::new(seed, u64::try_from(number).unwrap_or_default()),
            number,
            containers: vec![State::Absent; CONTAINERS],
            networks: vec![false; NETWORKS],
        }
    }

    /// Churns until told to stop.
    pub(super) fn run(mut self) {
        while !self.tally.is_stopped() {
            if self.chance.percent(15) {
                self.change_network();
            } else {
                self.change_container();
            }
        }
    }

    fn docker(&self, arguments: &[&str]) -> bool {
        self.answer(arguments).is_some()
    }

    fn answer(&self, arguments: &[&str]) -> Option<String> {
        let mut command = self.tools.docker(self.engine);
        let answer = self.shell.try_output(command.args(arguments), MINUTES_2);
        match answer {
            Some(_) => self.tally.changes.add(),
            None => self.tally.refused.add(),
        }
        answer
    }

    fn change_network(&mut self) {
        let index = self.chance.below(NETWORKS / CHURNERS) * CHURNERS + self.number;
        let name = format!("soak-n{index}");
        if self.networks[index] {
            self.networks[index] = !self.remove_network(&name);
            return;
        }
        let options: &[&str] = match index {
            1 => &["--internal"],
            2 => &["--ipv6", "--subnet", "fd00:91:0:2::/64"],
            3 => &["--subnet", "10.91.3.0/24"],
            _ => &[],
        };
        let create = ["network", "create", "--label", LABEL];
        self.networks[index] = self.docker(&[&create, options, &[&name]].concat());
    }

    /// Takes everybody off a network but the tunnel, which has to leave by itself.
    fn remove_network(&self, name: &str) -> bool {
        let mut alone = None;
        let removed = self.shell.wait_until("a network's removal", PATIENCE, || {
            let (tunnels, others) = self.members(name);
            for member in &others {
                self.docker(&["network", "disconnect", "--force", name, member]);
            }
            alone = alone.filter(|_| others.is_empty() && !tunnels.is_empty());
            let since = *alone.get_or_insert_with(Instant::now);
            if since.elapsed() > LETTING_GO {
                self.tally
                    .fail(format!("{tunnels:?} stay on network {name}"));
                return Ok(Some(()));
            }
            Ok(self.docker(&["network", "rm", name]).then_some(()))
        });
        // Another churner may connect containers as fast as they are taken off.
        removed.is_ok()
    }

    /// Those of dockline on a network, and the others.
    fn members(&self, network: &str) -> (Vec<String>, Vec<String>) {
        let format = "{{range .Containers}}{{.Name}} {{end}}";
        let listed = self.answer(&["network", "inspect", "--format", format, network]);
        let listed = listed.unwrap_or_default();
        let names = listed.split_whitespace().map(str::to_owned);
        names.partition(|name| name.starts_with("dockline-tunnel"))
    }

    fn change_container(&mut self) {
        let index = self.chance.below(CONTAINERS / CHURNERS) * CHURNERS + self.number;
        let name = format!("soak-c{index}");
        let now = self.containers[index];
        let next = match now {
            State::Absent => self.create(&name),
            State::Stopped => self.wake(&name),
            State::Running => self.disturb(&name),
        };
        // Whatever it is now: it shall be gone, and known to be.
        self.containers[index] = next.unwrap_or_else(|| {
            self.docker(&[
                "rm",
                "--force",
                "--volumes",
                &name,
                &format!("{name}-renamed"),
            ]);
            State::Absent
        });
    }

    fn create(&mut self, name: &str) -> Option<State> {
        let network = match self.chance.below(NETWORKS + 1) {
            NETWORKS => "bridge".to_owned(),
            index => format!("soak-n{index}"),
        };
        let (verb, state) = self.chance.one_of(&[
            (["run", "--detach"].as_slice(), State::Running),
            (&["create"], State::Stopped),
        ]);
        let watched = format!("dockline.instance={INSTANCE}");
        let alias = format!("alias-of-{name}");
        let mut arguments = [
            verb,
            &["--name", name, "--label", LABEL, "--network", &network],
        ]
        .concat();
        if network != "bridge" {
            arguments.extend(["--network-alias", &alias]);
        }
        if self.chance.percent(75) {
            arguments.extend(["--label", &watched]);
        }
        if self.chance.percent(20) {
            arguments.extend([
                "--hostname",
                "some-host.example",
                "--add-host",
                "extra:192.0.2.7",
            ]);
        }
        // Some live for milliseconds.
        let command = if self.chance.percent(10) {
            ["true", ""]
        } else {
            ["hello", name]
        };
        arguments.push(FIXTURE);
        arguments.extend(command.iter().filter(|word| !word.is_empty()));
        self.docker(&arguments).then_some(state)
    }

    fn wake(&mut self, name: &str) -> Option<State> {
        match self.chance.below(4) {
            0 => None,
            1 => {
                self.reconnect(name);
                Some(State::Stopped)
            }
            _ => self.docker(&["start", name]).then_some(State::Running),
        }
    }

    fn disturb(&mut self, name: &str) -> Option<State> {
        let (arguments, next): (&[&str], _) = match self.chance.below(12) {
            0 => (&["stop", "--time", "1", name], State::Stopped),
            1 => (&["kill", name], State::Stopped),
            2 => {
                // Not for long: whoever asks a paused container for something waits until it goes on.
                let paused = self.docker(&["pause", name]);
                self.reconnect(name);
                let back = paused && self.docker(&["unpause", name]);
                return back.then_some(State::Running);
            }
            3 => (&["restart", "--time", "0", name], State::Running),
            4 => return None,
            5 | 6 => {
                let other = format!("{name}-renamed");
                let renamed = self.docker(&["rename", name, &other]);
                let back = renamed && self.docker(&["rename", &other, name]);
                return back.then_some(State::Running);
            }
            _ => {
                self.reconnect(name);
                return Some(State::Running);
            }
        };
        self.docker(arguments).then_some(next)
    }

    /// Connects a container to a network, or takes it off one.
    fn reconnect(&mut self, name: &str) {
        let network = format!("soak-n{}", self.chance.below(NETWORKS));
        if self.chance.percent(40) {
            self.docker(&["network", "disconnect", &network, name]);
        } else {
            let alias = format!("alias-of-{name}");
            self.docker(&["network", "connect", "--alias", &alias, &network, name]);
        }
    }
}
