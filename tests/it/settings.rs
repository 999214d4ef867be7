//! Settings: command line, environment, file.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use dockline::control::client;
use dockline::control::report::shape::Status;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{eventually, process};

fn dockline(folder: &Path, file: &str) -> Command {
    let path = folder.join("c.toml");
    fs::write(&path, file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dockline"));
    command
        .env_clear()
        .env("DOCKLINE_CONFIG", path)
        .env("DOCKLINE_DATA_DIR", folder.join("data"))
        .env("DOCKLINE_RUNTIME_DIR", folder.join("run"))
        .stdin(Stdio::null());
    command
}

#[test]
fn each_setting_is_told_with_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = "dns = \"127.0.0.1:5\"\nall = true\nhttp = \"127.0.0.1:6\"\ngateway-password = \"secret\"\n";
    let mut show = dockline(folder.path(), file);
    show.args(["config", "show", "--gateway", "127.0.0.1:7"])
        .env("DOCKLINE_HTTP", "127.0.0.1:8");
    let shown = show.arg("--json").output().unwrap();
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let check = |key: &str, value: Value, origin: &str, place: Option<&str>| {
        let settings = shown.as_array().unwrap();
        let found = settings.iter().find(|s| s["key"] == key).unwrap();
        assert_eq!(
            (&found["value"], &found["origin"]),
            (&value, &origin.into())
        );
        let said = found["place"].as_str();
        assert_eq!(said.is_some(), place.is_some(), "{found}");
        assert!(
            said.unwrap_or_default()
                .ends_with(place.unwrap_or_default()),
            "{found}"
        );
    };
    check("gateway", "127.0.0.1:7".into(), "flag", None);
    check(
        "http",
        "127.0.0.1:8".into(),
        "environment",
        Some("DOCKLINE_HTTP"),
    );
    check("dns", "127.0.0.1:5".into(), "file", Some("c.toml:1"));
    check("all", true.into(), "file", Some("c.toml:2"));
    check("on-exit", "keep".into(), "default", None);
    check("gateway-password", Value::Null, "file", Some("c.toml:4"));

    // What it prints is a file again, with the same settings and without the secret.
    let printed = dockline(folder.path(), file)
        .args(["config", "show"])
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(!printed.contains("secret"), "{printed}");
    let again = dockline(folder.path(), &printed)
        .args(["config", "show", "--origin"])
        .output()
        .unwrap();
    let again = String::from_utf8(again.stdout).unwrap();
    assert!(again.contains("dns = \"127.0.0.1:5\""), "{again}");
    assert!(again.contains("# gateway-password is not set"), "{again}");
}

#[test]
fn a_file_that_is_wrong_starts_nothing_and_is_no_matter_to_other_commands() {
    let folder = tempfile::tempdir().unwrap();
    let refused = dockline(folder.path(), "gatway = 1")
        .arg("serve")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        said.contains("c.toml:1:1: unknown key \"gatway\""),
        "{said}"
    );
    let status = dockline(folder.path(), "gatway = 1")
        .arg("status")
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(3));
    let mut absent = dockline(folder.path(), "");
    absent
        .arg("serve")
        .env("DOCKLINE_CONFIG", folder.path().join("absent"));
    assert_eq!(absent.output().unwrap().status.code(), Some(2));
}

#[test]
fn a_value_that_will_not_do_is_told_with_its_place_unless_it_is_overruled() {
    let folder = tempfile::tempdir().unwrap();
    let said = |file: &str, words: &[&str]| {
        let mut serve = dockline(folder.path(), file);
        serve.args(["serve", "--host", "unix:///nonexistent.sock"]);
        let ended = serve.args(words).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{file}");
        String::from_utf8(ended.stderr).unwrap()
    };
    for (file, expected) in [
        (
            "all = true\ngateway = \"0.0.0.0:1\"",
            "c.toml:2:11: --gateway 0.0.0.0:1 could be reached",
        ),
        ("match = [\"a\",\n  \"=b\"]", "c.toml:2:3: --match takes"),
        ("log = \"a=b=c\"", "c.toml:1:7: --log"),
        ("interceptor = \"nowhere\"", "c.toml:1:15: --interceptor: "),
        (
            "interceptor = [\"none\", \"shop=nowhere\"]",
            "c.toml:1:24: --interceptor: ",
        ),
        (
            "upstream-proxy = \"ftp://x\"",
            "c.toml:1:18: --upstream-proxy: ",
        ),
        ("ca = \"/nonexistent\"", "c.toml:1:6: --ca"),
    ] {
        let told = said(file, &[]);
        assert!(told.contains(expected), "{file}: {told}");
    }
    let told = said("log = \"info\"", &["--gateway", "0.0.0.0:1"]);
    assert!(!told.contains("c.toml"), "{told}");
    let told = said("gateway = \"0.0.0.0:2\"", &["--gateway", "0.0.0.0:1"]);
    assert!(!told.contains("c.toml"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_takes_over_what_can_be_and_names_what_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let anywhere = "dns = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n";
    let first = format!("{anywhere}gateway = \"127.0.0.1:0\"\nlog = \"error\"\n");
    let said = folder.path().join("said");
    let mut serve = dockline(folder.path(), &first)
        .args([
            "serve",
            "--host",
            "unix:///nonexistent.sock",
            "--interceptor",
            "none",
        ])
        .stderr(fs::File::create(&said).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let control = folder.path().join("run/control.sock");
    let asked = async || {
        client::get::<Status>(&control, "/v1/status", &[])
            .await
            .ok()
    };
    eventually("serving", asked).await;
    let says = async |words: &str| {
        let said = || fs::read_to_string(&said).unwrap();
        eventually(words, async || said().contains(words).then_some(())).await;
    };
    dockline(folder.path(), "log = nonsense");
    process::signal(serve.id(), Signal::HUP);
    // That is a warning, of which nothing is written; it is kept all the same.
    let warned = async || {
        let status = asked().await?;
        let mut warnings = status.warnings.into_iter();
        warnings
            .find(|w| w.text.starts_with("settings not read again") && w.text.contains("c.toml:1:"))
    };
    eventually("a warning", warned).await;
    dockline(
        folder.path(),
        &format!("{anywhere}gateway = \"127.0.0.1:1\"\nlog = \"info\"\n"),
    );
    process::signal(serve.id(), Signal::HUP);
    says("settings read again").await;
    says("settings=gateway").await;
    assert!(asked().await.is_some(), "it goes on");
    process::signal(serve.id(), Signal::TERM);
    let serve = std::sync::Mutex::new(&mut serve);
    let ended = async || serve.lock().unwrap().try_wait().unwrap();
    assert!(eventually("an end", ended).await.success());
}

/// What a launch agent's keys must be, by launchd.plist(5): another word or type there, and launchd says nothing and starts nothing.
#[test]
fn the_launch_agent_is_a_property_list_that_launchd_takes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = folder.join("packaging/launchd/dev.dockline.plist");
    let script =
        "import json, plistlib, sys\nprint(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let mut python = Command::new("python3");
    let Ok(read) = python.args(["-c", script]).arg(&file).output() else {
        println!("skipped: there is no python3");
        return;
    };
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{said}");
    let agent: Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(agent["Label"], file.file_stem().unwrap().to_str().unwrap());
    assert_eq!(agent["ProgramArguments"][1], "serve");
    assert_eq!(agent["RunAtLoad"], true);
    assert_eq!(agent["KeepAlive"]["SuccessfulExit"], false);
    assert!(
        agent["ExitTimeOut"].as_u64() > Some(20),
        "the tunnel takes its time to leave"
    );
    let known = [
        "Label",
        "ProgramArguments",
        "RunAtLoad",
        "KeepAlive",
        "ExitTimeOut",
    ];
    for key in agent.as_object().unwrap().keys() {
        assert!(known.contains(&key.as_str()), "{key}");
    }
}
