//! What the engine would fetch itself.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::graph::{Graph, Step, metadata, operations};
use super::injection;
use crate::core::host_pattern::HostPattern;
use crate::core::llb::wire::{fields, last_bytes};
use crate::core::llb::{Asking, BridgeSolve, ControlSolve, Fetching, asking, rewrite};

pub(super) fn fetching() -> Fetching {
    Fetching {
        entry: SocketAddr::from(([172, 17, 0, 9], 8790)),
        except: BTreeSet::from(["https://a.test/context.tar".to_owned()]),
        pass_through: HostPattern::list("past.test,tls.test:443").collect(),
    }
}

/// Where a source with these attributes is fetched from, in a graph of which it is all.
fn fetched_from(identifier: &str, attributes: &[(&str, &str)], name: Option<&str>) -> String {
    let mut graph = Graph::default();
    let source = graph.source_with(identifier, attributes);
    let copied = graph.copy(source);
    graph.end(&copied);
    graph.name_first(name);
    let graph = graph.into_bytes();
    let mut injection = injection(true);
    assert_eq!(rewrite(&graph, &injection), Ok(None));
    injection.fetching = Some(fetching());
    let edited = rewrite(&graph, &injection).unwrap();
    if let Some(edited) = &edited {
        assert_eq!(rewrite(edited, &injection), Ok(None));
        // The user's own words stay; the files are for steps.
        assert_eq!(names(edited), [name.unwrap_or(identifier), "[1] step"]);
        assert_eq!(operations(edited).len(), operations(&graph).len());
    }
    let edited = edited.unwrap_or(graph);
    let first = operations(&edited).remove(0);
    let first = fields(&first).unwrap();
    let source = fields(last_bytes(&first, 3)).unwrap();
    String::from_utf8(last_bytes(&source, 1).to_vec()).unwrap()
}

fn names(definition: &[u8]) -> Vec<String> {
    let all = metadata(definition).into_iter();
    all.map(|(_, name)| name).collect()
}

#[test]
fn what_is_added_by_url_is_fetched_by_the_entry() {
    let at_entry = "http://172.17.0.9:8790/.dockline/fetch/https/b.test/x";
    let plain = [("http.filename", "x"), ("http.checksum", "sha256:1")];
    for (attributes, name) in [(&[][..], None), (&plain, None), (&plain, Some("ADD x /"))] {
        assert_eq!(fetched_from("https://b.test/x", attributes, name), at_entry);
    }
    let secret = [("http.filename", "x"), ("http.authheadersecret", "own")];
    for (identifier, attributes) in [
        ("https://b.test/x", &secret[..]),
        ("https://a.test/context.tar", &[]),
        ("https://past.test", &[]),
        ("http://files.past.test:81?x", &[]),
        ("https://tls.test/x", &[]),
        ("https://me:own@b.test/x", &[]),
        ("http://buildkit-session/abc", &[]),
        ("http://build-context-abc/", &[]),
        ("docker-image://docker.io/library/own", &[]),
        ("git://b.test/own.git", &[]),
        ("local://context", &[]),
    ] {
        assert_eq!(fetched_from(identifier, attributes, None), identifier);
    }
}

#[test]
fn what_a_graph_asks_for() {
    for (identifier, has_step, steps, sources) in [
        ("docker-image://own", false, false, false),
        ("docker-image://own", true, true, false),
        ("https://a.test/x", false, false, true),
        ("http://a.test/x", true, true, true),
    ] {
        let mut graph = Graph::default();
        let mut last = graph.source(identifier);
        if has_step {
            last = graph.step(last, &Step::default());
        }
        graph.end(&last);
        let found = asking(&graph.into_bytes()).unwrap();
        assert_eq!(found, Asking { steps, sources }, "{identifier}");
    }
}

#[test]
fn who_rules_by_url_is_heard() {
    // Fields 15, of either call, and 12, of a build's start.
    for (message, bridge, control) in [
        (&b""[..], false, false),
        (b"\x62\x00", false, true),
        (b"\x7a\x00", true, true),
    ] {
        assert_eq!(BridgeSolve::read(message).unwrap().has_policies(), bridge);
        assert_eq!(ControlSolve::read(message).unwrap().has_policies(), control);
    }
    let option = |key: &str, value: &str| {
        let lengths = [key.len(), value.len()].map(|length| u8::try_from(length).unwrap());
        let entry = [
            &[0x0a, lengths[0]],
            key.as_bytes(),
            &[0x12, lengths[1]],
            value.as_bytes(),
        ];
        let entry = entry.concat();
        [&[0x1a, u8::try_from(entry.len()).unwrap()][..], &entry].concat()
    };
    let message = [
        option("filename", "https://a.test/own"),
        option("context", "https://a.test/one"),
        option("context:own", "https://a.test/two"),
    ];
    let contexts = BridgeSolve::read(&message.concat()).unwrap().contexts();
    let expected = ["https://a.test/one", "https://a.test/two"].map(str::to_owned);
    assert_eq!(contexts, Ok(BTreeSet::from(expected)));
}
