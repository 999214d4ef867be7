//! The log: what it promises to those who read it by program, which `docs/commands.md` lists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use dockline::control::client;
use dockline::control::report::shape::Status;
use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::Value;

use crate::layering::{Source, sources};
use crate::support::{eventually, process};

/// The words in the first column of the table below a heading of the documents.
fn documented(heading: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once(heading).unwrap();
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" |").next());
    let words = cells.flat_map(|cell| cell.split("`, `"));
    words
        .map(|word| word.trim_matches('`').to_owned())
        .collect()
}

/// The arguments of a macro that was called just before `text`.
fn arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut is_literal, mut is_escaped, mut from) = (0, false, false, 0);
    let mut found = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_literal => is_escaped = true,
            b'"' => is_literal = !is_literal,
            _ if is_literal => {}
            b'(' | b'[' | b'{' => depth += 1,
            b')' if depth == 0 => {
                found.push(text[from..at].trim());
                break;
            }
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                found.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// What is said at `INFO` and above, by its fields.
fn fields(code: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for level in ["info!(", "warn!(", "error!("] {
        for (at, _) in code.match_indices(level) {
            let arguments = arguments(&code[at + level.len()..]);
            let fields = arguments.iter().take_while(|word| !word.starts_with('"'));
            let names = fields.filter_map(|field| field.split('=').next());
            found.extend(names.map(|name| name.trim().trim_start_matches(['%', '?'])));
        }
    }
    found
}

#[test]
fn every_field_of_the_log_is_documented_and_used() {
    let code: Vec<_> = sources()
        .iter()
        .filter(|s| !s.is_test())
        .map(Source::code)
        .collect();
    let used: BTreeSet<_> = code.iter().flat_map(|code| fields(code)).collect();
    let documented = documented("### The log\n");
    let documented: BTreeSet<_> = documented.iter().map(String::as_str).collect();
    assert!(used.len() > 10, "{used:?}");
    assert_eq!(used, documented);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_json_is_one_object_a_line_with_the_promised_keys() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_dockline"));
    let mut serve = serve
        .env_clear()
        .env("DOCKLINE_DATA_DIR", folder.path().join("data"))
        .env("DOCKLINE_RUNTIME_DIR", folder.path().join("run"))
        .args(["serve", "--host", "unix:///nonexistent.sock"])
        .args(["--dns", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .args(["--gateway", "127.0.0.1:0"])
        .args(["--log-format", "json", "--log", "dockline=debug"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let control = folder.path().join("run/control.sock");
    let warned = async || {
        let status: Status = client::get(&control, "/v1/status", &[]).await.ok()?;
        (!status.warnings.is_empty()).then_some(())
    };
    eventually("a warning of the engine", warned).await;
    process::signal(serve.id(), Signal::TERM);
    let ended = std::sync::Mutex::new(&mut serve);
    let ended = eventually("an end", async || ended.lock().unwrap().try_wait().unwrap()).await;
    assert!(ended.success());

    let said = fs::read_to_string(&said).unwrap();
    let mut levels = BTreeSet::new();
    for line in said.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for key in line.as_object().unwrap().keys() {
            let known = ["timestamp", "level", "fields", "span", "spans"];
            assert!(known.contains(&key.as_str()), "{line}");
        }
        let at = line["timestamp"].as_str().unwrap();
        assert!(
            at.parse::<Timestamp>().is_ok() && at.ends_with('Z'),
            "{line}"
        );
        assert!(!line["fields"]["message"].as_str().unwrap().is_empty());
        levels.insert(line["level"].as_str().unwrap().to_owned());
    }
    let expected = ["INFO", "WARN"].map(str::to_owned);
    assert!(
        expected.iter().all(|level| levels.contains(level)),
        "{said}"
    );
}
