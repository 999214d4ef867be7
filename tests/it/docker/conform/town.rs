//! The laboratory's networks and containers, and what happens to them.

use std::collections::BTreeSet;

use super::chance::Chance;
use super::plan::{Plan, Role, Scene};
use crate::support::{IMAGE, Lab};

/// What is done in one round.
const CHANGES: usize = 5;
/// Each is followed by the laboratory's name, so that one network's name may end in another's.
const NETWORKS: [&str; 8] = ["a", "B", "x.y", "y", "a_b", "a-b", "Zed", "q.B"];
const KINDS: [&[&str]; 6] = [
    &[],
    &[],
    &[IPV6],
    &[IPV6],
    &["--internal"],
    &["--internal", IPV6],
];
const IPV6: &str = "--ipv6";
const ROLES: [Role; 9] = [
    Role::Member,
    Role::Unnamed,
    Role::Member,
    Role::Member,
    Role::Member,
    Role::Bridge,
    Role::Linker(5),
    Role::Borrower(0),
    Role::Host,
];

/// See the module.
#[derive(Debug)]
pub(super) struct Town<'a> {
    pub(super) lab: &'a Lab,
    pub(super) chance: Chance,
    pub(super) scene: Scene,
    roles: Vec<Role>,
    /// Whether the engine tells which names a container has (25 and later).
    pub(super) tells_names: bool,
    /// What was done last, for whoever has to find out why.
    pub(super) story: Vec<String>,
}

impl<'a> Town<'a> {
    /// Makes all of it.
    pub(super) fn build(lab: &'a Lab, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut roles = ROLES.to_vec();
        if chance.percent(50) {
            roles[8] = Role::Lonely;
        }
        let scene = Scene {
            lab: lab.name.clone(),
            networks: make_networks(lab, &mut chance),
            names: Vec::new(),
            ids: vec![None; roles.len()],
        };
        let mut town = Self {
            lab,
            chance,
            scene,
            roles,
            tells_names: major_version(lab) >= 25,
            story: Vec::new(),
        };
        // Those that need another one come after it.
        let (first, then): (Vec<_>, Vec<_>) = (0..town.roles.len())
            .partition(|n| !matches!(town.roles[*n], Role::Linker(_) | Role::Borrower(_)));
        town.make(&first);
        town.make(&then);
        town
    }

    /// Makes and starts the containers of these numbers, all at a time: each takes a second on a busy machine.
    fn make(&mut self, numbers: &[usize]) {
        let mut plans = Vec::new();
        for number in numbers {
            let (plan, name) = self.scene.plan(&mut self.chance, self.roles[*number]);
            self.scene.names.extend(name);
            self.story.push(format!("{number}: {plan:?}"));
            plans.push(plan);
        }
        let lab = self.lab;
        let made: Vec<_> = std::thread::scope(|scope| {
            let raising: Vec<_> = plans
                .iter()
                .map(|plan| scope.spawn(move || raise(lab, plan)))
                .collect();
            raising.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for (number, id) in numbers.iter().zip(made) {
            self.scene.ids[*number] = id;
        }
    }

    /// A round of changes. What the engine refuses is part of the exercise.
    pub(super) fn change(&mut self) {
        self.story.clear();
        for _ in 0..CHANGES {
            let number = self.chance.below(self.roles.len());
            match self.scene.ids[number].clone() {
                Some(id) if !self.chance.percent(8) => self.disturb(number, &id),
                Some(id) => {
                    self.docker(&["rm", "-fv", &id]);
                    self.make(&[number]);
                }
                None => self.make(&[number]),
            }
        }
        if self.chance.percent(25)
            && let Some(lender) = self.scene.ids[0].clone()
        {
            self.docker(&["restart", "-t", "0", &lender]);
        }
        // So that the town does not fall asleep.
        for id in self.scene.ids.clone().into_iter().flatten() {
            if self.chance.percent(50) {
                self.docker(&["start", &id]);
            }
        }
    }

    fn disturb(&mut self, number: usize, id: &str) {
        let network = self.scene.networks[self.chance.below(self.scene.networks.len())].clone();
        match self.chance.below(12) {
            0..=2 => {
                let options = self.scene.endpoint(&mut self.chance, "--alias");
                let options: Vec<_> = options.iter().map(String::as_str).collect();
                let words = [&["network", "connect"], &options[..], &[&network, id]];
                self.docker(&words.concat());
            }
            3 | 4 => self.docker(&["network", "disconnect", &network, id]),
            5 => self.docker(&["restart", "-t", "0", id]),
            6 => self.docker(&["stop", "-t", "0", id]),
            7 => self.docker(&["kill", id]),
            8 => self.docker(&["pause", id]),
            9 => self.docker(&["unpause", id]),
            _ if !self.may_rename(number) => self.docker(&["restart", "-t", "0", id]),
            _ => {
                let name = self.scene.new_name(&mut self.chance);
                self.docker(&["rename", id, &name]);
                self.scene.names.push(name);
            }
        }
    }

    /// Whether what the engine makes of a rename can be told afterwards. It knows a name that it made up from then on, and
    /// before engine 25 it has names on the default bridge for who was renamed, and does not say so.
    fn may_rename(&self, number: usize) -> bool {
        match self.roles[number] {
            Role::Unnamed => false,
            Role::Bridge | Role::Linker(_) => self.tells_names,
            Role::Member | Role::Borrower(_) | Role::Host | Role::Lonely => true,
        }
    }

    fn docker(&mut self, words: &[&str]) {
        let output = self.lab.try_docker(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let refused = if output.status.success() {
            ""
        } else {
            said.trim()
        };
        self.story.push(format!("{} {refused}", words.join(" ")));
    }

    /// Takes everything away at once; the laboratory itself would go one by one.
    pub(super) fn remove(&self) {
        let ids: Vec<_> = self
            .scene
            .ids
            .iter()
            .flatten()
            .map(String::as_str)
            .collect();
        self.lab.try_docker(&[&["rm", "-fv"], &ids[..]].concat());
        let networks: Vec<_> = self.scene.networks.iter().map(String::as_str).collect();
        self.lab
            .try_docker(&[&["network", "rm"], &networks[..]].concat());
    }
}

fn major_version(lab: &Lab) -> u32 {
    let version = lab.docker(&["version", "--format", "{{.Server.Version}}"]);
    version.split('.').next().unwrap().parse().unwrap()
}

fn make_networks(lab: &Lab, chance: &mut Chance) -> Vec<String> {
    let kinds = chance.some_of(&KINDS, KINDS.len());
    let names = chance.some_of(&NETWORKS, kinds.len());
    let label = format!("test={}", lab.name);
    let mut subnets = BTreeSet::new();
    let make = |(name, kind): (&str, &[&str])| {
        let name = format!("{name}.{}", lab.name);
        let mut words = vec!["network", "create", "--label", &label];
        words.extend(kind);
        let subnet = unique_subnet();
        if kind.contains(&IPV6) {
            words.extend(["--subnet", &subnet]);
            subnets.insert(subnet.clone());
        }
        words.push(&name);
        lab.docker(&words);
        name
    };
    names.into_iter().zip(kinds).map(make).collect()
}

/// A range that no other laboratory has, also if it throws the same dice.
fn unique_subnet() -> String {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).unwrap();
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    format!("fd{:02x}:{:x}:{:x}::/64", bytes[0], word(1), word(3))
}

/// Makes a container, attaches and starts it; nothing if it cannot be made.
fn raise(lab: &Lab, plan: &Plan) -> Option<String> {
    let create: Vec<_> = plan.create.iter().map(String::as_str).collect();
    let words = [&["create"], &create[..], &[IMAGE, "sleep", "100000"]].concat();
    let output = lab.try_docker(&words);
    if !output.status.success() {
        println!(
            "not made: {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        return None;
    }
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    for options in &plan.connect {
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        lab.try_docker(&[&["network", "connect"], &options[..], &[&id]].concat());
    }
    lab.try_docker(&["start", &id]);
    Some(id)
}
