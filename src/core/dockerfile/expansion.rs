//! Variables of a proxy that instructions write into the image (`ENV http_proxy=$http_proxy`): what they mean is what the
//! user says of them, and never ours.

use std::collections::BTreeMap;

/// The variables that the builder knows by itself, of those that are set.
pub const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Whether variables in it are expanded when it is built, and not by a shell or in an image made of this one.
pub(super) fn expands(keyword: &str) -> bool {
    !matches!(
        keyword,
        "RUN" | "CMD" | "ENTRYPOINT" | "SHELL" | "HEALTHCHECK" | "MAINTAINER" | "ONBUILD"
    )
}

/// Whether a text has a reference to that variable.
pub(super) fn refers(text: &str, name: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        reference(text.get(at..).unwrap_or_default()).is_some_and(|found| found.name == name)
    })
}

/// The text with what the user says of proxies in the place of references to them; nothing if there are none.
pub(super) fn expanded(text: &str, escape: char, own: &BTreeMap<String, String>) -> Option<String> {
    let mut expanded = String::with_capacity(text.len());
    let (mut at, mut changed) = (0, false);
    let (mut single, mut double, mut escaped) = (false, false, false);
    while let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        if character == '$' && !escaped && !single {
            let found = reference(rest).filter(|found| PROXIES.contains(&found.name));
            if let Some(found) = found {
                expanded.push_str(found.value(own.get(found.name)));
                at += found.length;
                changed = true;
                continue;
            }
        }
        match character {
            '\'' if !escaped && !double => single = !single,
            '"' if !escaped && !single => double = !double,
            _ => {}
        }
        escaped = character == escape && !escaped && !single;
        expanded.push(character);
        at += character.len_utf8();
    }
    changed.then_some(expanded)
}

/// `$NAME`, `${NAME}`, `${NAME:-WORD}` or `${NAME:+WORD}`.
struct Reference<'a> {
    name: &'a str,
    modifier: Option<(char, &'a str)>,
    length: usize,
}

impl<'a> Reference<'a> {
    fn value(&self, own: Option<&'a String>) -> &'a str {
        let own = own.map(String::as_str).filter(|own| !own.is_empty());
        match self.modifier {
            Some(('+', word)) => own.map_or("", |_| word),
            Some((_, word)) => own.unwrap_or(word),
            None => own.unwrap_or_default(),
        }
    }
}

fn reference(text: &str) -> Option<Reference<'_>> {
    let rest = text.strip_prefix('$')?;
    let end = |rest: &str| {
        rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len())
    };
    let Some(inner) = rest.strip_prefix('{') else {
        let length = end(rest);
        return Some(Reference {
            name: rest.get(..length)?,
            modifier: None,
            length: 1 + length,
        });
    };
    let (inner, _) = inner.split_once('}')?;
    let (name, modifier) = inner.split_at_checked(end(inner))?;
    let modifier = match modifier.strip_prefix(':') {
        Some(modifier) => {
            let sign = modifier.chars().next()?;
            Some((sign, modifier.get(sign.len_utf8()..)?))
        }
        None => None,
    };
    Some(Reference {
        name,
        modifier,
        length: "${}".len() + inner.len(),
    })
}
