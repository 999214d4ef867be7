use bytes::BytesMut;
use proptest::prelude::*;

use super::{Framing, Next, RequestHead, ResponseHead};

fn request(text: &str) -> RequestHead {
    let mut buffer = BytesMut::from(text);
    match RequestHead::take(&mut buffer) {
        Next::Head(head) => head,
        other => panic!("{text:?}: {other:?}"),
    }
}

fn response(text: &str, method: &str) -> ResponseHead {
    let mut buffer = BytesMut::from(text);
    match ResponseHead::take(&mut buffer, method) {
        Next::Head(head) => head,
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn a_request_says_how_its_body_ends() {
    let cases = [
        ("", Framing::EMPTY),
        ("Content-Length: 12\r\n", Framing::Length(12)),
        (
            "content-length:12\r\nContent-Length: 12\r\n",
            Framing::Length(12),
        ),
        ("Transfer-Encoding: chunked\r\n", Framing::CHUNKED),
        (
            "Transfer-Encoding: gzip, Chunked\r\nContent-Length: 3\r\n",
            Framing::CHUNKED,
        ),
    ];
    for (lines, body) in cases {
        let head = request(&format!("POST /x HTTP/1.1\r\nHost: d\r\n{lines}\r\n"));
        assert_eq!(head.body, body, "{lines}");
        assert_eq!((head.method.as_str(), head.target.as_str()), ("POST", "/x"));
    }
}

#[test]
fn what_is_no_request_stays_in_the_buffer() {
    for text in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ] {
        let mut buffer = BytesMut::from(text);
        assert_eq!(RequestHead::take(&mut buffer), Next::Opaque, "{text:?}");
        assert_eq!(buffer, text);
    }
    let mut half = BytesMut::from("GET / HTTP/1.1\r\nHost");
    assert_eq!(RequestHead::take(&mut half), Next::More);
}

#[test]
fn an_answer_says_how_its_body_ends() {
    let cases = [
        (
            "200 OK\r\nContent-Length: 2",
            "GET",
            Framing::Length(2),
            true,
        ),
        ("200 OK\r\nContent-Length: 2", "HEAD", Framing::EMPTY, true),
        ("204 No Content", "POST", Framing::EMPTY, true),
        ("101 UPGRADED", "POST", Framing::EMPTY, true),
        (
            "200 OK\r\nTransfer-Encoding: chunked",
            "GET",
            Framing::CHUNKED,
            true,
        ),
        (
            "200 OK\r\nContent-Length: 2\r\nConnection: close",
            "GET",
            Framing::Length(2),
            false,
        ),
        ("200 OK", "GET", Framing::UntilEnd, false),
    ];
    for (lines, method, body, persists) in cases {
        let head = response(&format!("HTTP/1.1 {lines}\r\n\r\n"), method);
        assert_eq!((head.body, head.persists), (body, persists), "{lines}");
    }
}

#[test]
fn a_head_is_changed_in_nothing_but_what_was_asked_for() {
    let head =
        request("POST /x HTTP/1.1\r\nX-a:  B\r\ntransfer-encoding: chunked\r\nHost: d\r\n\r\nrest");
    assert_eq!(
        head.with_length(7),
        "POST /x HTTP/1.1\r\nX-a:  B\r\nHost: d\r\nContent-Length: 7\r\n\r\n"
    );
    let head = response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", "GET");
    assert_eq!(
        head.with_line("Dockline-Instance", "default"),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDockline-Instance: default\r\n\r\n"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_a_head_or_not_and_none_is_lost(input: Vec<u8>) {
        let mut buffer = BytesMut::from(input.as_slice());
        let taken = match RequestHead::take(&mut buffer) {
            Next::Head(head) => head.bytes.to_vec(),
            Next::More | Next::Opaque => Vec::new(),
        };
        let lines = input.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        prop_assert_eq!([taken, buffer.to_vec()].concat(), &input[lines..]);
    }
}
