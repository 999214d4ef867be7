//! What a container is made with, thrown by dice: names that meet, shadow and hide one another.

use super::chance::Chance;

const WORDS: [&str; 8] = [
    "web",
    "db",
    "Cache_1",
    "api.v2",
    "Worker",
    "under_score",
    "y",
    "db.x",
];
const ALIASES: [&str; 9] = [
    "db",
    "shared",
    "shared",
    "Shared.x",
    "db.x",
    "Under_Score",
    "UPPER",
    "example.com",
    // Engines take it, and never answer to it.
    "dot.",
];
const HOSTNAMES: [&str; 5] = ["db", "shared", "host.dot.example", "Own-Host", "dup"];
const EXTRA_HOSTS: [&str; 8] = [
    "fixed:192.0.2.7",
    "fixed:192.0.2.8",
    "Fixed:192.0.2.7",
    "six:2001:db8::7",
    "db:192.0.2.9",
    "shared:2001:db8::9",
    "dot.ted:192.0.2.10",
    "gate:host-gateway",
];
const LINK_ALIASES: [&str; 5] = ["lk", "Lk2", "db", "shared", "dot.lk"];

/// How a container is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// To user-defined networks.
    Member,
    /// The same, and the engine makes its name up.
    Unnamed,
    /// To the default bridge.
    Bridge,
    /// To the default bridge, with a link to the container of this number.
    Linker(usize),
    /// To what the container of this number has.
    Borrower(usize),
    /// To the host's network.
    Host,
    /// To nothing.
    Lonely,
}

/// The CLI's words that make a container, without its start.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) create: Vec<String>,
    /// For each further network the options and the network.
    pub(super) connect: Vec<Vec<String>>,
}

/// What a plan may refer to.
#[derive(Debug)]
pub(super) struct Scene {
    /// The laboratory's name.
    pub(super) lab: String,
    /// Its networks.
    pub(super) networks: Vec<String>,
    /// Every name that a container was ever given.
    pub(super) names: Vec<String>,
    /// The containers, by number.
    pub(super) ids: Vec<Option<String>>,
}

impl Scene {
    /// A name that nobody has, in which the laboratory's own is.
    pub(super) fn new_name(&self, chance: &mut Chance) -> String {
        let (word, lab, count) = (chance.one_of(&WORDS), &self.lab, self.names.len());
        if chance.percent(50) {
            format!("{lab}-{word}{count}")
        } else {
            format!("{word}{count}.{lab}")
        }
    }

    /// Options of an endpoint on a user-defined network, `--link` and `alias` being what the command calls them.
    pub(super) fn endpoint(&self, chance: &mut Chance, alias: &str) -> Vec<String> {
        let mut options = Vec::new();
        let aliases = chance.below(3);
        for name in chance.some_of(&ALIASES, aliases) {
            options.extend([alias.to_owned(), name.to_owned()]);
        }
        if chance.percent(10) && !self.names.is_empty() {
            let other = self.names[chance.below(self.names.len())].clone();
            options.extend([alias.to_owned(), other]);
        }
        if chance.percent(35) {
            let links = chance.below(2) + 1;
            for name in chance.some_of(&LINK_ALIASES, links) {
                let target = self.link_target(chance);
                options.extend(["--link".to_owned(), format!("{target}:{name}")]);
            }
        }
        options
    }

    fn link_target(&self, chance: &mut Chance) -> String {
        if self.names.is_empty() || chance.percent(30) {
            return chance
                .one_of(&["shared", "db", "nosuch", "UPPER"])
                .to_owned();
        }
        self.names[chance.below(self.names.len())].clone()
    }

    /// A container of that role; its name, if it is given one.
    pub(super) fn plan(&self, chance: &mut Chance, role: Role) -> (Plan, Option<String>) {
        let name = (role != Role::Unnamed).then(|| self.new_name(chance));
        let mut plan = Plan::default();
        plan.create
            .extend(["--label".to_owned(), format!("test={}", self.lab)]);
        if chance.percent(85) {
            plan.create.extend([
                "--label".to_owned(),
                format!("dockline.instance={}", self.lab),
            ]);
        }
        if let Some(name) = &name {
            plan.create.extend(["--name".to_owned(), name.clone()]);
        }
        if !matches!(role, Role::Borrower(_)) {
            plan.create
                .extend(["--dns", "127.0.0.1"].map(str::to_owned));
            if chance.percent(50) {
                let ndots = format!("ndots:{}", chance.below(3));
                plan.create.extend(["--dns-option".to_owned(), ndots]);
            }
            self.add_hosts(chance, role, &mut plan.create);
        }
        self.attach(chance, role, &mut plan);
        (plan, name)
    }

    fn add_hosts(&self, chance: &mut Chance, role: Role, options: &mut Vec<String>) {
        if role != Role::Host && chance.percent(40) {
            let other = chance.percent(25).then(|| self.names.first()).flatten();
            let hostname = chance.one_of(&HOSTNAMES).to_owned();
            options.extend(["--hostname".to_owned(), other.cloned().unwrap_or(hostname)]);
        }
        if role != Role::Host && chance.percent(10) {
            options.extend(["--domainname", "dom.test"].map(str::to_owned));
        }
        if chance.percent(50) {
            let lines = chance.below(4) + 1;
            for line in chance.some_of(&EXTRA_HOSTS, lines) {
                options.extend(["--add-host".to_owned(), line.to_owned()]);
            }
        }
    }

    fn attach(&self, chance: &mut Chance, role: Role, plan: &mut Plan) {
        let number = |number: usize| self.ids[number].clone().unwrap_or_default();
        let network = match role {
            Role::Member | Role::Unnamed => return self.attach_to_networks(chance, plan),
            Role::Bridge => "bridge".to_owned(),
            Role::Linker(target) => {
                // The CLI takes such a link only if the network is not named.
                let link = format!("{}:Legacy", number(target));
                return plan.create.extend(["--link".to_owned(), link]);
            }
            Role::Borrower(lender) => format!("container:{}", number(lender)),
            Role::Host => "host".to_owned(),
            Role::Lonely => "none".to_owned(),
        };
        plan.create.extend(["--network".to_owned(), network]);
    }

    fn attach_to_networks(&self, chance: &mut Chance, plan: &mut Plan) {
        let numbers: Vec<usize> = (0..self.networks.len()).collect();
        let count = chance.below(3) + 1;
        for (position, number) in chance.some_of(&numbers, count).into_iter().enumerate() {
            let network = self.networks[number].clone();
            if position == 0 {
                let options = self.endpoint(chance, "--network-alias");
                plan.create.extend(["--network".to_owned(), network]);
                plan.create.extend(options);
            } else {
                let mut options = self.endpoint(chance, "--alias");
                options.push(network);
                plan.connect.push(options);
            }
        }
    }
}
