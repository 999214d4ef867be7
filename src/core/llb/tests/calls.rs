//! Calls that carry graphs.

use crate::core::llb::wire::{Message, all_bytes, fields, in_map, last_bytes, last_number};
use crate::core::llb::{BridgeSolve, ControlSolve, EngineSide, references, with_ids};

fn pair(key: &str, value: &str) -> Message {
    let mut entry = Message::new();
    entry.bytes(1, key);
    entry.bytes(2, value);
    entry
}

fn reference(id: &str, definition: &str) -> Message {
    let mut reference = pair(id, definition);
    reference.bytes(77, "future");
    reference
}

/// An answer with a result of its own, one for each of two platforms, and one for an attestation.
fn answer() -> Vec<u8> {
    let mut platforms = Message::new();
    for (platform, id) in [("linux/amd64", "two"), ("linux/arm64", "three")] {
        let mut entry = Message::new();
        entry.bytes(1, platform);
        entry.bytes(2, reference(id, "graph"));
        platforms.bytes(1, entry);
    }
    let mut attestation = Message::new();
    attestation.number(1, 2);
    attestation.bytes(3, reference("four", "graph"));
    let mut attestations = Message::new();
    attestations.bytes(1, attestation);
    let mut of_platform = Message::new();
    of_platform.bytes(1, "linux/amd64");
    of_platform.bytes(2, attestations);
    let mut result = Message::new();
    result.bytes(3, reference("one", ""));
    result.bytes(4, platforms);
    result.bytes(10, pair("containerimage.config", "{}"));
    result.bytes(12, of_platform);
    let mut answer = Message::new();
    answer.bytes(3, result);
    answer.number(55, 5);
    answer.into_bytes()
}

#[test]
fn everything_that_an_answer_names_is_found_and_replaced() {
    let answer = answer();
    let ids = |answer: &[u8]| -> Vec<String> {
        let found = references(answer).unwrap();
        found.into_iter().map(|reference| reference.id).collect()
    };
    assert_eq!(ids(&answer), ["one", "two", "three", "four"]);
    assert_eq!(
        with_ids(&answer, &[None, None, None, None]).unwrap(),
        answer
    );
    let changed = [None, Some("x"), None, Some("y")];
    let changed = changed.map(|id| id.map(str::to_owned));
    let edited = with_ids(&answer, &changed).unwrap();
    assert_eq!(ids(&edited), ["one", "x", "three", "y"]);
    let graphs = |answer: &[u8]| -> Vec<Vec<u8>> {
        let found = references(answer).unwrap();
        found
            .into_iter()
            .map(|reference| reference.definition)
            .collect()
    };
    assert_eq!(graphs(&edited), graphs(&answer));
    // The same with the old ids is the same.
    let back = [None, Some("two"), None, Some("four")];
    let back = back.map(|id| id.map(str::to_owned));
    assert_eq!(with_ids(&edited, &back).unwrap(), answer);
}

#[test]
fn a_graph_is_asked_for_as_its_frontend_was() {
    let mut request = Message::new();
    request.bytes(2, "dockerfile.v0");
    request.bytes(3, pair("filename", "Dockerfile"));
    let imports = r#"[{"Type":"local","Attrs":{"src":"/c"}}]"#;
    request.bytes(3, pair("cache-imports", imports));
    request.number(6, 1);
    request.number(14, 1);
    request.bytes(15, "policy");
    let request = request.into_bytes();
    let solve = BridgeSolve::read(&request).unwrap();
    assert!(solve.evaluates() && solve.takes_references());
    assert_eq!(solve.definition(), None);
    assert_eq!(last_number(&fields(&solve.unevaluated()).unwrap(), 14), 0);
    for evaluate in [false, true] {
        let made = solve.for_graph(b"graph", evaluate).unwrap();
        let made = fields(&made).unwrap();
        assert_eq!(last_bytes(&made, 1), b"graph");
        assert_eq!(last_bytes(&made, 2), b"");
        assert_eq!(last_number(&made, 6), 1);
        assert_eq!(last_number(&made, 14), u64::from(evaluate));
        assert_eq!(last_bytes(&made, 15), b"policy");
        let import = fields(last_bytes(&made, 12)).unwrap();
        assert_eq!(last_bytes(&import, 1), b"local");
        assert_eq!(in_map(&import, 2, "src").unwrap(), Some(&b"/c"[..]));
    }
}

#[test]
fn caches_in_registries_are_named_for_short() {
    let mut request = Message::new();
    request.bytes(3, pair("cache-from", "a,b"));
    let request = request.into_bytes();
    let made = BridgeSolve::read(&request).unwrap().for_graph(b"", false);
    let made = made.unwrap();
    let made = fields(&made).unwrap();
    let imports: Vec<_> = all_bytes(&made, 12).map(|i| fields(i).unwrap()).collect();
    assert_eq!(imports.len(), 2);
    assert_eq!(last_bytes(&imports[1], 1), b"registry");
    assert_eq!(in_map(&imports[1], 2, "ref").unwrap(), Some(&b"b"[..]));
}

#[test]
fn a_build_with_its_frontend_in_the_engine_gets_somebody_in_between() {
    let mut cache = Message::new();
    cache.bytes(5, "import");
    let mut request = Message::new();
    request.bytes(1, "build");
    request.bytes(5, "session");
    request.bytes(6, "dockerfile.v0");
    request.bytes(7, pair("filename", "Dockerfile"));
    request.bytes(8, cache);
    request.bytes(10, pair("context", "graph"));
    request.bytes(13, "exporter");
    let request = request.into_bytes();
    let build = ControlSolve::read(&request).unwrap();
    let build = build.engine_side().unwrap().unwrap();
    assert_eq!(build.build, "build");
    let start = fields(&build.start).unwrap();
    assert_eq!(last_bytes(&start, 6), b"");
    assert_eq!(last_bytes(&start, 13), b"exporter");
    let solve = fields(&build.solve).unwrap();
    assert_eq!(last_bytes(&solve, 2), b"dockerfile.v0");
    assert_eq!(
        in_map(&solve, 3, "filename").unwrap(),
        Some(&b"Dockerfile"[..])
    );
    assert_eq!(last_bytes(&solve, 12), b"import");
    assert_eq!(in_map(&solve, 13, "context").unwrap(), Some(&b"graph"[..]));
    // With somebody in between there is nothing to do.
    assert_eq!(
        ControlSolve::read(&build.start).unwrap().engine_side(),
        Ok(None)
    );
    let returned = EngineSide::result(&answer()).unwrap();
    let mut as_answer = Message::new();
    as_answer.bytes(3, last_bytes(&fields(&returned).unwrap(), 1));
    assert_eq!(references(as_answer.as_ref()).unwrap().len(), 4);
    let failure = EngineSide::failure(None, 5, "no such file");
    let status = fields(last_bytes(&fields(&failure).unwrap(), 2))
        .unwrap()
        .len();
    assert_eq!(status, 2);
}
