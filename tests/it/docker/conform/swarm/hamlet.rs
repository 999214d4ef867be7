//! A swarm of one engine: its services, containers beside them, and what happens to both.

mod residents;

use std::net::IpAddr;

use serde_json::Value;

use super::super::facts::Facts;
use super::super::names::Candidate;
use crate::support::{Lab, eventually};

/// What is asked for, and must be found at some time.
pub(super) const KINDS: [&str; 10] = [
    "service",
    "tasks of a service",
    "alias of a service",
    "name",
    "task",
    "short id",
    "alias",
    "hostname",
    "NAME.NETWORK",
    "address",
];
/// Aliases of services, at one time or another. The last one belongs to two services.
const ALIASES: [&str; 5] = ["front", "Caps.Dot", "later", "back", "both"];
/// What a machine says that cannot make such networks.
const NO_OVERLAY: [&str; 2] = ["vxlan", "operation not supported"];

/// The last one is published, and so on the swarm's own network as well.
const SERVICES: [&str; 4] = ["web", "api", "sick", "pub"];
const INGRESS: &str = "ingress";

/// Something that happens, and how many tasks of each service run afterwards.
pub(super) struct Step {
    pub(super) what: &'static str,
    act: fn(&Hamlet<'_>),
    tasks: [usize; 4],
}

/// See the module.
#[derive(Debug)]
pub(super) struct Hamlet<'a> {
    pub(super) lab: &'a Lab,
    /// The swarm's network, and the engine's own.
    pub(super) net: String,
    pub(super) local: String,
}

impl<'a> Hamlet<'a> {
    pub(super) const STEPS: &'static [Step] = &[
        Step {
            what: "the beginning",
            act: |_| {},
            tasks: [2, 2, 1, 1],
        },
        Step {
            what: "scaling",
            act: |hamlet| hamlet.scale(),
            tasks: [4, 1, 1, 1],
        },
        Step {
            what: "the recovery of a task",
            act: |hamlet| hamlet.heal(),
            tasks: [4, 1, 1, 1],
        },
        Step {
            what: "the death of tasks",
            act: |hamlet| hamlet.kill_tasks(),
            tasks: [4, 1, 1, 1],
        },
        Step {
            what: "the end of a service's tasks",
            act: |hamlet| hamlet.end_tasks(),
            tasks: [0, 1, 1, 1],
        },
        Step {
            what: "other aliases",
            act: |hamlet| hamlet.change_aliases(),
            tasks: [2, 1, 1, 1],
        },
        Step {
            what: "changes beside the services",
            act: |hamlet| hamlet.change_containers(),
            tasks: [2, 1, 1, 1],
        },
        Step {
            what: "the end of a service",
            act: |hamlet| hamlet.end_service(),
            tasks: [2, 0, 1, 1],
        },
        Step {
            what: "the end of all tasks",
            act: |hamlet| hamlet.end_tasks(),
            tasks: [0, 0, 1, 1],
        },
    ];

    /// Makes the swarm and all that is in it; nothing, if the machine cannot have such networks.
    pub(super) async fn found(lab: &'a Lab) -> Option<Self> {
        // Another engine may not have let go of the ports yet.
        eventually("a swarm", async || {
            // What a test left that was killed.
            leave(lab);
            let address = ["--advertise-addr", "127.0.0.1"];
            let listen = ["--listen-addr", "127.0.0.1:2377"];
            let made = lab.try_docker(&[&["swarm", "init"], &address[..], &listen].concat());
            let said = String::from_utf8_lossy(&made.stderr).into_owned();
            made.status.success().then_some(()).ok_or(said)
        })
        .await;
        let hamlet = Self {
            lab,
            net: lab.own("ov"),
            local: lab.own("local"),
        };
        lab.network("ov", &["--driver", "overlay", "--attachable"]);
        lab.network("local", &[]);
        if let Err(why) = hamlet.try_container("c", &[]) {
            let known = NO_OVERLAY.iter().any(|words| why.contains(words));
            assert!(known, "a container on an overlay network: {why}");
            println!("left out: this machine has no overlay networks: {why}");
            return None;
        }
        let connect = [
            "network",
            "connect",
            "--alias",
            "both",
            &hamlet.local,
            &hamlet.name("c"),
        ];
        lab.docker(&connect);
        hamlet
            .try_container("plain", &["--network-alias", "mine"])
            .unwrap();
        // On the engine's own network it has names that are services' on the swarm's.
        let service = hamlet.name("web");
        let options = [
            "--network",
            &hamlet.local,
            "--network-alias",
            &service,
            "--network-alias",
            "front",
        ];
        lab.serve_page("other", &options);
        hamlet.make_services();
        Some(hamlet)
    }

    pub(super) fn name(&self, name: &str) -> String {
        self.lab.own(name)
    }

    /// Does it, and waits until as many tasks run as are to.
    pub(super) async fn take(&self, step: &Step) {
        (step.act)(self);
        let (what, tasks) = (step.what, step.tasks);
        eventually(&format!("{tasks:?} tasks after {what}"), async || {
            let running = SERVICES.map(|service| self.tasks(service).len());
            (running == tasks)
                .then_some(())
                .ok_or(format!("{running:?}"))
        })
        .await;
    }

    /// The running containers of a service.
    pub(super) fn tasks(&self, service: &str) -> Vec<String> {
        let name = self.name(service);
        let filter = format!("label=com.docker.swarm.service.name={name}");
        let ids = self.lab.docker(&["ps", "-q", "--filter", &filter]);
        ids.lines().map(str::to_owned).collect()
    }

    fn update(&self, name: &str, options: &[&str]) {
        let fixed = ["service", "update", "--detach", "--no-resolve-image"];
        self.lab
            .docker(&[&fixed, options, &[&self.name(name)]].concat());
    }

    fn scale(&self) {
        self.update("web", &["--replicas", "4"]);
        self.update("api", &["--replicas", "1"]);
    }

    fn heal(&self) {
        for task in self.tasks("sick") {
            self.lab.docker(&["exec", &task, "touch", "/healthy"]);
        }
    }

    fn kill_tasks(&self) {
        for task in [self.tasks("web"), self.tasks("api")]
            .iter()
            .filter_map(|tasks| tasks.first())
        {
            self.lab.docker(&["kill", task]);
            self.lab.try_docker(&["wait", task]);
        }
    }

    /// With nobody running: a service keeps its first task's aliases as long as it has tasks.
    fn change_aliases(&self) {
        let add = format!("name={},alias=later,alias=back", self.net);
        self.update(
            "web",
            &[
                "--network-rm",
                &self.net,
                "--network-add",
                &add,
                "--replicas",
                "2",
            ],
        );
    }

    fn change_containers(&self) {
        // No rename: engine 26 refuses it on such networks, and says half of it all the same.
        let c = self.name("c");
        self.lab.docker(&["network", "disconnect", &self.net, &c]);
        self.lab
            .docker(&["network", "connect", "--alias", "again", &self.net, &c]);
    }

    fn end_service(&self) {
        self.lab.docker(&["service", "rm", &self.name("api")]);
    }

    fn end_tasks(&self) {
        self.update("web", &["--replicas", "0"]);
    }

    /// The services' virtual addresses on all networks.
    pub(super) fn virtual_addresses(&self) -> Vec<IpAddr> {
        let names = self.lab.docker(&["service", "ls", "--format", "{{.Name}}"]);
        let names: Vec<_> = names.lines().collect();
        let inspected = self
            .lab
            .docker(&[&["service", "inspect"], &names[..]].concat());
        let services: Vec<Value> = serde_json::from_str(&inspected).unwrap();
        let addresses = services.iter().flat_map(|service| {
            let all = service["Endpoint"]["VirtualIPs"]
                .as_array()
                .into_iter()
                .flatten();
            all.filter_map(|one| one["Addr"].as_str()?.split('/').next()?.parse().ok())
        });
        addresses.collect()
    }

    /// Every name that there is or was, as it stands and in other ways of writing it.
    pub(super) fn candidates(&self, facts: &[Facts]) -> Vec<Candidate> {
        let mut bases: Vec<(String, &'static str)> = Vec::new();
        let services = SERVICES.map(|name| (self.name(name), "service"));
        let aliases = ALIASES.map(|name| (name.to_owned(), "alias of a service"));
        for (name, kind) in services.into_iter().chain(aliases) {
            bases.push((format!("tasks.{name}"), "tasks of a service"));
            bases.push((format!("{name}.1"), "slot"));
            bases.push((name, kind));
        }
        for one in facts {
            let kind = if one.name.matches('.').count() == 2 {
                "task"
            } else {
                "name"
            };
            bases.push((one.name.clone(), kind));
            let id = &one.id[..12];
            bases.push((id.to_owned(), "short id"));
            if one.hostname != id {
                bases.push((one.hostname.clone(), "hostname"));
            }
            // Engine 20 has both among the aliases.
            let known = |alias: &&String| *alias != id && **alias != one.hostname;
            let aliases = one.aliases.iter().filter(known);
            let aliases = aliases.filter(|alias| !ALIASES.contains(&alias.as_str()));
            bases.extend(aliases.map(|alias| (alias.clone(), "alias")));
        }
        for name in [
            &self.name("plain"),
            &format!("{}-endpoint", self.net),
            "tasks",
            "no.such",
        ] {
            bases.push((name.to_owned(), "unknown"));
        }
        bases.sort();
        bases.dedup_by(|a, b| a.0 == b.0);
        let (net, local) = (&self.net, &self.local);
        let all = bases.iter().flat_map(|(name, kind)| {
            let qualified = |network: &str| (format!("{name}.{network}"), "NAME.NETWORK");
            [
                (name.clone(), *kind),
                (name.to_uppercase(), *kind),
                qualified(net),
                qualified(local),
                qualified(INGRESS),
                (format!("{name}.{}", net.to_uppercase()), "wrong case"),
            ]
        });
        all.map(|(name, kind)| Candidate { name, kind }).collect()
    }
}

impl Drop for Hamlet<'_> {
    /// Leaves the engine as it was.
    fn drop(&mut self) {
        for name in SERVICES {
            self.lab.try_docker(&["service", "rm", &self.name(name)]);
        }
        for name in ["c", "plain", "other"] {
            self.lab.try_docker(&["rm", "-fv", &self.name(name)]);
        }
        leave(self.lab);
    }
}

/// Takes the engine out of its swarm, with the network that it made for it.
fn leave(lab: &Lab) {
    lab.try_docker(&["swarm", "leave", "--force"]);
    lab.try_docker(&["network", "rm", "docker_gwbridge"]);
}
