//! Where a message's body ends (RFC 9112, sections 6 and 7.1).

#[cfg(test)]
mod tests;

/// A chunk's size in hexadecimal digits; more would not fit.
const SIZE_DIGITS: u8 = 16;

/// What a chunk may say beside its size. Nobody says anything.
const EXTENSION: u16 = 4 * 1024;

/// How the end of a body is told, and how much of it is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes.
    Length(u64),
    /// Chunks, the last of them empty.
    Chunked(Chunks),
    /// All until the connection ends.
    UntilEnd,
}

/// A byte where none of its kind can stand: from here on, nobody knows where anything ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body's chunks are malformed")]
pub(crate) struct Malformed;

/// Where in a chunked body one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// In a chunk's size, of which so many digits were seen.
    Size(u64, u8),
    /// After the size, in white space.
    Padding(u64),
    /// In what extensions say, so many bytes of it.
    Extension(u64, u16),
    /// Before the line feed that ends the size's line.
    SizeEnd(u64),
    /// In a chunk's data, so many bytes before its end.
    Data(u64),
    /// After a chunk's data: carriage return, then line feed.
    DataReturn,
    DataEnd,
    /// At the beginning of a line after the last chunk: a trailer's, or the empty one that ends all.
    Trailer,
    /// Within a trailer's line.
    TrailerLine,
    /// Before the line feed that ends it.
    TrailerEnd,
    /// Before the line feed that ends all.
    End,
    Done,
}

impl Framing {
    pub(crate) const EMPTY: Self = Self::Length(0);
    pub(crate) const CHUNKED: Self = Self::Chunked(Chunks::Size(0, 0));

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunks::Done))
    }

    /// Takes what belongs to the body from the beginning of `input`: answers how much that is, and hands what it
    /// carries to `payload`.
    pub(crate) fn take(
        &mut self,
        input: &[u8],
        mut payload: impl FnMut(&[u8]),
    ) -> Result<usize, Malformed> {
        match self {
            Self::Length(left) => {
                let taken = at_most(*left, input.len());
                *left -= taken as u64;
                payload(&input[..taken]);
                Ok(taken)
            }
            Self::UntilEnd => {
                payload(input);
                Ok(input.len())
            }
            Self::Chunked(chunks) => chunks.take(input, payload),
        }
    }
}

fn at_most(left: u64, length: usize) -> usize {
    usize::try_from(left).map_or(length, |left| left.min(length))
}

impl Chunks {
    fn take(&mut self, input: &[u8], mut payload: impl FnMut(&[u8])) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < input.len() && *self != Self::Done {
            if let Self::Data(left) = *self {
                let taken = at_most(left, input.len() - at);
                payload(&input[at..at + taken]);
                at += taken;
                *self = match left - taken as u64 {
                    0 => Self::DataReturn,
                    left => Self::Data(left),
                };
            } else {
                *self = self.after(input[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    /// Strictly by the grammar, with no line that ends by a line feed alone: whoever reads the same bytes in another way would
    /// find other messages in them.
    fn after(&self, byte: u8) -> Result<Self, Malformed> {
        Ok(match (self, byte) {
            (Self::Size(size, 1..) | Self::Padding(size) | Self::Extension(size, _), b'\r') => {
                Self::SizeEnd(*size)
            }
            (Self::Size(size, 1..) | Self::Padding(size), b' ' | b'\t') => Self::Padding(*size),
            (Self::Size(size, 1..) | Self::Padding(size), b';') => Self::Extension(*size, 0),
            (Self::Extension(size, length), _) if byte != b'\n' && *length < EXTENSION => {
                Self::Extension(*size, length + 1)
            }
            (Self::SizeEnd(0) | Self::TrailerEnd, b'\n') => Self::Trailer,
            (Self::SizeEnd(size), b'\n') => Self::Data(*size),
            (Self::Size(size, digits), _) if *digits < SIZE_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                Self::Size(size << 4 | u64::from(digit), digits + 1)
            }
            (Self::DataReturn, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size(0, 0),
            (Self::Trailer, b'\r') => Self::End,
            (Self::TrailerLine, b'\r') => Self::TrailerEnd,
            (Self::End, b'\n') => Self::Done,
            (Self::Trailer | Self::TrailerLine, _) if byte != b'\n' => Self::TrailerLine,
            _ => return Err(Malformed),
        })
    }
}
