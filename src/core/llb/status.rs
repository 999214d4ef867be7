//! `StatusResponse`: how a build goes on, as clients are told it.

use super::Malformed;
use super::wire::{Field, Message, Value, fields, text};

/// Of the response: steps, and warnings of the frontend.
const VERTEXES: u64 = 1;
const WARNINGS: u64 = 4;
/// Of a step.
const NAME: u64 = 3;
/// Of a warning: the file that it is of, and where in it.
const SOURCE: u64 = 6;
const RANGES: u64 = 7;
/// Of that file: its text.
const DATA: u64 = 2;
/// Of a place: its line, counted from one.
const LINE: u64 = 1;

/// How a status is told to the user.
pub struct Retold<'a> {
    /// What a step is called.
    pub name: &'a dyn Fn(&str) -> String,
    /// The number of a line.
    pub line: &'a dyn Fn(u64) -> u64,
    /// The text that warnings are about.
    pub dockerfile: &'a str,
}

/// A status as the user is to see it; nothing if it is that already.
pub fn retold(status: &[u8], by: &Retold<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    let told = edited(status, &|field| match field.number {
        VERTEXES => nested(field, &|field| renamed(field, by)),
        WARNINGS => nested(field, &|field| warning(field, by)),
        _ => Ok(None),
    })?;
    Ok((told != status).then_some(told))
}

fn renamed(field: &Field<'_>, by: &Retold<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    let name = field.bytes(NAME).map(text).transpose()?;
    Ok(name.map(|name| (by.name)(name).into_bytes()))
}

fn warning(field: &Field<'_>, by: &Retold<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    match field.number {
        SOURCE => nested(field, &|field| {
            let data = field.bytes(DATA);
            Ok(data.map(|_| by.dockerfile.as_bytes().to_vec()))
        }),
        // Two places: from here to there.
        RANGES => nested(field, &|field| {
            let Value::Bytes(place) = field.value else {
                return Ok(None);
            };
            let mut moved = Message::new();
            for field in &fields(place)? {
                match field.number(LINE) {
                    Some(line) => moved.number(LINE, (by.line)(line)),
                    None => moved.copy(field),
                }
            }
            Ok(Some(moved.into_bytes()))
        }),
        _ => Ok(None),
    }
}

type Edit<'a> = &'a dyn Fn(&Field<'_>) -> Result<Option<Vec<u8>>, Malformed>;

/// A field that is a message, with those of its fields changed that `edit` has something for.
fn nested(field: &Field<'_>, edit: Edit<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    match field.value {
        Value::Bytes(message) => edited(message, edit).map(Some),
        Value::Number(_) | Value::Fixed => Ok(None),
    }
}

fn edited(message: &[u8], edit: Edit<'_>) -> Result<Vec<u8>, Malformed> {
    let mut edited = Message::with_capacity(message.len());
    for field in &fields(message)? {
        match edit(field)? {
            Some(bytes) => edited.bytes(field.number, bytes),
            None => edited.copy(field),
        }
    }
    Ok(edited.into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(status: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        let by = Retold {
            name: &|name| name.replace("ours ", ""),
            line: &|line| line - 1,
            dockerfile: "FROM own",
        };
        retold(status, &by)
    }

    fn message(of: &[(u64, &[u8])]) -> Vec<u8> {
        let mut message = Message::new();
        for (number, bytes) in of {
            message.bytes(*number, bytes);
        }
        message.into_bytes()
    }

    fn place(line: u64) -> Vec<u8> {
        let mut place = Message::new();
        place.number(2, 7);
        place.number(LINE, line);
        place.into_bytes()
    }

    fn status(name: &str, dockerfile: &str, line: u64) -> Vec<u8> {
        let vertex = message(&[(1, b"sha256:00"), (NAME, name.as_bytes()), (99, b"new")]);
        let source = message(&[(1, b"Dockerfile"), (DATA, dockerfile.as_bytes())]);
        let range = message(&[(1, &place(line)), (2, &place(line + 1))]);
        let warning = message(&[(3, b"short"), (SOURCE, &source), (RANGES, &range)]);
        message(&[(VERTEXES, &vertex), (3, b"a log"), (WARNINGS, &warning)])
    }

    #[test]
    fn steps_and_warnings_are_the_users_own() {
        let own = status("RUN x", "FROM own", 3);
        assert_eq!(told(&status("RUN ours x", "FROM other", 4)), Ok(Some(own)));
        let plain = message(&[(VERTEXES, &message(&[(NAME, b"RUN x")])), (3, b"ours x")]);
        assert_eq!(told(&plain), Ok(None));
    }

    #[test]
    fn what_is_cut_off_is_not_understood() {
        let whole = status("RUN ours x", "", 9);
        let cut = (1..whole.len()).filter(|at| told(&whole[..*at]).is_err());
        // What is left of some is a status by itself.
        assert_eq!(cut.count(), whole.len() - 3);
    }

    proptest! {
        #[test]
        fn nothing_panics(status in prop::collection::vec(any::<u8>(), 0..100)) {
            let by = Retold { name: &str::to_owned, line: &|line| line, dockerfile: "" };
            let _ = retold(&status, &by);
        }
    }
}
