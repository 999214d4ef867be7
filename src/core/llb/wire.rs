//! Protocol Buffers as bytes: a message is split into its fields, and put together of them again.
//!
//! <https://protobuf.dev/programming-guides/encoding/>. A library that decodes and encodes would drop the fields that it
//! does not know, and so change a build without a word.

use super::Malformed;

const CUT: Malformed = Malformed("a message ends too early");

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) value: Value<'a>,
    /// As it came, its number included.
    raw: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a fixed width: nothing of interest is.
    Fixed,
}

/// Splits a message.
pub(super) fn fields(mut message: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let (field, rest) = field(message)?;
        fields.push(field);
        message = rest;
    }
    Ok(fields)
}

fn field(message: &[u8]) -> Result<(Field<'_>, &[u8]), Malformed> {
    let (tag, rest) = varint(message)?;
    let (value, rest) = match tag & 7 {
        0 => {
            let (number, rest) = varint(rest)?;
            (Value::Number(number), rest)
        }
        1 => (Value::Fixed, rest.get(8..).ok_or(CUT)?),
        2 => {
            let (length, rest) = varint(rest)?;
            let length = usize::try_from(length).map_err(|_| CUT)?;
            let (bytes, rest) = rest.split_at_checked(length).ok_or(CUT)?;
            (Value::Bytes(bytes), rest)
        }
        5 => (Value::Fixed, rest.get(4..).ok_or(CUT)?),
        _ => return Err(Malformed("a field of an unknown type")),
    };
    let field = Field {
        number: tag >> 3,
        value,
        raw: &message[..message.len() - rest.len()],
    };
    Ok((field, rest))
}

fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((number, &bytes[at + 1..]));
        }
    }
    Err(CUT)
}

impl<'a> Field<'a> {
    /// What it carries, if it is that field and carries bytes.
    pub(super) fn bytes(&self, number: u64) -> Option<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) if self.number == number => Some(bytes),
            Value::Bytes(_) | Value::Number(_) | Value::Fixed => None,
        }
    }

    /// The same for a number.
    pub(super) fn number(&self, number: u64) -> Option<u64> {
        match self.value {
            Value::Number(value) if self.number == number => Some(value),
            Value::Bytes(_) | Value::Number(_) | Value::Fixed => None,
        }
    }
}

/// What a message has in a field of which the last one counts; empty if it is not there.
pub(super) fn last_bytes<'a>(fields: &[Field<'a>], number: u64) -> &'a [u8] {
    let mut found = fields.iter().rev().filter_map(|f| f.bytes(number));
    found.next().unwrap_or_default()
}

/// The same for a number.
pub(super) fn last_number(fields: &[Field<'_>], number: u64) -> u64 {
    let mut found = fields.iter().rev().filter_map(|f| f.number(number));
    found.next().unwrap_or_default()
}

/// All that a message has in a field that may be repeated.
pub(super) fn all_bytes<'a>(fields: &[Field<'a>], number: u64) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter_map(move |field| field.bytes(number))
}

/// Text, as Protocol Buffers have it.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    str::from_utf8(bytes).map_err(|_| Malformed("a text is not UTF-8"))
}

/// The value under a key of a map of texts; the last one counts.
pub(super) fn in_map<'a>(
    fields: &[Field<'a>],
    number: u64,
    key: &str,
) -> Result<Option<&'a [u8]>, Malformed> {
    let mut found = None;
    for entry in all_bytes(fields, number) {
        let entry = self::fields(entry)?;
        if last_bytes(&entry, 1) == key.as_bytes() {
            found = Some(last_bytes(&entry, 2));
        }
    }
    Ok(found)
}

/// A message that is put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Adds a field as it came.
    pub(super) fn copy(&mut self, field: &Field<'_>) {
        self.0.extend_from_slice(field.raw);
    }

    /// Adds a number; those below zero as their complement.
    pub(super) fn number(&mut self, number: u64, value: u64) {
        self.varint(number << 3);
        self.varint(value);
    }

    /// Adds bytes, a text or a message.
    pub(super) fn bytes(&mut self, number: u64, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.varint(number << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        loop {
            let [lowest, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                return self.0.push(lowest);
            }
            // Seven bits of it, and that there are more.
            self.0.push(lowest | 0x80);
        }
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Minus one, in a field of signed numbers.
pub(super) const NONE: u64 = u64::MAX;
