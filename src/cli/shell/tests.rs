use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::docker::endpoint::TlsFiles;

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    pairs.iter().map(owned).collect()
}

fn status(instance: &str) -> Status {
    let text = format!(
        r#"{{"instance":"{instance}","version":"0","ready":true,"api_socket":"unix:///run/d.sock","dns":"",
        "gateway":"","http":"","control":"","interceptor":null,"engine":{{"endpoint":"tcp://engine:2376",
        "version":null,"api_version":null,"connected":true,"problem":null}},"tunnel":{{"state":"absent","id":null,
        "name":"","image":null,"address":null,"entry":null,"home":null,"networks":[],"problem":null,"kept_off":[],"link":{{"state":"up","owner":null}}}},
        "containers":[],"ambiguous":[],"intercepting":true,"map":{{"generation":0,"resyncs":0,"names":0}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// The environment after the changes.
fn after(before: &BTreeMap<String, String>, changes: &Changes) -> BTreeMap<String, String> {
    let mut after = before.clone();
    for (name, value) in changes {
        match value {
            Some(value) => after.insert(name.clone(), value.clone()),
            None => after.remove(name),
        };
    }
    after
}

#[test]
fn an_intercepted_shell_can_be_made_as_it_was() {
    let before = variables(&[
        ("DOCKER_HOST", "tcp://engine:2376"),
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_CERT_PATH", "/certs"),
        ("HOME", "/home/dev"),
    ]);
    let files = TlsFiles::in_folder(Path::new("/certs"));
    let engine = Endpoint::Tls("engine:2376".to_owned(), files);
    let inside = after(
        &before,
        &intercept(&before, &status("shop"), &engine).unwrap(),
    );
    assert_eq!(inside["DOCKER_HOST"], "unix:///run/d.sock");
    assert_eq!(inside["DOCKLINE_HOST"], "tcp://engine:2376");
    assert_eq!(inside["DOCKLINE_CERT_PATH"], "/certs");
    assert_eq!(inside["DOCKLINE_INSTANCE"], "shop");
    assert_eq!(inside["BUILDX_BUILDER"], "default");
    assert!(!inside.contains_key("DOCKER_TLS_VERIFY"));
    // Twice is once.
    let again = after(
        &inside,
        &intercept(&inside, &status("shop"), &engine).unwrap(),
    );
    assert_eq!(again, inside);
    assert_eq!(after(&again, &restore(&again)), before);
    assert!(restore(&before).is_empty());
}

#[test]
fn lines_are_in_the_language_of_the_shell() {
    let changes = Changes::from([
        ("A".to_owned(), Some(r"it's \ $HOME".to_owned())),
        ("B".to_owned(), None),
    ]);
    for (shell, lines) in [
        (Shell::Sh, "export A='it'\\''s \\ $HOME'\nunset B"),
        (Shell::Fish, "set -gx A 'it\\'s \\\\ $HOME'\nset -e B"),
        (
            Shell::Powershell,
            "$env:A = 'it''s \\ $HOME'\nRemove-Item Env:B -ErrorAction SilentlyContinue",
        ),
    ] {
        assert_eq!(shell.lines(&changes), lines);
    }
    assert_eq!(
        Shell::of(&variables(&[("SHELL", "/usr/bin/fish")])),
        Shell::Fish
    );
    assert_eq!(Shell::of(&variables(&[("SHELL", "/bin/bash")])), Shell::Sh);
    assert_eq!(
        Shell::of(&variables(&[("PSModulePath", "C:")])),
        Shell::Powershell
    );
}
