//! What a builder says of its steps, as the Dockerfile's author knows them.

use super::*;

#[test]
fn users_see_their_own_steps_and_lines() {
    let found = injected(DOCKERFILE, &injection()).unwrap();
    let said = |lines: &[&str]| {
        let lines = lines
            .iter()
            .map(|line| format!("{}\r\n", json!({ "stream": line })));
        lines.collect::<String>()
    };
    let id = " ---> abc\n";
    let from_engine = said(&[
        "Step 1/11 : ARG V=1",
        "\n",
        id,
        "Step 2/11 : FROM a AS one",
        "\n",
        id,
        "Step 3/11 : COPY --from=x / /y/",
        "\n",
        id,
        "Step 4/11 : LABEL a=b",
        "\n",
        " ---> Running in abc\n",
        id,
        "Step 5/11 : ARG b=c",
        "\n",
        id,
        "Step 6/11 : RUN x",
        "\n",
        "Step 9/9 : no step\n",
        "Step 7/11 : none either\n",
        id,
        "Step 7/11 : FROM one",
        "\n",
        id,
        "Step 8/11 : ARG b=c",
        "\n",
        id,
        "Step 9/11 : ARG http_proxy",
        "\n",
        id,
        "Step 10/11 : ARG b=c",
        "\n",
        id,
        "Step 11/11 : RUN y",
        "\n",
        id,
        "Successfully built abc\n",
    ]);
    let enabling = " *** Enabling dockline interception ***\n";
    let to_client = |enabling: &[&str]| {
        let begin = [
            "Step 1/6 : ARG V=1",
            "\n",
            id,
            "Step 2/6 : FROM a AS one",
            "\n",
            id,
        ];
        let first = [
            "Step 3/6 : RUN x",
            "\n",
            "Step 9/9 : no step\n",
            "Step 7/11 : none either\n",
            id,
            "Step 4/6 : FROM one",
            "\n",
            id,
        ];
        let end = [
            "Step 5/6 : ARG http_proxy",
            "\n",
            id,
            "Step 6/6 : RUN y",
            "\n",
            id,
            "Successfully built abc\n",
        ];
        said(&[&begin[..], enabling, &first, enabling, &end].concat())
    };
    let fed = |quiet: bool, size: usize| {
        let (mut output, mut out) = (Output::new(quiet), Vec::new());
        for piece in from_engine.as_bytes().chunks(size) {
            output.push(piece, &found.steps, &mut out);
        }
        output.finish(&mut out);
        String::from_utf8(out).unwrap()
    };
    for size in [1, 7, 10_000] {
        assert_eq!(fed(false, size), to_client(&[enabling]));
    }
    assert_eq!(fed(true, 100), to_client(&[]));
    let message = "dockerfile parse error line 9: no line here; on line 11, line x";
    let own = "dockerfile parse error line 5: no line here; on line 6, line x";
    assert_eq!(found.steps.own_lines(message), own);
}

#[test]
fn a_step_may_end_in_what_looks_like_a_line_end() {
    let found = injected("FROM a\nRUN tr : \\\\n\n", &injection()).unwrap();
    let (mut output, mut out) = (Output::new(true), Vec::new());
    for line in [
        r#"{"stream":"Step 1/5 : FROM a"}"#,
        r#"{"stream":"Step 2/5 : COPY"}"#,
        r#"{"stream":"Step 3/5 : LABEL"}"#,
        r#"{"stream":"Step 4/5 : ARG"}"#,
        r#"{"stream":"Step 5/5 : RUN tr : \\\\n"}"#,
        // A step says this, and not the builder.
        r#"{"stream":"Step 6/9 : x"}"#,
        r#"{"stream":"Successfully built"}"#,
    ] {
        output.push(format!("{line}\r\n").as_bytes(), &found.steps, &mut out);
    }
    let said = String::from_utf8(out).unwrap();
    let expected = [
        r#"{"stream":"Step 1/2 : FROM a"}"#,
        r#"{"stream":"Step 2/2 : RUN tr : \\\\n"}"#,
        r#"{"stream":"Step 6/9 : x"}"#,
        r#"{"stream":"Successfully built"}"#,
        "",
    ];
    assert_eq!(said, expected.join("\r\n"));
}
