//! Headers of entries, as POSIX and GNU write them (`man 5 tar`).

/// The unit of all.
pub(super) const BLOCK: usize = 512;

const SIZE: std::ops::Range<usize> = 124..136;
const SUM: std::ops::Range<usize> = 148..156;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file.
    File,
    /// What has no content, whatever its size says: links, folders, devices.
    Bodiless,
    /// The path of the next entry (GNU).
    Path,
    /// Records that say more of the next entry (POSIX).
    Records,
    /// Anything else; it has as much content as it says.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) path: Vec<u8>,
    pub(super) size: u64,
}

impl Header {
    /// Understands a header; nothing if it is none, or of a kind whose end cannot be told.
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        let block = block.get(..BLOCK)?;
        if number(&block[SUM])? != sum(block) {
            return None;
        }
        let kind = match block[156] {
            0 | b'0' | b'7' => Kind::File,
            b'1'..=b'6' => Kind::Bodiless,
            b'L' => Kind::Path,
            b'x' => Kind::Records,
            // Old sparse files of GNU: more headers follow.
            b'S' => return None,
            _ => Kind::Other,
        };
        let name = text(&block[..100]);
        let prefix = text(&block[345..500]);
        let is_posix = block.get(257..263) == Some(b"ustar\0");
        let path = match prefix {
            prefix if is_posix && !prefix.is_empty() => [prefix, b"/", name].concat(),
            _ => name.to_vec(),
        };
        Some(Self {
            kind,
            path,
            size: number(&block[SIZE])?,
        })
    }
}

/// Gives a header another size.
pub(super) fn resize(block: &mut [u8], size: u64) {
    block[SIZE].copy_from_slice(format!("{size:011o}\0").as_bytes());
    let sum = sum(block);
    block[SUM].copy_from_slice(format!("{sum:07o}\0").as_bytes());
}

/// The sum over a header, in which the field for it counts as blanks.
fn sum(block: &[u8]) -> u64 {
    let bytes = block.iter().enumerate();
    let counted = bytes.map(|(at, byte)| {
        let byte = if SUM.contains(&at) { b' ' } else { *byte };
        u64::from(byte)
    });
    counted.take(BLOCK).sum()
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, or in base 256 where the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if let [first, rest @ ..] = field
        && first & 0x80 != 0
    {
        if first & 0x40 != 0 {
            return None;
        }
        let first = u64::from(first & 0x3f);
        return rest.iter().try_fold(first, |number, byte| {
            number.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | 0);
    let digits = field.iter().skip_while(|byte| is_space(byte));
    digits
        .take_while(|byte| !is_space(byte))
        .try_fold(0, |number: u64, byte| {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit < 8)?;
            number.checked_mul(8)?.checked_add(u64::from(digit))
        })
}

/// `LENGTH NAME=VALUE\n`, one after another.
pub(super) fn records(mut content: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut records = Vec::new();
    while let Some(blank) = content.iter().position(|byte| *byte == b' ') {
        let length = decimal(&content[..blank]).and_then(|l| usize::try_from(l).ok());
        let record = length.and_then(|length| content.get(blank + 1..length));
        let Some((record, length)) = record.zip(length) else {
            break;
        };
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        if let Some(sign) = record.iter().position(|byte| *byte == b'=') {
            records.push((&record[..sign], &record[sign + 1..]));
        }
        content = &content[length..];
    }
    records
}

pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}
