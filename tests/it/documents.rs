//! What the documents say: their links lead somewhere, and the commands that they show are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All documents, with their paths.
fn documents() -> Vec<(PathBuf, String)> {
    let mut found = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    let read = |path: PathBuf| (path.clone(), fs::read_to_string(path).unwrap());
    found.into_iter().map(read).collect()
}

/// The lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

/// Headings as pages name them in links: lower case, words joined, without what is no word.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let slug = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

/// What is between brackets after a link's text.
fn links(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| {
        let parts = line.split("](").skip(1);
        parts.map(|part| part.split(')').next().unwrap_or_default())
    })
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    let mut broken = Vec::new();
    for (path, text) in documents() {
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let there = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let has_anchor = || {
                let text = fs::read_to_string(&there).unwrap();
                anchor.is_empty() || anchors(&text).contains(anchor)
            };
            checked += 1;
            let is_text = there.extension().is_some_and(|e| e == "md");
            if !there.exists() || is_text && !has_anchor() {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(checked > 50, "they are found at all: {checked}");
    assert_eq!(broken, Vec::<String>::new());
}

/// Commands of dockline's in code, without what comes after them in a shell.
fn commands(text: &str) -> BTreeSet<String> {
    let inline = text.split('`').skip(1).step_by(2);
    let inline = inline.filter(|code| !code.contains('\n'));
    let mut fence = "";
    let lines = text.lines().filter(|line| {
        if let Some(language) = line.trim().strip_prefix("```") {
            fence = language;
        }
        ["console", "sh"].contains(&fence)
    });
    let lines = lines.map(|line| line.trim().trim_start_matches("$ "));
    let own = inline
        .chain(lines)
        .filter_map(|code| code.strip_prefix("dockline "));
    let ends = ["#", "&", "|", ";", " -- ", "\\", ">", "…", "("];
    let cut = |code: &str| {
        let end = ends.iter().filter_map(|end| code.find(end)).min();
        code[..end.unwrap_or(code.len())].trim().to_owned()
    };
    own.map(cut).collect()
}

/// Fit to be parsed: what stands for something is something.
fn example(word: &str) -> String {
    let word = word.trim_matches(['[', ']', '"', '\'']);
    let word = word.split('|').next().unwrap_or_default();
    match word {
        "NAME" | "INTERCEPTOR" => "mitmproxy".to_owned(),
        "ENDPOINT" => "unix:///e.sock".to_owned(),
        "URL" => "http://127.0.0.1:3128".to_owned(),
        "SECONDS" => "1".to_owned(),
        "SHELL" => "bash".to_owned(),
        other => other.replace("PORT", "80"),
    }
}

#[test]
fn every_command_that_is_shown_is_one() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        for shown in commands(&text) {
            let words = shown.split_whitespace().map(example);
            let mut command = Command::new(env!("CARGO_BIN_EXE_dockline"));
            command.args(words.clone()).arg("--help").env_clear();
            let output = command.output().unwrap();
            checked += 1;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.lines().next().unwrap_or_default().to_owned();
                let path = path.strip_prefix(root()).unwrap_or(Path::new(""));
                wrong.push(format!("{}: dockline {shown}: {said}", path.display()));
            }
        }
    }
    assert!(checked > 50, "they are found at all: {checked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
