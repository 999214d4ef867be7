use proptest::prelude::*;

use super::{Framing, Malformed};

/// Takes `input` in pieces of `step` bytes: how much was the body's, what it carried, and whether it is at its end.
fn taken(
    mut framing: Framing,
    input: &[u8],
    step: usize,
) -> Result<(usize, Vec<u8>, bool), Malformed> {
    let mut carried = Vec::new();
    let mut total = 0;
    for piece in input.chunks(step) {
        let taken = framing.take(piece, |bytes| carried.extend_from_slice(bytes))?;
        total += taken;
        if taken < piece.len() {
            break;
        }
    }
    Ok((total, carried, framing.is_done()))
}

#[test]
fn a_body_ends_where_its_framing_says() {
    let chunked: &[u8] = b"5\r\nhello\r\n1;x=\"y\"\r\n!\r\n0\r\nA: b\r\n\r\n";
    let padded: &[u8] = b"5 \r\nhello\r\n0 ;x\r\n\r\n";
    let cases: [(Framing, &[u8], &[u8]); 5] = [
        (Framing::Length(3), b"abc", b"abc"),
        (Framing::EMPTY, b"", b""),
        (Framing::CHUNKED, chunked, b"hello!"),
        (Framing::CHUNKED, padded, b"hello"),
        (Framing::CHUNKED, b"000\r\n\r\n", b""),
    ];
    for (framing, body, carried) in cases {
        for step in [1, 2, 3, 64] {
            let input = [body, b"GET /next"].concat();
            let expected = (body.len(), carried.to_vec(), true);
            assert_eq!(taken(framing.clone(), &input, step), Ok(expected));
        }
    }
}

#[test]
fn a_body_without_an_end_takes_everything() {
    let (total, carried, done) = taken(Framing::UntilEnd, b"everything", 4).unwrap();
    assert_eq!((total, carried.len(), done), (10, 10, false));
}

#[test]
fn malformed_chunks_are_told() {
    for input in [
        "x\r\n",
        "\r\n",
        ";\r\n",
        "5\rx",
        "1\r\nab",
        "12345678123456781\r\n",
        "5\nhello\r\n",
        "5;x\n",
        "5 6\r\n",
        "1\r\na\n",
        "0\r\n\n",
        "0\r\nA: b\n",
        "0\r\nA: b\rc",
        &format!("1;{}\r\n", "x".repeat(5_000)),
    ] {
        let outcome = taken(Framing::CHUNKED, input.as_bytes(), 64);
        assert_eq!(outcome, Err(Malformed), "{input:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_alike_in_pieces_and_as_a_whole(input: Vec<u8>, step in 1_usize..9) {
        prop_assert_eq!(
            taken(Framing::CHUNKED, &input, step),
            taken(Framing::CHUNKED, &input, usize::MAX)
        );
    }

    #[test]
    fn chunks_carry_what_was_put_into_them(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6)) {
        let mut body: Vec<u8> = Vec::new();
        for part in &parts {
            body.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            body.extend_from_slice(part);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        prop_assert_eq!(taken(Framing::CHUNKED, &body, 7), Ok((body.len(), parts.concat(), true)));
    }
}
