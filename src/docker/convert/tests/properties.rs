//! Whatever an engine says: fields missing, null, or of another type. Some of it is an error, none of it a panic.

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::*;

/// What takes the place of a value.
const STRANGE: [&str; 14] = [
    "null",
    "true",
    "-1",
    "300",
    "1e99",
    "\"\"",
    "\"x\"",
    "\"/:/\"",
    "\"0.0.0.0/99\"",
    "\"::1\"",
    "\"RTMIN+255\"",
    "[]",
    "{}",
    "[null, {}]",
];

fn inspect() -> Value {
    json!({
        "Id": "aa", "Name": "/web", "State": {"Running": true, "Status": "running"},
        "Config": {"Hostname": "h", "Labels": {"k": "v"}, "StopSignal": "RTMIN+3", "StopTimeout": 3},
        "HostConfig": {"NetworkMode": "container:ff", "ExtraHosts": ["a:10.0.0.1", "b"], "Links": ["/db:/web/db"]},
        "NetworkSettings": {"Networks": {"bridge": {
            "NetworkID": "01", "EndpointID": "e", "IPAddress": "10.0.0.2", "Gateway": "10.0.0.1",
            "GlobalIPv6Address": "fd00::2", "IPv6Gateway": "fd00::1", "Aliases": ["w"], "DNSNames": ["web"],
            "Links": ["db:database", "cache"],
        }}},
    })
}

fn line() -> Value {
    json!({
        "Id": "aa", "Names": ["/web", "/other/alias"], "Labels": {"k": "v"}, "State": "running",
        "NetworkSettings": {"Networks": {"n": {"NetworkID": "01", "EndpointID": "e"}}},
    })
}

fn network_of_all_kinds() -> Value {
    json!({
        "Id": "01", "Name": "n1", "Driver": "bridge", "EnableIPv6": true, "Internal": true, "Labels": {"k": "v"},
        "IPAM": {"Config": [
            {"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1/16", "AuxiliaryAddresses": {"x": "10.1.0.9"}},
            {"Subnet": "fd00:1::/64"},
        ]},
        "Options": {"com.docker.network.bridge.enable_icc": "false"},
    })
}

fn message(kind: &str, action: &str) -> Value {
    json!({
        "Type": kind, "Action": action, "timeNano": 7, "time": 1,
        "Actor": {"ID": "01", "Attributes": {"container": "aa", "name": "n1", "signal": "15"}},
    })
}

/// The same value with some of its parts changed, as `dice` will have it: most throws leave a part alone.
fn mangled(value: Value, dice: &mut impl Iterator<Item = u8>) -> Option<Value> {
    match dice.next().unwrap_or(u8::MAX) {
        0..8 => return None,
        throw @ 8..36 => {
            let text = STRANGE[usize::from(throw) % STRANGE.len()];
            return serde_json::from_str(text).ok();
        }
        _ => {}
    }
    Some(match value {
        Value::Object(fields) => {
            let fields = fields.into_iter();
            let kept: Map<_, _> = fields
                .filter_map(|(key, value)| Some((key, mangled(value, dice)?)))
                .collect();
            Value::Object(kept)
        }
        Value::Array(items) => items
            .into_iter()
            .filter_map(|item| mangled(item, dice))
            .collect(),
        plain => plain,
    })
}

/// Reads `value` as the client does, and translates it if it can be read.
fn read<T: DeserializeOwned, U>(value: &Value, translate: impl Fn(T) -> Option<U>) -> Option<U> {
    serde_json::from_value(value.clone())
        .ok()
        .and_then(translate)
}

proptest! {
    #[test]
    fn answers_of_any_shape_are_read_or_refused(dice in prop::collection::vec(any::<u8>(), 80)) {
        let mut dice = dice.into_iter();
        for sound in [inspect(), line(), network_of_all_kinds()] {
            let value = mangled(sound, &mut dice).unwrap_or_default();
            if let Some(read) = read(&value, container) {
                prop_assert_eq!(Some(read.id.as_str()), value["Id"].as_str());
                prop_assert!(read.state == RunState::Running || read.endpoints.is_empty());
            }
            if let Some(read) = read(&value, listed) {
                prop_assert_eq!(Some(read.id.as_str()), value["Id"].as_str());
            }
            let (listed, inspected) = (read(&value, listed_network), read(&value, inspected_network));
            if let (Some(listed), Some(inspected)) = (listed, inspected) {
                prop_assert_eq!(listed, inspected);
            }
        }
    }

    #[test]
    fn events_of_any_shape_are_read_or_refused(
        dice in prop::collection::vec(any::<u8>(), 20),
        kind in prop::sample::select(&["container", "network", "image", "\u{0}"][..]),
        action in prop::sample::select(&["create", "kill", "die", "connect", "disconnect", "nonsense"][..]),
    ) {
        let sound = message(kind, action);
        prop_assert_eq!(read(&sound, event).is_some(), matches!(
            (kind, action),
            ("container", "create" | "kill" | "die") | ("network", "create" | "connect" | "disconnect")
        ));
        let value = mangled(sound, &mut dice.into_iter()).unwrap_or_default();
        read(&value, event);
    }

    #[test]
    fn any_text_is_a_signal_or_none(text in "(SIG|sig)?(RTMIN|TERM)?[+]?[0-9]{0,4}|\\PC{0,12}") {
        if let Some(number) = signal(&text) {
            prop_assert!(text.parse() == Ok(number) || text.to_uppercase().contains(char::is_alphabetic));
        }
    }

    #[test]
    fn any_text_is_an_address_a_link_or_a_mode(text in "[0-9a-f:./]{0,24}|\\PC{0,24}") {
        let canonical = parse_address(&text).map(|address| address.to_string());
        if let Some(canonical) = canonical {
            prop_assert!(parse_address(&canonical).is_some());
        }
        link(&text);
        legacy_link(&text);
        network_mode(&text);
    }
}
