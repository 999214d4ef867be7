//! What header lines say about a message, whoever has parsed them.

use super::framing::Framing;

/// The headers contradict themselves about the body's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the headers contradict themselves about the body's length")]
pub(crate) struct Contradiction;

/// How the headers tell the end of the body, if they do (RFC 9112, section 6.3).
pub(crate) fn announced<'a, I>(fields: I) -> Result<Option<Framing>, Contradiction>
where
    I: Iterator<Item = (&'a str, &'a [u8])> + Clone,
{
    let mut codings = values(fields.clone(), "transfer-encoding").peekable();
    if codings.peek().is_some() {
        let mut codings = codings.flat_map(|value| value.split(|byte| *byte == b','));
        let is_chunked = |coding: &[u8]| trimmed(coding).eq_ignore_ascii_case(b"chunked");
        let first = codings.position(is_chunked);
        return match (first, codings.next()) {
            // Chunks win over a length.
            (Some(_), None) => Ok(Some(Framing::CHUNKED)),
            (Some(_), Some(_)) => Err(Contradiction),
            // Another coding that comes last has no end of its own.
            (None, _) => Ok(Some(Framing::UntilEnd)),
        };
    }
    let mut found = None;
    for value in values(fields, "content-length") {
        let length = length(value).ok_or(Contradiction)?;
        if found.is_some_and(|found| found != length) {
            return Err(Contradiction);
        }
        found = Some(length);
    }
    Ok(found.map(Framing::Length))
}

fn length(value: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(trimmed(value)).ok()?;
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| only_digits)
}

/// Without the white space that may be around it: no other counts, whatever else takes it for such.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The values of a header.
pub(crate) fn values<'a, I>(fields: I, name: &'a str) -> impl Iterator<Item = &'a [u8]>
where
    I: Iterator<Item = (&'a str, &'a [u8])>,
{
    fields
        .filter(move |(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The items of a header that is a list.
pub(crate) fn items<'a, I>(fields: I, name: &'a str) -> impl Iterator<Item = &'a str>
where
    I: Iterator<Item = (&'a str, &'a [u8])>,
{
    values(fields, name)
        .filter_map(|value| str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .map(|item| item.trim_matches([' ', '\t']))
        .filter(|item| !item.is_empty())
}

/// Whether a header that is a list has that item.
pub(crate) fn has<'a, I>(fields: I, name: &'a str, item: &str) -> bool
where
    I: Iterator<Item = (&'a str, &'a [u8])>,
{
    items(fields, name).any(|given| given.eq_ignore_ascii_case(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_body_is_announced_once() {
        let chunked = Ok(Some(Framing::CHUNKED));
        let until_end = Ok(Some(Framing::UntilEnd));
        let length = |length| Ok(Some(Framing::Length(length)));
        for (fields, expected) in [
            (&[][..], Ok(None)),
            (&[("content-length", "12")], length(12)),
            (&[("Content-Length", " 12 ")], length(12)),
            (
                &[("content-length", "2"), ("Content-Length", "2")],
                length(2),
            ),
            (
                &[("content-length", "2"), ("content-length", "3")],
                Err(Contradiction),
            ),
            (&[("content-length", "+2")], Err(Contradiction)),
            (&[("content-length", "2, 2")], Err(Contradiction)),
            (&[("content-length", "")], Err(Contradiction)),
            (
                &[("content-length", "99999999999999999999")],
                Err(Contradiction),
            ),
            (&[("Transfer-Encoding", "Chunked")], chunked.clone()),
            (&[("transfer-encoding", "gzip, chunked")], chunked.clone()),
            (
                &[("transfer-encoding", "chunked"), ("content-length", "2")],
                chunked,
            ),
            (
                &[("transfer-encoding", "chunked, gzip")],
                Err(Contradiction),
            ),
            (
                &[("transfer-encoding", "chunked, chunked")],
                Err(Contradiction),
            ),
            (
                &[("transfer-encoding", "gzip"), ("content-length", "2")],
                until_end.clone(),
            ),
            (&[("transfer-encoding", "")], until_end.clone()),
            (&[("transfer-encoding", "chunked\u{a0}")], until_end),
        ] {
            let lines = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
            assert_eq!(announced(lines), expected, "{fields:?}");
        }
    }
}
