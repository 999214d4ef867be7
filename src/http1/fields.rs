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
    // Chunks win over a length. Another coding that comes last has no end of its own.
    if let Some(last) = items(fields.clone(), "transfer-encoding").last() {
        let chunked = last.eq_ignore_ascii_case("chunked");
        return Ok(Some(if chunked {
            Framing::CHUNKED
        } else {
            Framing::UntilEnd
        }));
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
    let digits = str::from_utf8(value.trim_ascii()).ok()?;
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| only_digits)
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
        .map(str::trim)
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
                Ok(Some(Framing::UntilEnd)),
            ),
        ] {
            let lines = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
            assert_eq!(announced(lines), expected, "{fields:?}");
        }
    }
}
