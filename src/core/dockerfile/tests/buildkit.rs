//! Dockerfiles for BuildKit.

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use proptest::prelude::*;

use super::{dockerfiles, injected, injection};
use crate::core::dockerfile::query::{BuildCall, Exempt};
use crate::core::dockerfile::{Builder, Output, Source, StageInjection, inject};

const MOUNT: &str = "--mount=type=bind,from=dockline/build:abc,target=/.dockline ";

fn for_buildkit() -> StageInjection {
    StageInjection {
        builder: Builder::BuildKit,
        ..injection()
    }
}

#[test]
fn steps_get_a_mount_and_stages_get_variables() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/dockerfile");
    let read = |end: &str| std::fs::read_to_string(format!("{folder}/buildkit.{end}")).unwrap();
    let found = injected(&read("in"), &for_buildkit()).unwrap();
    assert_eq!(found.text, read("out"), "{}", found.text);
}

#[test]
fn files_may_come_with_the_context_or_not_at_all() {
    for (files, expected) in [
        (
            Some(Source::Folder(".own/".to_owned())),
            "RUN --mount=type=bind,source=.own,target=/.dockline x\n",
        ),
        (None, "\nRUN x\n"),
    ] {
        let injection = StageInjection {
            files,
            ..for_buildkit()
        };
        let found = injected("FROM a\nRUN x\n", &injection).unwrap().text;
        assert!(found.ends_with(expected), "{found}");
        assert!(
            !found.contains("COPY") && !found.contains("LABEL"),
            "{found}"
        );
    }
}

#[test]
fn other_frontends_are_left_alone() {
    for (dockerfile, named, why) in [
        (
            "# syntax=own/frontend\nFROM a\nRUN x\n",
            None,
            "not Docker's own",
        ),
        (
            "# syntax = docker/dockerfile:1.0\nFROM a\nRUN x\n",
            None,
            "older",
        ),
        ("FROM a\nRUN x\n", Some("own/frontend"), "not Docker's own"),
    ] {
        let injection = StageInjection {
            syntax: named.map(str::to_owned),
            ..for_buildkit()
        };
        let unclear = inject(dockerfile.as_bytes(), &injection).unwrap_err();
        assert!(unclear.to_string().contains(why), "{unclear}");
        // For the classic builder it is a comment.
        let classic = StageInjection {
            syntax: None,
            ..super::injection()
        };
        assert!(inject(dockerfile.as_bytes(), &classic).is_ok());
    }
}

#[test]
fn which_calls_have_the_context_in_them() {
    for (query, expected) in [
        ("version=2", Ok(())),
        ("version=2&session=abc&buildid=own&networkmode=host", Ok(())),
        ("version=2&networkmode=none", Err(Exempt::NoNetwork)),
        (
            "version=2&remote=client-session&session=abc",
            Err(Exempt::OldBuildKit),
        ),
        (
            "version=2&remote=upload-request&buildid=abc",
            Err(Exempt::OldBuildKit),
        ),
        (
            "version=2&buildid=upload-request%3Aabc",
            Err(Exempt::OldBuildKit),
        ),
        ("version=2&remote=https://x.test/r.git", Err(Exempt::Remote)),
    ] {
        let call = BuildCall::read(&format!("/build?{query}")).unwrap();
        assert_eq!(
            (call.builder, call.is_exempt()),
            (Builder::BuildKit, expected),
            "{query}"
        );
    }
    let call =
        BuildCall::read("/build?version=2&buildargs=%7B%22BUILDKIT_SYNTAX%22%3A%22a%2Fb%22%7D");
    assert_eq!(call.unwrap().syntax.as_deref(), Some("a/b"));
}

/// A field of bytes in a message, of less than 128 bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [
        &[number << 3 | 2, u8::try_from(bytes.len()).unwrap()],
        bytes,
    ]
    .concat()
}

fn trace(name: &str) -> String {
    let vertex = [field(1, b"sha256:00"), field(3, name.as_bytes())].concat();
    let aux = BASE64.encode(field(1, &vertex));
    format!("{{\"id\":\"moby.buildkit.trace\",\"aux\":\"{aux}\"}}\r\n")
}

#[test]
fn users_see_their_own_steps() {
    let found = injected("FROM a\n\nRUN x\nCOPY a /\n", &for_buildkit()).unwrap();
    let error = |text: &str| {
        format!("{{\"errorDetail\":{{\"message\":\"{text}\"}},\"error\":\"{text}\"}}\r\n")
    };
    let from_engine = [
        trace("[internal] load remote build context"),
        trace(&format!("[2/3] RUN {MOUNT}x")),
        trace("FROM docker.io/dockline/build:abc"),
        error("process \"line 9\" did not complete successfully"),
        error("dockerfile parse error on line 5: x"),
    ];
    let to_client = [
        trace("[internal] load remote build context"),
        trace("[2/3] RUN x"),
        trace("*** Enabling dockline interception ***"),
        error("process \"line 9\" did not complete successfully"),
        error("dockerfile parse error on line 4: x"),
    ];
    for size in [1, 50, 10_000] {
        let (mut output, mut out) = (Output::new(false), Vec::new());
        for piece in from_engine.concat().as_bytes().chunks(size) {
            output.push(piece, &found.steps, &mut out);
        }
        output.finish(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), to_client.concat());
    }
}

proptest! {
    /// What the user wrote is all there, but for the mounts and for whole lines of ours.
    #[test]
    fn the_users_lines_stay(dockerfile in dockerfiles()) {
        let Ok(Some(found)) = inject(dockerfile.as_bytes(), &for_buildkit()) else { return Ok(()) };
        let mut own = dockerfile.lines();
        for (at, line) in found.text.lines().enumerate() {
            let before = found.steps.own_line(at + 1) == found.steps.own_line(at + 2);
            if before { continue }
            prop_assert_eq!(line.replacen(MOUNT.trim_end(), "", 1).replacen("RUN  ", "RUN ", 1), own.next().unwrap().replacen("RUN  ", "RUN ", 1));
        }
        prop_assert_eq!(own.next(), None);
    }
}
