//! Bodies as they were before they were coded for their way (RFC 9110, section 8.4), within bounds.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

/// The most that is made of one body: a kilobyte can stand for a megabyte, and that for a gigabyte.
pub(super) const MOST: usize = 4 * 1024 * 1024;
/// Of one reader's.
const BUFFER: usize = 16 * 1024;
/// The most that a sender may count on (RFC 9659); more would have to be there at once.
const WINDOW: u64 = 8 * 1024 * 1024;

/// A body without its codings.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) bytes: Vec<u8>,
    /// Whether that is all of it.
    pub(super) is_whole: bool,
}

/// Undoes `codings`, as `Content-Encoding` lists them; nothing if one of them cannot be undone.
pub(super) fn undo(codings: &str, bytes: &[u8]) -> Option<Plain> {
    let mut plain = Plain {
        bytes: bytes.to_vec(),
        is_whole: true,
    };
    for coding in codings.rsplit(',') {
        let undone = match coding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(&plain.bytes[..])),
            // By the book with zlib's head; some send it without.
            "deflate" => read(ZlibDecoder::new(&plain.bytes[..]))
                .or_else(|| read(DeflateDecoder::new(&plain.bytes[..]))),
            "br" => read(brotli_decompressor::Decompressor::new(
                &plain.bytes[..],
                BUFFER,
            )),
            "zstd" => {
                let opened = StreamingDecoder::new_with_max_window_size(&plain.bytes[..], WINDOW);
                read(opened.ok()?)
            }
            _ => None,
        }?;
        plain = Plain {
            is_whole: plain.is_whole && undone.is_whole,
            ..undone
        };
    }
    Some(plain)
}

/// As much as there is; nothing if nothing can be read.
fn read(from: impl Read) -> Option<Plain> {
    let mut bytes = Vec::new();
    let read: io::Result<_> = from.take(MOST as u64 + 1).read_to_end(&mut bytes);
    let is_whole = read.is_ok() && bytes.len() <= MOST;
    if bytes.is_empty() && !is_whole {
        return None;
    }
    bytes.truncate(MOST);
    Some(Plain { bytes, is_whole })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"hello hello hello hello hello hello";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut coder = GzEncoder::new(Vec::new(), Compression::best());
        coder.write_all(bytes).unwrap();
        coder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut coder = ZlibEncoder::new(Vec::new(), Compression::best());
        coder.write_all(bytes).unwrap();
        coder.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut coder = DeflateEncoder::new(Vec::new(), Compression::best());
        coder.write_all(bytes).unwrap();
        coder.finish().unwrap()
    }

    /// [`TEXT`], by the programs of those names.
    const BROTLI: &[u8] = &[
        0x1B, 0x22, 0x00, 0xF8, 0x8D, 0x94, 0x6E, 0xDE, 0x44, 0x55, 0x86, 0x96, 0x6C, 0x20, 0x6F,
        0x41, 0x4F, 0x1C, 0xE0, 0x71,
    ];
    const ZSTD: &[u8] = &[
        0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x23, 0x65, 0x00, 0x00, 0x30, 0x68, 0x65, 0x6C, 0x6C, 0x6F,
        0x20, 0x01, 0x00, 0xB9, 0x4B, 0x11,
    ];

    #[test]
    fn each_coding_is_undone() {
        for (codings, bytes) in [
            ("gzip", gzip(TEXT)),
            ("X-GZip", gzip(TEXT)),
            ("gzip", [gzip(&TEXT[..5]), gzip(&TEXT[5..])].concat()),
            ("deflate", zlib(TEXT)),
            ("deflate", deflate(TEXT)),
            ("br", BROTLI.to_vec()),
            ("zstd", ZSTD.to_vec()),
            ("deflate, identity, gzip", gzip(&zlib(TEXT))),
            ("", TEXT.to_vec()),
        ] {
            let plain = undo(codings, &bytes).unwrap();
            assert_eq!(
                String::from_utf8_lossy(&plain.bytes),
                String::from_utf8_lossy(TEXT),
                "{codings}"
            );
            assert!(plain.is_whole, "{codings}");
        }
        assert_eq!(undo("compress", TEXT), None);
        for coding in ["gzip", "br", "zstd"] {
            assert_eq!(undo(coding, b"none of them"), None, "{coding}");
        }
    }

    #[test]
    fn what_was_cut_gives_what_is_there() {
        let noise: Vec<u8> = (0..50_000_u32)
            .map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[1])
            .collect();
        let bytes = gzip(&noise);
        let plain = undo("gzip", &bytes[..bytes.len() / 2]).unwrap();
        assert!(!plain.is_whole && plain.bytes.len() > 1_000);
        assert!(noise.starts_with(&plain.bytes));
    }

    #[test]
    fn what_would_be_huge_has_an_end() {
        // Each layer a thousand times the one inside.
        let bomb = gzip(&gzip(&vec![0; 64 << 20]));
        assert!(bomb.len() < 4_096, "{}", bomb.len());
        let plain = undo("gzip, gzip", &bomb).unwrap();
        assert_eq!((plain.bytes.len(), plain.is_whole), (MOST, false));
        // A frame that asks for a window of 128 MB before anything is in it.
        let greedy = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x88, 0x01, 0x00, 0x00];
        assert_eq!(undo("zstd", &greedy), None);
    }
}
