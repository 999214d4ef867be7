//! The instructions of a Dockerfile, as the engine's parser tells them apart.
//!
//! <https://docs.docker.com/reference/dockerfile/>. Each is told by its whole lines, comments and continued ones included; what
//! stands in it is its own business.

use super::Unclear;

const KNOWN: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// In capitals.
    pub(super) keyword: &'static str,
    /// What follows it, in one line.
    pub(super) rest: String,
    /// Where its lines begin in the text, and where they end.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where its keyword ends.
    pub(super) after_keyword: usize,
    /// How many lines of the text there are up to its end.
    pub(super) lines: usize,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) instructions: Vec<Instruction>,
    /// The frontend that it names.
    pub(super) syntax: Option<String>,
}

/// Reads a whole file.
pub(super) fn read(text: &str) -> Result<File, Unclear> {
    let mut lines = Lines {
        rest: text,
        at: 0,
        count: 0,
    };
    let Directives { escape, syntax } = directives(text)?;
    let mut instructions = Vec::new();
    loop {
        let start = lines.at;
        let Some(line) = lines.next() else {
            break;
        };
        let line = line.trim_start_matches('\u{feff}').trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let indented = text.get(start..lines.at).unwrap_or_default();
        let indented = indented.len() - indented.trim_start_matches('\u{feff}').trim_start().len();
        let whole = joined(line, &mut lines, escape)?;
        let (word, rest) = whole
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or((whole.trim(), ""));
        let known = KNOWN
            .iter()
            .find(|known| known.eq_ignore_ascii_case(word))
            .ok_or(Unclear("an instruction is not known"))?;
        skip_documents(known, rest, &mut lines)?;
        instructions.push(Instruction {
            keyword: known,
            rest: rest.trim().to_owned(),
            start,
            end: lines.at,
            after_keyword: start + indented + known.len(),
            lines: lines.count,
        });
    }
    Ok(File {
        instructions,
        syntax,
    })
}

/// The lines of a text, without what ends them.
struct Lines<'a> {
    rest: &'a str,
    at: usize,
    count: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let line = self.rest.split_inclusive('\n').next()?;
        self.rest = self.rest.get(line.len()..).unwrap_or_default();
        self.at += line.len();
        self.count += 1;
        let line = line.strip_suffix('\n').unwrap_or(line);
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

struct Directives {
    /// What continues a line, and takes its meaning from the next character.
    escape: char,
    syntax: Option<String>,
}

/// The directives are the first lines of all, and nothing may come between them.
fn directives(text: &str) -> Result<Directives, Unclear> {
    let text = text.trim_start_matches('\u{feff}');
    let mut escape = '\\';
    let mut syntax = None;
    for line in text.lines() {
        let directive = line
            .trim_start()
            .strip_prefix('#')
            .and_then(|line| line.split_once('='));
        let Some((name, value)) = directive else {
            break;
        };
        match (
            name.trim().to_ascii_lowercase().as_str(),
            value.trim_matches([' ', '\t', '\r']),
        ) {
            ("escape", "\\") => escape = '\\',
            ("escape", "`") => escape = '`',
            ("escape", _) => return Err(Unclear("its escape is neither \\ nor `")),
            ("syntax", named) => syntax = Some(named.to_owned()),
            ("check", _) => {}
            _ => break,
        }
    }
    Ok(Directives { escape, syntax })
}

/// A line with those that continue it.
fn joined(first: &str, lines: &mut Lines<'_>, escape: char) -> Result<String, Unclear> {
    let mut whole = String::new();
    let mut line = first;
    loop {
        let Some(begun) = line.trim_end_matches([' ', '\t']).strip_suffix(escape) else {
            whole.push_str(line);
            return Ok(whole);
        };
        if begun.ends_with(escape) {
            return Err(Unclear(
                "engines differ about a line with two escapes at its end",
            ));
        }
        whole.push_str(begun);
        line = loop {
            let Some(next) = lines.next() else {
                return Ok(whole);
            };
            let trimmed = next.trim_start();
            if !trimmed.is_empty() && !trimmed.starts_with('#') {
                break next;
            }
        };
    }
}

/// Passes over the documents that begin in an instruction (`RUN <<END`), up to the lines that end them.
fn skip_documents(keyword: &str, rest: &str, lines: &mut Lines<'_>) -> Result<(), Unclear> {
    let trigger = rest.split_whitespace().next().unwrap_or_default();
    let keyword = match keyword {
        "ONBUILD" => trigger.to_ascii_uppercase(),
        own => own.to_owned(),
    };
    if !matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") {
        return Ok(());
    }
    for (name, strips_tabs) in rest.split_whitespace().filter_map(document) {
        let is_end = |line: &str| {
            let tabs: &[char] = if strips_tabs { &['\t'] } else { &[] };
            line.trim_start_matches(tabs) == name
        };
        if !lines.any(is_end) {
            return Err(Unclear("a document in it has no end"));
        }
    }
    Ok(())
}

/// The name of a document that begins there, and whether tabs before its lines do not count.
fn document(word: &str) -> Option<(&str, bool)> {
    let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let name = word.strip_prefix("<<")?;
    let (name, strips_tabs) = match name.strip_prefix('-') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let quoted = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
    let name = quoted('"').or_else(|| quoted('\'')).unwrap_or(name);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some((name, strips_tabs))
}
