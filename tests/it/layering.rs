//! The rules of the house, kept by reading the source: `core/` is pure, each library has one room, shells do not
//! know one another, nothing is too long, and no file is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file, with its path from `src/`, or of another folder from the root.
pub(crate) struct Source {
    path: String,
    text: String,
}

impl Source {
    pub(crate) fn is_test(&self) -> bool {
        let folders = self.path.starts_with("tests/") || self.path.contains("/tests/");
        folders || self.path.ends_with("tests.rs")
    }

    /// The text without comments, documentation and unit tests: what the program does.
    pub(crate) fn code(&self) -> String {
        let code = self
            .text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn room(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

pub(crate) fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    found.sort();
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).unwrap(),
        path: path
            .strip_prefix(&src)
            .unwrap()
            .to_string_lossy()
            .into_owned(),
    };
    found.into_iter().map(read).collect()
}

/// Fails with every place where one of `words` stands in a file that `may` does not allow.
fn check(words: &[&str], may: impl Fn(&Source) -> bool) {
    let mut found = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test() && !may(s)) {
        let code = source.code();
        let hits = words.iter().filter(|word| contains_word(&code, word));
        found.extend(hits.map(|word| format!("{}: {word}", source.path)));
    }
    assert!(found.is_empty(), "not their place:\n{}", found.join("\n"));
}

/// Whether `word` stands in `code` other than as a part of a longer name.
fn contains_word(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(part);
        let after = code[at + word.len()..].chars().next().is_some_and(part);
        !before && !after
    })
}

#[test]
fn the_core_decides_and_never_acts() {
    let acting = [
        "tokio",
        "bollard",
        "hyper",
        "hickory_proto",
        "hickory_server",
        "fast_socks5",
        "tracing",
        "async",
        "Instant::now",
        "SystemTime",
        "std::env",
        "std::fs",
        "HashMap",
        "HashSet",
        "dashmap",
    ];
    check(&acting, |source| source.room() != "core");
}

#[test]
fn each_library_has_its_room() {
    check(&["bollard"], |s| s.room() == "docker");
    check(
        &["hickory_proto", "hickory_server", "hickory_resolver"],
        |s| s.room() == "dns",
    );
    check(&["clap"], |s| s.room() == "cli");
    check(&["hyper", "hyper_util"], |s| {
        matches!(
            s.room(),
            "gateway" | "interceptor" | "proxy" | "control" | "check" | "fetch"
        )
            // bollard sends and takes what it has models for.
            || s.path == "docker/raw.rs"
    });
    check(&["rcgen", "x509_parser"], |s| {
        matches!(s.room(), "interceptor" | "check")
    });
    check(&["axum", "prometheus_client"], |s| s.room() == "control");
    check(&["fast_socks5"], |s| s.room() == "gateway");
}

#[test]
fn shells_do_not_know_one_another() {
    let shells = [
        "docker",
        "dns",
        "tunnel",
        "gateway",
        "interceptor",
        "link",
        "api_proxy",
        "control",
        "check",
        "fetch",
        "trust",
        "recreate",
    ];
    for shell in shells {
        let imports = [format!("crate::{shell}"), format!("super::super::{shell}")];
        let imports: Vec<_> = imports.iter().map(String::as_str).collect();
        // The wiring knows all; the settings and the commands know the shells' own types; tunnel, API proxy, trust, recreation and check have
        // effects, and the tunnel asks by the link's hello whether it answers.
        let wiring = |s: &Source| matches!(s.room(), "service" | "cli" | "config" | "lib");
        check(&imports, |s| {
            let has_effects = shell == "docker"
                && matches!(
                    s.room(),
                    "tunnel" | "api_proxy" | "trust" | "recreate" | "check"
                );
            let says_hello = shell == "link" && s.room() == "tunnel";
            s.room() == shell || wiring(s) || has_effects || says_hello
        });
    }
}

#[test]
fn no_task_is_detached_and_nobody_but_main_ends_the_process() {
    check(&["tokio::spawn", "process::exit", "static mut"], |_| false);
}

#[test]
fn every_file_is_reached() {
    let all = sources();
    let paths: BTreeSet<_> = all.iter().map(|s| s.path.as_str()).collect();
    for path in paths
        .iter()
        .filter(|p| !matches!(**p, "lib.rs" | "main.rs"))
    {
        let (parent, name) = match path.trim_end_matches(".rs").rsplit_once('/') {
            Some((folder, name)) => (format!("{folder}.rs"), name),
            None => ("lib.rs".to_owned(), path.trim_end_matches(".rs")),
        };
        let declares =
            |s: &Source| s.path == parent && contains_word(&s.text, &format!("mod {name}"));
        assert!(
            all.iter().any(declares),
            "{path} is on no `mod` line of {parent}"
        );
        assert_ne!(
            name, "mod",
            "{path}: a module's file stands beside its folder"
        );
    }
}

/// Lines that a file may have; one of tests, or with its tests in it, more.
const MAX_LINES: usize = 300;
const MAX_LINES_WITH_TESTS: usize = 400;

#[test]
fn files_fit_a_head() {
    let mut all = sources();
    for folder in ["tests/it", "tunnel-image/src", "xtask/src"] {
        let mut found = Vec::new();
        files(&root().join(folder), &mut found);
        let read = |path: PathBuf| Source {
            text: fs::read_to_string(&path).unwrap(),
            path: path
                .strip_prefix(root())
                .unwrap()
                .to_string_lossy()
                .into_owned(),
        };
        all.extend(found.into_iter().map(read));
    }
    let too_long = all.iter().filter_map(|source| {
        let lines = source.text.lines().count();
        let tests = source.is_test() || source.text.contains("#[cfg(test)]\nmod tests {");
        let most = if tests {
            MAX_LINES_WITH_TESTS
        } else {
            MAX_LINES
        };
        (lines > most).then(|| format!("{} has {lines} lines", source.path))
    });
    let too_long: Vec<_> = too_long.collect();
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}
