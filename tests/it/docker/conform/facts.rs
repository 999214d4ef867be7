//! What the engine says of the laboratory's containers, read without dockline.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::support::Lab;

/// One container.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) watched: bool,
    /// Of a container that runs, or is paused.
    pub(super) pid: Option<u32>,
    pub(super) hostname: String,
    pub(super) domain: String,
    pub(super) aliases: BTreeSet<String>,
    pub(super) links: BTreeSet<String>,
    pub(super) extra_hosts: BTreeSet<String>,
    /// Its own, and those of its networks' gateways.
    pub(super) addresses: BTreeSet<IpAddr>,
    /// The container whose network namespace it was started in.
    pub(super) lender: Option<String>,
}

/// All of the laboratory's containers.
pub(super) fn of(lab: &Lab) -> Vec<Facts> {
    let filter = format!("label=test={}", lab.name);
    let ids = lab.docker(&["ps", "-aq", "--no-trunc", "--filter", &filter]);
    let ids: Vec<_> = ids.lines().collect();
    // One that is gone meanwhile is missing.
    let inspected = lab.try_docker(&[["inspect"].as_slice(), &ids].concat());
    let inspected: Vec<Value> = serde_json::from_slice(&inspected.stdout).unwrap();
    inspected.iter().map(|value| one(lab, value)).collect()
}

fn one(lab: &Lab, value: &Value) -> Facts {
    let config = &value["Config"];
    let pid = value["State"]["Pid"].as_u64().unwrap_or_default();
    let mut facts = Facts {
        id: text(&value["Id"]),
        name: text(&value["Name"]).trim_start_matches('/').to_owned(),
        watched: text(&config["Labels"]["dockline.instance"]) == lab.name,
        pid: u32::try_from(pid).ok().filter(|pid| *pid != 0),
        hostname: text(&config["Hostname"]),
        domain: text(&config["Domainname"]),
        aliases: BTreeSet::new(),
        links: BTreeSet::new(),
        extra_hosts: BTreeSet::new(),
        addresses: BTreeSet::new(),
        lender: text(&value["HostConfig"]["NetworkMode"])
            .strip_prefix("container:")
            .map(str::to_owned),
    };
    for line in texts(&value["HostConfig"]["ExtraHosts"]) {
        let host = line.split_once(':').map(|(host, _)| host.to_owned());
        facts.extra_hosts.extend(host);
    }
    // `/TARGET:/OWN-NAME/ALIAS`
    for link in texts(&value["HostConfig"]["Links"]) {
        let alias = link.rsplit_once('/').map(|(_, alias)| alias.to_owned());
        facts.links.extend(alias);
    }
    let networks = value["NetworkSettings"]["Networks"].as_object();
    for endpoint in networks.into_iter().flat_map(|networks| networks.values()) {
        facts.aliases.extend(texts(&endpoint["Aliases"]));
        for link in texts(&endpoint["Links"]) {
            let alias = link.split_once(':').map(|(_, alias)| alias.to_owned());
            facts.links.extend(alias);
        }
        for key in ["IPAddress", "GlobalIPv6Address", "Gateway", "IPv6Gateway"] {
            facts
                .addresses
                .extend(text(&endpoint[key]).parse::<IpAddr>());
        }
    }
    facts
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.map(text).collect()
}
