//! A build's graph, as the Dockerfile's frontend makes it: each step upon the one before.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// One with so many RUN steps.
pub(super) fn of(steps: usize) -> Vec<u8> {
    let base = field(
        3,
        &field(1, b"docker-image://docker.io/library/base:latest"),
    );
    let mut definition = field(1, &base);
    let mut metadata = Vec::new();
    let mut below = base;
    for at in 0..steps {
        let step = step(&below, at);
        definition.extend(field(1, &step));
        let entry = [
            field(1, digest(&step).as_bytes()),
            field(2, &field(2, b"\x0a\x01n")),
        ];
        metadata.extend(field(2, &entry.concat()));
        below = step;
    }
    let end = field(1, &field(1, digest(&below).as_bytes()));
    definition.extend(field(1, &end));
    definition.extend(metadata);
    definition
}

fn step(below: &[u8], at: usize) -> Vec<u8> {
    let mut meta = Vec::new();
    for word in [
        "/bin/sh",
        "-c",
        &format!("make part-{at} && make install-{at}"),
    ] {
        meta.extend(field(1, word.as_bytes()));
    }
    for pair in [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C.UTF-8",
        "PYTHON_VERSION=3.12.1",
    ] {
        meta.extend(field(2, pair.as_bytes()));
    }
    meta.extend(field(3, b"/"));
    let mount = [vec![0x08, 0], field(3, b"/")].concat();
    let exec = [field(1, &meta), field(2, &mount)].concat();
    let input = field(1, digest(below).as_bytes());
    [field(1, &input), field(2, &exec)].concat()
}

fn digest(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A field of bytes, of a number below sixteen.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    field.push(length.to_le_bytes()[0]);
    field.extend_from_slice(bytes);
    field
}
