//! Networks of a container made anew.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::body::{is_empty, object};
use super::{Original, SHORT};

/// What of an endpoint the engine found out, and nobody asked for.
const FOUND: [&str; 9] = [
    "NetworkID",
    "EndpointID",
    "Gateway",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "DNSNames",
];

pub(super) type Endpoints = (
    Option<(String, Value)>,
    Vec<(String, Value)>,
    Option<String>,
);

/// The endpoint that is given at creation, those of later, and a network to leave.
pub(super) fn endpoints(original: &Original, mode: &str) -> Endpoints {
    let networks = object(original.inspect().pointer("/NetworkSettings/Networks"));
    if mode.starts_with("container:") {
        return (None, Vec::new(), None);
    }
    let is_first = |name: &str, settings: &Value| {
        let by_name = match mode {
            "" | "default" => name == "bridge",
            mode => name == mode,
        };
        let id = settings["NetworkID"].as_str().unwrap_or_default();
        by_name || (mode.len() >= SHORT && id.starts_with(mode))
    };
    let (mut at_create, mut connect, mut there) = (None, Vec::new(), false);
    for (name, settings) in networks {
        let first = is_first(&name, &settings);
        let asked = asked_for(original, &settings, first);
        if !first {
            connect.push((name, asked));
            continue;
        }
        there = true;
        if !is_empty(Some(&asked)) {
            at_create = Some((name, asked));
        }
    }
    // Somebody disconnected it from the network that it was made on.
    let nowhere = matches!(mode, "none" | "host");
    let leave = (!there && !nowhere).then(|| match mode {
        "" | "default" => "bridge".to_owned(),
        mode => mode.to_owned(),
    });
    (at_create, connect, leave)
}

/// What somebody asked for of what an endpoint has.
fn asked_for(original: &Original, settings: &Value, first: bool) -> Value {
    let mut asked = object(Some(settings));
    asked.retain(|key, value| {
        !FOUND.contains(&key.as_str())
            && !matches!(value, Value::Null)
            && *value != json!(0)
            && *value != json!("")
    });
    if let Some(Value::Array(aliases)) = asked.get_mut("Aliases") {
        take_own_names(aliases, original);
        if aliases.is_empty() {
            asked.remove("Aliases");
        }
    }
    let own = original.text("/Config/MacAddress");
    if first && !own.is_empty() {
        asked.insert("MacAddress".to_owned(), json!(own));
    } else if asked
        .get("MacAddress")
        .and_then(Value::as_str)
        .map(str::to_owned)
        == made_up(settings)
    {
        asked.remove("MacAddress");
    }
    Value::Object(asked)
}

/// Takes out the names that each container gets from the engine: its short id, and before engine 25 the host name after
/// that.
fn take_own_names(aliases: &mut Vec<Value>, original: &Original) {
    if let [.., id, host] = aliases.as_slice()
        && id == original.short_id()
        && host == original.text("/Config/Hostname")
    {
        aliases.pop();
    }
    aliases.retain(|alias| alias != original.short_id());
}

/// The hardware address that engines before 28 make of an endpoint's IPv4 address.
fn made_up(settings: &Value) -> Option<String> {
    let address: Ipv4Addr = settings["IPAddress"].as_str()?.parse().ok()?;
    let [a, b, c, d] = address.octets();
    Some(format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}"))
}
