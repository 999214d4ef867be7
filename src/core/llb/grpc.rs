//! The frame around a message of gRPC.

/// A flag, and the length in four bytes.
const HEAD: usize = 5;

/// The one message that a body carries; nothing if it is another number of them, or compressed.
pub fn message(body: &[u8]) -> Option<&[u8]> {
    let (head, message) = body.split_at_checked(HEAD)?;
    let length = u32::from_be_bytes(head[1..].try_into().ok()?);
    (head[0] == 0 && message.len() == length as usize).then_some(message)
}

/// A body with that one message.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut body = Vec::with_capacity(HEAD + message.len());
    body.push(0);
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(message);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_whole_message() {
        for (body, expected) in [
            (&b"\0\0\0\0\x02hi"[..], Some(&b"hi"[..])),
            (b"\0\0\0\0\0", Some(b"")),
            (b"\x01\0\0\0\x02hi", None),
            (b"\0\0\0\0\x03hi", None),
            (b"\0\0\0\0\x01hi", None),
            (b"\0\0\0\0", None),
            (b"", None),
        ] {
            assert_eq!(message(body), expected, "{body:?}");
        }
        assert_eq!(frame(b"hi"), b"\0\0\0\0\x02hi");
    }
}
