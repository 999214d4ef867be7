//! Graphs made by hand, as the Dockerfile's frontend makes them, and graphs made by chance.

mod calls;
mod graph;
mod sources;

use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Malformed, StepFiles, StepInjection, asking, digest, rewrite};
use graph::{Graph, Step, shown};

fn injection(files: bool) -> StepInjection {
    let content: [(&str, &[u8]); 2] = [("ca.pem", b"CA"), ("php/dockline.ini", b"INI")];
    StepInjection {
        instance: "default".parse().unwrap(),
        address: IpAddr::from([172, 17, 0, 9]),
        files: files.then(|| Arc::new(StepFiles::of(&content))),
        intercept_loopback: false,
        fetching: None,
    }
}

/// `FROM base AS one` / `RUN …` / `FROM scratch` / `COPY --from=one`.
fn two_stages() -> Graph {
    let mut graph = Graph::default();
    let base = graph.source("docker-image://base");
    let step = Step {
        env: &[
            "PATH=/bin",
            "HTTP_PROXY=http://image:1",
            "CURL_CA_BUNDLE=/own.pem",
        ],
        proxies: &[
            (2, "http://user:3128"),
            (3, "http://ftp:1"),
            (4, "corp.test"),
        ],
        ..Step::default()
    };
    let run = graph.step(base, &step);
    let copied = graph.copy(run);
    graph.end(&copied);
    graph
}

#[test]
fn a_graph_with_its_run_step_intercepted() {
    let before = two_stages().into_bytes();
    let after = rewrite(&before, &injection(true)).unwrap().unwrap();
    let expected = include_str!("../../../tests/data/llb/two-stages.txt");
    let found = format!("before\n{}\nafter\n{}", shown(&before), shown(&after));
    assert!(found == expected, "{found}");
}

#[test]
fn without_an_authority_a_step_gets_its_proxy_alone() {
    let after = rewrite(&two_stages().into_bytes(), &injection(false));
    let shown = shown(&after.unwrap().unwrap());
    assert!(
        shown.contains("http://dockline-tunnel-default:8790"),
        "{shown}"
    );
    assert!(!shown.contains(".dockline"), "{shown}");
    assert!(shown.contains("CURL_CA_BUNDLE=/own.pem"), "{shown}");
}

#[test]
fn the_tunnels_address_is_in_the_hosts_line_alone() {
    let graph = two_stages().into_bytes();
    let one = shown(&rewrite(&graph, &injection(true)).unwrap().unwrap());
    let mut injection = injection(true);
    injection.address = IpAddr::from([172, 17, 0, 77]);
    let two = shown(&rewrite(&graph, &injection).unwrap().unwrap());
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|l| !l.contains("host dockline-tunnel"));
        lines.map(graph::without_digests).collect()
    };
    assert_eq!(lines(&one), lines(&two));
}

#[test]
fn what_has_no_way_to_the_tunnel_or_is_no_step_stays() {
    let mut graph = Graph::default();
    let base = graph.source("docker-image://base");
    let offline = graph.step(
        base,
        &Step {
            network: 2,
            ..Step::default()
        },
    );
    let windows = graph.step(
        offline,
        &Step {
            os: "windows",
            ..Step::default()
        },
    );
    graph.end(&windows);
    let bytes = graph.into_bytes();
    assert!(asking(&bytes).unwrap().steps);
    assert_eq!(rewrite(&bytes, &injection(true)), Ok(None));
    let mut graph = Graph::default();
    let base = graph.source("docker-image://base");
    graph.end(&base);
    let bytes = graph.into_bytes();
    assert!(!asking(&bytes).unwrap().steps);
    assert_eq!(rewrite(&bytes, &injection(true)), Ok(None));
    assert_eq!(rewrite(&[], &injection(true)), Ok(None));
    // One with the machine's own network has a way.
    let mut graph = Graph::default();
    let base = graph.source("docker-image://base");
    let run = graph.step(
        base,
        &Step {
            network: 1,
            ..Step::default()
        },
    );
    graph.end(&run);
    assert!(
        rewrite(&graph.into_bytes(), &injection(true))
            .unwrap()
            .is_some()
    );
}

#[test]
fn graphs_that_make_no_sense_are_not_understood() {
    let mut graph = Graph::default();
    graph.step("sha256:nobody".to_owned(), &Step::default());
    let unknown = rewrite(&graph.into_bytes(), &injection(true));
    assert_eq!(unknown, Err(Malformed("an input is no operation of it")));
    for bytes in [
        &b"\x0a"[..],
        b"\x0a\x05ab",
        b"\x0b",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ] {
        assert!(rewrite(bytes, &injection(true)).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_graph_may_be_deep() {
    let mut graph = Graph::default();
    let mut at = graph.source("docker-image://base");
    for _ in 0..20_000 {
        at = graph.copy(at);
    }
    let run = graph.step(at, &Step::default());
    graph.end(&run);
    assert!(
        rewrite(&graph.into_bytes(), &injection(true))
            .unwrap()
            .is_some()
    );
}

/// A graph of operations by chance: each with inputs among those before it.
fn any_graph() -> impl Strategy<Value = Vec<u8>> {
    let operation = (
        0..3_u8,
        0..3_u64,
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        "[A-Z_]{1,8}=[ -~]{0,8}",
    );
    prop::collection::vec(operation, 1..12).prop_map(|operations| {
        let mut graph = Graph::default();
        let mut made = vec![graph.source("docker-image://base")];
        for (kind, network, inputs, variable) in operations {
            let inputs: Vec<_> = inputs.iter().map(|at| at.get(&made).clone()).collect();
            let first = inputs.first().cloned().unwrap_or_else(|| made[0].clone());
            made.push(if kind == 0 {
                let path = variable.replace([' ', '#'], "");
                graph.source(&format!("https://a.test/{path}"))
            } else if kind == 1 {
                let env = [variable.as_str()];
                graph.step_upon(
                    &inputs,
                    &Step {
                        network,
                        env: &env,
                        ..Step::default()
                    },
                )
            } else {
                graph.copy(first)
            });
        }
        let last = made.pop().unwrap();
        graph.end(&last);
        graph.into_bytes()
    })
}

proptest! {
    #[test]
    fn what_is_rewritten_is_whole_and_stays_as_it_is(graph in any_graph(), files: bool, fetching: bool) {
        let mut injection = injection(files);
        injection.fetching = fetching.then(sources::fetching);
        let Some(once) = rewrite(&graph, &injection).unwrap() else {
            return Ok(());
        };
        prop_assert_eq!(rewrite(&once, &injection).unwrap(), None);
        let operations = graph::operations(&once);
        let known: Vec<_> = operations.iter().map(|op| digest::of(op)).collect();
        for operation in &operations {
            for input in graph::inputs(operation) {
                prop_assert!(known.contains(&input), "{}", input);
            }
        }
        // What nobody here has heard of is where it was; the last operation is the one that was last.
        let before = graph::operations(&graph);
        prop_assert_eq!(graph::kind(operations.last().unwrap()), "end");
        let unknown = |all: &[Vec<u8>]| all.iter().filter_map(|op| graph::unknown(op)).collect::<Vec<_>>();
        prop_assert_eq!(unknown(&before), unknown(&operations));
        for (digest, _) in graph::metadata(&once) {
            prop_assert!(known.contains(&digest));
        }
        prop_assert_eq!(graph::locations(&graph).len(), graph::locations(&once).len());
    }

    #[test]
    fn what_is_cut_off_or_garbled_is_refused_and_no_more(
        graph in any_graph(), at: prop::sample::Index, garble: u8,
    ) {
        let mut injection = injection(true);
        injection.fetching = Some(sources::fetching());
        let cut = at.index(graph.len());
        let _ = rewrite(&graph[..cut], &injection);
        let mut garbled = graph;
        garbled[cut] ^= garble;
        let _ = rewrite(&garbled, &injection);
        let _ = asking(&garbled);
        let _ = super::references(&garbled);
    }

    #[test]
    fn noise_is_refused_and_no_more(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = rewrite(&noise, &injection(true));
        let _ = super::references(&noise);
        let _ = super::with_ids(&noise, &[Some("x".to_owned())]);
        let _ = super::BridgeSolve::read(&noise).map(|s| s.for_graph(b"", true));
        let _ = super::ControlSolve::read(&noise).map(|s| s.engine_side());
    }
}
