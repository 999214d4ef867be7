//! The rules of HAR 1.2, for everything that any test of these leaves behind: which fields there must be, and of what kind.

use serde_json::Value;

#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// A text that says something.
    Filled,
    Whole,
    Number,
    Moment,
    Url,
    Object(Rules),
    List(Rules),
}

use Kind::{Filled, List, Moment, Number, Object, Text, Url, Whole};

/// A field that may be missing ends in `?`. Others are dockline's own, and begin with `_`.
type Rules = &'static [(&'static str, Kind)];

const PAIR: Rules = &[("name", Text), ("value", Text), ("comment?", Text)];
const POSTED: Rules = &[("mimeType", Text), ("text", Text), ("comment?", Text)];
const CONTENT: Rules = &[
    ("size", Whole),
    ("compression?", Whole),
    ("mimeType", Text),
    ("text?", Text),
    ("encoding?", Filled),
    ("comment?", Text),
];
const REQUEST: Rules = &[
    ("method", Filled),
    ("url", Url),
    ("httpVersion", Filled),
    ("cookies", List(PAIR)),
    ("headers", List(PAIR)),
    ("queryString", List(PAIR)),
    ("postData?", Object(POSTED)),
    ("headersSize", Whole),
    ("bodySize", Whole),
];
const RESPONSE: Rules = &[
    ("status", Whole),
    ("statusText", Text),
    ("httpVersion", Filled),
    ("cookies", List(PAIR)),
    ("headers", List(PAIR)),
    ("content", Object(CONTENT)),
    ("redirectURL", Text),
    ("headersSize", Whole),
    ("bodySize", Whole),
];
const ENTRY: Rules = &[
    ("startedDateTime", Moment),
    ("time", Number),
    ("request", Object(REQUEST)),
    ("response", Object(RESPONSE)),
    ("cache", Object(&[])),
    (
        "timings",
        Object(&[("send", Number), ("wait", Number), ("receive", Number)]),
    ),
    ("comment?", Text),
];
const LOG: Rules = &[
    ("version", Filled),
    ("creator", Object(&[("name", Filled), ("version", Filled)])),
    ("entries", List(ENTRY)),
];

/// Fails if that is no archive.
pub(super) fn obeyed(archive: &Value) {
    fields(archive, &[("log", Object(LOG))], "");
    for entry in archive["log"]["entries"].as_array().unwrap() {
        let timings = entry["timings"].as_object().unwrap();
        let sum: f64 = timings.values().map(|time| time.as_f64().unwrap()).sum();
        let time = entry["time"].as_f64().unwrap();
        assert!(
            (sum - time).abs() < 0.01,
            "{time} is not the sum of {timings:?}"
        );
    }
}

fn fields(value: &Value, rules: Rules, path: &str) {
    let object = value.as_object();
    let object = object.unwrap_or_else(|| panic!("{path} is no object: {value}"));
    for (name, kind) in rules {
        let may_be_missing = name.ends_with('?');
        let name = name.trim_end_matches('?');
        let path = format!("{path}.{name}");
        match object.get(name) {
            Some(value) => check(value, *kind, &path),
            None => assert!(may_be_missing, "{path} is missing in {value}"),
        }
    }
    for name in object.keys() {
        let known = rules
            .iter()
            .any(|(rule, _)| rule.trim_end_matches('?') == name);
        assert!(known || name.starts_with('_'), "{path}.{name} is not known");
    }
}

fn check(value: &Value, kind: Kind, path: &str) {
    let text = || value.as_str().filter(|text| !text.is_empty());
    let good = match kind {
        Object(rules) => return fields(value, rules, path),
        List(rules) => {
            let list = value.as_array();
            let list = list.unwrap_or_else(|| panic!("{path} is no list: {value}"));
            return list.iter().for_each(|value| fields(value, rules, path));
        }
        Text => value.is_string(),
        Filled => text().is_some(),
        Whole => value.is_i64() || value.is_u64(),
        Number => value.as_f64().is_some_and(|number| number >= 0.0),
        Moment => text().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        Url => text()
            .and_then(|text| text.split_once("://"))
            .is_some_and(|(scheme, rest)| {
                let rest = rest.split('/').next().unwrap_or_default();
                matches!(scheme, "http" | "https" | "tcp") && !rest.is_empty()
            }),
    };
    assert!(good, "{path}: {value}");
}
