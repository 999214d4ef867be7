mod properties;

use serde_json::json;

use super::*;
use crate::core::tracker::{Event, EventKind};

#[test]
fn signals_by_number_and_name() {
    for (text, number) in [
        ("15", Some(15)),
        ("SIGTERM", Some(15)),
        ("term", Some(15)),
        ("SIGKILL", Some(9)),
        ("SIGRTMIN+3", Some(37)),
        ("RTMIN", Some(34)),
        ("SIGNONSENSE", None),
        ("SIGRTMIN+250", None),
        ("300", None),
    ] {
        assert_eq!(signal(text), number, "{text}");
    }
}

#[test]
fn a_stopped_container_has_no_endpoints() {
    let inspect = |running: bool| {
        let value = json!({
            "Id": "aa", "Name": "/web", "State": {"Running": running},
            "Config": {"Hostname": "h", "Labels": {"k": "v"}, "StopSignal": "SIGINT"},
            "HostConfig": {"NetworkMode": "n1"},
            "NetworkSettings": {"Networks": {
                "n1": {"NetworkID": "01", "EndpointID": "e", "IPAddress": "10.0.0.2", "Gateway": "10.0.0.1",
                       "Aliases": ["w"], "Links": ["db:database", "cache"]},
                "n2": {"NetworkID": "", "EndpointID": "", "IPAddress": ""},
            }},
        });
        container(serde_json::from_value(value).unwrap()).unwrap()
    };
    assert!(inspect(false).endpoints.is_empty());
    let running = inspect(true);
    assert_eq!(
        (
            running.name.as_str(),
            running.stop_signal,
            running.stop_timeout
        ),
        ("web", 2, Some(10))
    );
    assert_eq!(running.endpoints.len(), 1);
    let links: Vec<_> = running.endpoints[0]
        .links
        .iter()
        .map(|l| (l.target.as_str(), l.alias.as_str()))
        .collect();
    assert_eq!(links, [("db", "database"), ("cache", "cache")]);
}

#[test]
fn network_modes() {
    let id = "f".repeat(64);
    for (text, mode) in [
        ("default", NetworkMode::Endpoints),
        ("shop_default", NetworkMode::Endpoints),
        ("host", NetworkMode::Host),
        ("none", NetworkMode::None),
        (
            &format!("container:{id}"),
            NetworkMode::Container(ContainerId::from(&id)),
        ),
    ] {
        assert_eq!(network_mode(text), mode);
    }
}

#[test]
fn events_that_matter() {
    let translate = |value| event(serde_json::from_value(value).unwrap());
    let connect = json!({
        "Type": "network", "Action": "connect", "timeNano": 7,
        "Actor": {"ID": "01", "Attributes": {"container": "aa", "name": "n1"}},
    });
    let kind = EventKind::Connected {
        container: "aa".into(),
        network: "01".into(),
    };
    assert_eq!(translate(connect), Some(Event { time: 7, kind }));
    let kill = json!({
        "Type": "container", "Action": "kill", "timeNano": 8,
        "Actor": {"ID": "aa", "Attributes": {"signal": "15"}},
    });
    assert_eq!(
        translate(kill).unwrap().kind,
        EventKind::Killed {
            id: "aa".into(),
            signal: 15
        }
    );
    let created = EventKind::NetworkCreated { id: "n1".into() };
    let destroyed = EventKind::NetworkDestroyed { id: "n1".into() };
    for (thing, action, kind) in [
        ("network", "create", &created),
        ("network", "update", &created),
        ("network", "remove", &destroyed),
        ("network", "destroy", &destroyed),
        ("service", "create", &EventKind::SwarmChanged),
        ("node", "update", &EventKind::SwarmChanged),
    ] {
        let message = json!({"Type": thing, "Action": action, "Actor": {"ID": "n1"}});
        assert_eq!(&translate(message).unwrap().kind, kind, "{thing} {action}");
    }
    for action in ["exec_create: sh", "health_status: healthy", "top", "resize"] {
        let noise = json!({"Type": "container", "Action": action, "Actor": {"ID": "aa"}});
        assert_eq!(translate(noise), None);
    }
}

#[test]
fn networks_by_their_options() {
    let inspect = json!({
        "Id": "01", "Name": "n1", "Driver": "bridge", "EnableIPv6": true, "Internal": true,
        "IPAM": {"Config": [
            {"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1/16", "AuxiliaryAddresses": {"x": "10.1.0.9"}},
            {"Subnet": "fd00:1::/64"},
        ]},
        "Options": {"com.docker.network.bridge.enable_icc": "false"},
    });
    let network = inspected_network(serde_json::from_value(inspect).unwrap()).unwrap();
    assert!(network.internal && network.ipv6 && !network.icc && !network.default_bridge);
    assert_eq!(
        network.subnets[0].gateway,
        Some("10.1.0.1".parse().unwrap())
    );
    assert!(
        network.subnets[0]
            .reserved
            .contains(&"10.1.0.9".parse::<IpAddr>().unwrap())
    );
    assert_eq!(network.subnets[1].gateway, None);
}

#[test]
fn a_legacy_link_belongs_to_the_default_bridge() {
    let value = json!({
        "Id": "aa", "Name": "/web", "State": {"Running": true},
        "HostConfig": {"NetworkMode": "default", "Links": ["/db:/web/database", "/db:/web/db"]},
        "NetworkSettings": {"Networks": {
            "bridge": {"NetworkID": "01", "EndpointID": "e", "IPAddress": "172.17.0.2"},
            "n1": {"NetworkID": "02", "EndpointID": "f", "IPAddress": "10.0.0.2"},
        }},
    });
    let container = container(serde_json::from_value(value).unwrap()).unwrap();
    let links = |network: &str| {
        let links = &container.endpoint(&network.into()).unwrap().links;
        links
            .iter()
            .map(|l| format!("{}:{}", l.target, l.alias))
            .collect::<Vec<_>>()
    };
    assert_eq!(links("01"), ["db:database", "db:db"]);
    assert_eq!(links("02"), Vec::<String>::new());
}

#[test]
fn what_a_swarm_says_of_a_network() {
    let network = json!({
        "Id": "n1", "Name": "ov", "Driver": "overlay", "Scope": "swarm", "Attachable": true,
        "IPAM": {"Config": [{"Subnet": "10.0.1.0/24", "Gateway": "10.0.1.1"}]},
    });
    let network = inspected_network(serde_json::from_value(network).unwrap()).unwrap();
    assert!(network.has_services() && network.attachable && !network.ingress);
    let info = json!({
        "": {"VIP": "<nil>", "Tasks": [{"Name": "c", "EndpointID": "e3", "EndpointIP": "10.0.1.9", "Info": null}]},
        "web": {"VIP": "10.0.1.2", "Ports": [], "LocalLBIndex": 256, "Tasks": [
            {"Name": "web.2.t2", "EndpointID": "e2", "EndpointIP": "10.0.1.4", "Info": {"Host IP": "127.0.0.1"}},
            {"Name": "web.1.t1", "EndpointID": "e1", "EndpointIP": "10.0.1.3"},
            {"Name": "odd", "EndpointID": "e0", "EndpointIP": ""}]},
        "odd": [],
    });
    let tasks = json!([
        {"ID": "t1", "Status": {"ContainerStatus": {"ContainerID": "aa"}}, "DesiredState": "running",
         "Spec": {"ContainerSpec": {"Hostname": "h"}, "Networks": [
            {"Target": "n1", "Aliases": ["front"]}, {"Target": "ov"}, {"Target": "n2", "Aliases": ["no"]}]}},
        {"ID": "t2", "Status": {}, "Spec": {}},
        {"Spec": {}},
    ]);
    let said = services(
        &network,
        serde_json::from_value(info).unwrap(),
        Some(serde_json::from_value(tasks).unwrap()),
    );
    let endpoints: Vec<_> = said
        .endpoints
        .iter()
        .map(|e| (e.id.as_str(), e.service.as_deref(), e.vip, e.task()))
        .collect();
    let vip = Some(std::net::Ipv4Addr::new(10, 0, 1, 2));
    assert_eq!(
        endpoints,
        [
            ("e1", Some("web"), vip, Some("t1")),
            ("e2", Some("web"), vip, Some("t2")),
            ("e3", None, None, None)
        ]
    );
    let task = said.task(&said.endpoints[0]).unwrap();
    assert_eq!(task.container, Some("aa".into()));
    assert_eq!(task.hostname.as_deref(), Some("h"));
    assert_eq!(task.aliases, ["front"]);
    assert_eq!(said.tasks.map(|tasks| tasks.len()), Some(2));
}
