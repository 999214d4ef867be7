//! What passes on a WebSocket, as messages (RFC 6455, section 5).
//!
//! Control frames are left out, and so is what a frame's mask was.

/// The longest head of a frame.
const HEAD: usize = 14;

/// One direction of a WebSocket, as its bytes come.
#[derive(Debug, Default)]
pub struct Frames {
    head: [u8; HEAD],
    /// How much of a head is there.
    known: usize,
    /// What is still to come of the frame whose head is known.
    payload: Option<Payload>,
    /// Whether more frames of a message are to come.
    is_open: bool,
    /// It is no WebSocket, or one of a kind that nobody knows: nothing more is seen.
    is_lost: bool,
}

#[derive(Clone, Copy, Debug)]
struct Payload {
    left: u64,
    mask: [u8; 4],
    /// Where in the mask the next byte is.
    at: usize,
    /// A part of a message; else a control frame.
    is_data: bool,
    /// The last of its message.
    is_last: bool,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Text; else binary.
    pub is_text: bool,
    /// Compressed by itself (RFC 7692).
    pub is_compressed: bool,
}

/// What was seen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A message begins.
    Begin(Kind),
    /// More of it.
    Data(&'a [u8]),
}

impl Frames {
    /// Takes what has passed, and shows what it was.
    pub fn push(&mut self, mut bytes: &[u8], mut see: impl FnMut(Seen<'_>)) {
        while !bytes.is_empty() && !self.is_lost {
            if let Some(mut payload) = self.payload.take() {
                let length = usize::try_from(payload.left).unwrap_or(usize::MAX);
                let (piece, rest) = bytes.split_at(length.min(bytes.len()));
                if payload.is_data {
                    see(Seen::Data(&payload.unmask(piece)));
                }
                payload.left -= piece.len() as u64;
                self.go_on(payload);
                bytes = rest;
                continue;
            }
            self.head[self.known] = bytes[0];
            self.known += 1;
            bytes = &bytes[1..];
            if self.known == self.wanted() {
                self.begin(&mut see);
            }
        }
    }

    /// How long the head is, by what is known of it.
    fn wanted(&self) -> usize {
        if self.known < 2 {
            return 2;
        }
        let length = match self.head[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        2 + length + mask
    }

    fn begin(&mut self, see: &mut impl FnMut(Seen<'_>)) {
        let (first, second) = (self.head[0], self.head[1]);
        let is_last = first & 0x80 != 0;
        let rest = &self.head[2..self.known];
        let (length, mask) = match second & 0x7F {
            126 => rest.split_at(2),
            127 => rest.split_at(8),
            _ => rest.split_at(0),
        };
        let left = match length {
            [] => u64::from(second & 0x7F),
            bytes => bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        let is_data = match first & 0x0F {
            0 if self.is_open => true,
            opcode @ (1 | 2) if !self.is_open => {
                see(Seen::Begin(Kind {
                    is_text: opcode == 1,
                    is_compressed: first & 0x40 != 0,
                }));
                true
            }
            8..=10 if is_last => false,
            _ => {
                self.is_lost = true;
                return;
            }
        };
        let payload = Payload {
            left,
            mask: mask.try_into().unwrap_or_default(),
            at: 0,
            is_data,
            is_last,
        };
        self.known = 0;
        self.go_on(payload);
    }

    fn go_on(&mut self, payload: Payload) {
        if payload.is_data {
            self.is_open = !payload.is_last || payload.left > 0;
        }
        self.payload = Some(payload).filter(|payload| payload.left > 0);
    }
}

impl Payload {
    fn unmask(&mut self, piece: &[u8]) -> Vec<u8> {
        let from = self.at;
        self.at = (from + piece.len()) % 4;
        let plain = piece.iter().enumerate();
        plain
            .map(|(i, byte)| byte ^ self.mask[(from + i) % 4])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame as somebody sends it.
    fn frame(first: u8, mask: Option<[u8; 4]>, data: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        let masked = if mask.is_some() { 0x80 } else { 0 };
        match data.len() {
            length @ 0..126 => frame.push(masked | u8::try_from(length).unwrap()),
            length @ 126..0x1_0000 => {
                frame.push(masked | 0x7E);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                frame.push(masked | 0x7F);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        let mask = mask.inspect(|mask| frame.extend(mask)).unwrap_or_default();
        frame.extend(data.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
        frame
    }

    /// The messages in `bytes`, which come in pieces of that length.
    fn messages(bytes: &[u8], piece: usize) -> Vec<(Kind, Vec<u8>)> {
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            frames.push(piece, |seen| match seen {
                Seen::Begin(kind) => found.push((kind, Vec::new())),
                Seen::Data(data) => found.last_mut().unwrap().1.extend(data),
            });
        }
        found
    }

    const TEXT: Kind = Kind {
        is_text: true,
        is_compressed: false,
    };
    const BINARY: Kind = Kind {
        is_text: false,
        is_compressed: false,
    };

    #[test]
    fn messages_come_whole_however_they_are_cut() {
        let mask = Some([1, 2, 3, 4]);
        let long = vec![7; 70_000];
        let bytes = [
            frame(0x81, mask, b"hello"),
            // In three frames, with a ping between them.
            frame(0x02, mask, b"a"),
            frame(0x89, mask, b"ping"),
            frame(0x00, None, b""),
            frame(0x80, mask, b"bc"),
            frame(0x81, None, b""),
            frame(0xC2, None, &long),
            frame(0x82, mask, &long[..300]),
            frame(0x88, mask, &[3, 232]),
        ]
        .concat();
        let compressed = Kind {
            is_compressed: true,
            ..BINARY
        };
        let expected = vec![
            (TEXT, b"hello".to_vec()),
            (BINARY, b"abc".to_vec()),
            (TEXT, Vec::new()),
            (compressed, long.clone()),
            (BINARY, long[..300].to_vec()),
        ];
        for piece in [1, 2, 7, 1_000, bytes.len()] {
            assert_eq!(messages(&bytes, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn what_is_no_websocket_is_seen_no_more() {
        for wrong in [0x83, 0x80, 0x08, 0x8F] {
            let bytes = [
                frame(0x81, None, b"a"),
                frame(wrong, None, b"b"),
                frame(0x81, None, b"c"),
            ];
            assert_eq!(
                messages(&bytes.concat(), 5),
                [(TEXT, b"a".to_vec())],
                "{wrong:x}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), piece in 1_usize..20) {
            messages(&bytes, piece);
        }
    }
}
