mod buildkit;
mod steps;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::query::{BuildCall, Exempt, intercepted};
use super::*;

const DOCKERFILE: &str = "ARG V=1\nFROM a AS one\nRUN x\nFROM one\nARG http_proxy\nRUN y\n";

fn injection() -> StageInjection {
    let variables = [
        "http_proxy=http://tunnel:8790",
        "NO_PROXY=localhost",
        "CURL_CA_BUNDLE=/.dockline/ca-bundle.pem",
        "PYTHONPATH=/.dockline/python",
        "ODD=a\"b",
    ];
    StageInjection {
        instance: "default".parse().unwrap(),
        builder: Builder::Classic,
        syntax: None,
        files: Some(Source::Image("dockline/build:abc".to_owned())),
        variables: variables.map(str::to_owned).to_vec(),
        target: None,
    }
}

fn injected(dockerfile: &str, injection: &StageInjection) -> Option<Injected> {
    inject(dockerfile.as_bytes(), injection).unwrap()
}

#[test]
fn golden_files() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/dockerfile");
    for name in ["stages", "documents", "variables"] {
        let read = |end: &str| std::fs::read_to_string(format!("{folder}/{name}.{end}")).unwrap();
        let found = injected(&read("in"), &injection()).unwrap();
        assert_eq!(found.text, read("out"), "{name}");
        // Line ends of Windows, and none at the end.
        let windows = read("in").replace('\n', "\r\n");
        let found = injected(windows.trim_end(), &injection()).unwrap();
        assert_eq!(
            found.text.replace('\r', ""),
            read("out").trim_end(),
            "{name}"
        );
    }
}

#[test]
fn what_is_left_as_it_is() {
    for dockerfile in [
        "FROM scratch\nCOPY a /\n",
        "FROM a\n# RUN nothing\nCMD RUN\n",
        "FROM a\nENV a=b \\\nRUN\n",
        "FROM a\nONBUILD RUN x\n",
        "",
    ] {
        assert_eq!(injected(dockerfile, &injection()), None, "{dockerfile}");
    }
    for (dockerfile, why) in [
        ("FROM a\nRUM x\n", "not known"),
        ("RUN x\n", "begin with a stage"),
        ("FROM a b\nRUN x\n", "at most one name"),
        ("FROM a\nRUN x \\\\\nRUN y\n", "two escapes"),
        ("# escape=x\nFROM a\nRUN x\n", "neither"),
        ("FROM a\nRUN <<END\nx\n", "no end"),
        (
            "FROM a\nENV a=${NO_PROXY:-b}\nRUN x\n",
            "a proxy's variable",
        ),
        (
            "ARG https_proxy=$http_proxy\nFROM a\nRUN x\n",
            "a proxy's variable",
        ),
    ] {
        let unclear = inject(dockerfile.as_bytes(), &injection()).unwrap_err();
        assert!(unclear.to_string().contains(why), "{dockerfile}: {unclear}");
    }
    assert!(inject(b"FROM a\nRUN \xff\n", &injection()).is_err());
}

#[test]
fn stages_after_the_one_that_is_asked_for_are_left_alone() {
    let dockerfile = "FROM a AS one\nRUN x\nFROM b AS two\nRUN y\n";
    for (target, stages) in [
        ("ONE", 1),
        ("0", 1),
        ("two", 2),
        ("1", 2),
        ("", 2),
        ("none", 2),
    ] {
        let asked = StageInjection {
            target: Some(target.to_owned()),
            ..injection()
        };
        let found = injected(dockerfile, &asked).unwrap();
        assert_eq!(found.text.matches("LABEL").count(), stages, "{target}");
    }
}

#[test]
fn the_last_step_is_the_users_own() {
    let dockerfile = "FROM a\nRUN x\nARG no_proxy \\";
    let found = injected(dockerfile, &injection()).unwrap();
    assert!(
        found
            .text
            .ends_with(dockerfile.strip_prefix("FROM a\n").unwrap())
    );
}

#[test]
fn without_an_authority_there_are_no_files() {
    let bare = StageInjection {
        files: None,
        ..injection()
    };
    let found = injected("FROM a\nRUN x\n", &bare).unwrap();
    assert!(!found.text.contains("COPY"), "{}", found.text);
}

#[test]
fn a_failure_of_ours_is_told() {
    let found = injected("FROM a\nRUN x\n", &injection()).unwrap();
    let error = "{\"errorDetail\":{\"message\":\"COPY failed\"},\"error\":\"COPY failed\"}\r\n";
    let begin = "{\"stream\":\"Step 1/5 : FROM a\"}\r\n{\"stream\":\"Step 2/5 : COPY\"}\r\n";
    let mut out = Vec::new();
    Output::new(true).push(format!("{begin}{error}").as_bytes(), &found.steps, &mut out);
    let out = String::from_utf8(out).unwrap();
    assert_eq!(
        out,
        format!("{{\"stream\":\"Step 1/2 : FROM a\"}}\r\n{error}")
    );
}

#[test]
fn which_builds_are_intercepted() {
    for (query, expected) in [
        ("", Ok(())),
        ("?version=1&networkmode=default", Ok(())),
        ("?networkmode=host", Ok(())),
        ("?networkmode=none", Err(Exempt::NoNetwork)),
        ("?networkmode=shop", Err(Exempt::Network("shop".to_owned()))),
        (
            "?networkmode=container:a",
            Err(Exempt::Network("container:a".to_owned())),
        ),
        ("?remote=https://x.test/r.git", Err(Exempt::Remote)),
        ("?version=2&remote=client-session", Err(Exempt::OldBuildKit)),
        ("?platform=windows/amd64", Err(Exempt::Windows)),
    ] {
        let call = BuildCall::read(&format!("/v1.41/build{query}")).unwrap();
        assert_eq!(call.is_exempt(), expected, "{query}");
    }
    assert_eq!(BuildCall::read("/build?buildargs=[1]"), None);
    let call = BuildCall::read("/build?dockerfile=a/b&q=1&pull=true&target=x").unwrap();
    let found = (
        call.dockerfile.as_str(),
        call.quiet,
        call.fetches,
        call.target.as_deref(),
    );
    assert_eq!(found, ("a/b", true, true, Some("x")));
}

#[test]
fn what_the_query_says_of_proxies_is_said_in_the_dockerfile() {
    let arguments = json!({ "A": "1", "http_proxy": "http://own:1", "HTTPS_PROXY": null });
    let query = serde_urlencoded::to_string([
        ("t", "a b"),
        ("buildargs", &arguments.to_string()),
        ("extrahosts", "x:1.1.1.1"),
    ]);
    let target = format!("/v1.41/build?{}", query.unwrap());
    let call = BuildCall::read(&target).unwrap();
    let own = [("http_proxy".to_owned(), "http://own:1".to_owned())];
    assert_eq!(call.own_proxies, own.into());
    let instance = "default".parse().unwrap();
    let changed = intercepted(&target, &instance, "172.17.0.2".parse().unwrap()).unwrap();
    let (path, query) = changed.split_once('?').unwrap();
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
    assert_eq!(path, "/v1.41/build");
    assert_eq!(pairs[0], ("t".to_owned(), "a b".to_owned()));
    let left: Value = serde_json::from_str(&pairs[1].1).unwrap();
    assert_eq!(left, json!({ "A": "1" }));
    let hosts: Vec<_> = pairs[2..].iter().map(|(_, host)| host.as_str()).collect();
    assert_eq!(hosts, ["x:1.1.1.1", "dockline-tunnel-default:172.17.0.2"]);
}

fn dockerfiles() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("FROM a".to_owned()),
        Just("FROM b AS b".to_owned()),
        Just("RUN x \\".to_owned()),
        Just("ENV a=$PYTHONPATH".to_owned()),
        Just("ARG http_proxy".to_owned()),
        Just("RUN <<E".to_owned()),
        Just("E".to_owned()),
        Just("# escape=`".to_owned()),
        Just(String::new()),
        "[ -~]{0,20}",
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    /// Whatever it is, all lines of the user's are there in their order, and the others are those that are known to be ours.
    #[test]
    fn the_users_lines_stay(dockerfile in dockerfiles()) {
        let Ok(Some(found)) = inject(dockerfile.as_bytes(), &injection()) else { return Ok(()) };
        let mut own = dockerfile.lines();
        for (at, line) in found.text.lines().enumerate() {
            let before = found.steps.own_line(at + 1) == found.steps.own_line(at + 2);
            if before { continue }
            prop_assert_eq!(line, own.next().unwrap());
        }
        prop_assert_eq!(own.next(), None);
    }

    /// Output in whatever pieces: nothing panics, and what is no step of anybody's passes as it is.
    #[test]
    fn output_passes_in_any_pieces(said in prop::collection::vec("[ -~]{0,30}", 0..20), size in 1_usize..40) {
        let found = injected(DOCKERFILE, &injection()).unwrap();
        let said = said.join("\n");
        let (mut output, mut out) = (Output::new(false), Vec::new());
        for piece in said.as_bytes().chunks(size) {
            output.push(piece, &found.steps, &mut out);
        }
        output.finish(&mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), said);
    }

    #[test]
    fn nothing_panics(dockerfile in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = inject(&dockerfile, &injection());
    }
}
