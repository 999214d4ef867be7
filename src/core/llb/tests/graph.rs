//! Making graphs, and reading them.

use std::fmt::Write as _;

use crate::core::llb::digest;
use crate::core::llb::wire::{Message, NONE, Value, all_bytes, fields, last_bytes, last_number};

/// A definition that grows.
#[derive(Default)]
pub(super) struct Graph {
    operations: Vec<Vec<u8>>,
    metadata: Vec<(String, String)>,
}

/// A RUN step.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) env: &'a [&'a str],
    pub(super) proxies: &'a [(u64, &'a str)],
    pub(super) network: u64,
    pub(super) os: &'a str,
}

impl Default for Step<'_> {
    fn default() -> Self {
        Self {
            env: &["PATH=/bin"],
            proxies: &[],
            network: 0,
            os: "linux",
        }
    }
}

impl Graph {
    pub(super) fn source(&mut self, identifier: &str) -> String {
        self.source_with(identifier, &[])
    }

    pub(super) fn source_with(&mut self, identifier: &str, attributes: &[(&str, &str)]) -> String {
        let mut source = Message::new();
        source.bytes(1, identifier);
        for (key, value) in attributes {
            let mut attribute = Message::new();
            attribute.bytes(1, key);
            attribute.bytes(2, value);
            source.bytes(2, attribute);
        }
        self.add(&[], 3, &source, "linux")
    }

    pub(super) fn step(&mut self, base: String, step: &Step<'_>) -> String {
        self.step_upon(&[base], step)
    }

    pub(super) fn step_upon(&mut self, inputs: &[String], step: &Step<'_>) -> String {
        let mut meta = Message::new();
        for word in ["/bin/sh", "-c", "true"] {
            meta.bytes(1, word);
        }
        for pair in step.env {
            meta.bytes(2, pair);
        }
        meta.bytes(3, "/");
        if !step.proxies.is_empty() {
            let mut proxy = Message::new();
            for (number, value) in step.proxies {
                proxy.bytes(*number, value);
            }
            meta.bytes(5, proxy);
        }
        let mut root = Message::new();
        root.number(1, if inputs.is_empty() { NONE } else { 0 });
        root.bytes(3, "/");
        let mut exec = Message::new();
        exec.bytes(1, meta);
        exec.bytes(2, root);
        if step.network > 0 {
            exec.number(3, step.network);
        }
        self.add(inputs, 2, &exec, step.os)
    }

    pub(super) fn copy(&mut self, from: String) -> String {
        let mut file = Message::new();
        file.bytes(2, b"\x08\x00");
        self.add(&[from], 4, &file, "linux")
    }

    /// What the first operation is called, if it is.
    pub(super) fn name_first(&mut self, name: Option<&str>) {
        self.metadata[0].1 = name.unwrap_or_default().to_owned();
    }

    /// What the graph is for.
    pub(super) fn end(&mut self, of: &str) {
        let mut operation = Message::new();
        operation.bytes(1, input(of));
        self.operations.push(operation.into_bytes());
    }

    fn add(&mut self, inputs: &[String], kind: u64, body: &Message, os: &str) -> String {
        let mut operation = Message::new();
        for of in inputs {
            operation.bytes(1, input(of));
        }
        operation.bytes(kind, body);
        let mut platform = Message::new();
        platform.bytes(1, "amd64");
        platform.bytes(2, os);
        operation.bytes(10, platform);
        // A field of the future.
        operation.bytes(99, format!("unknown {}", self.operations.len()));
        let operation = operation.into_bytes();
        let digest = digest::of(&operation);
        let name = format!("[{}] step", self.operations.len());
        self.metadata.push((digest.clone(), name));
        self.operations.push(operation);
        digest
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut definition = Message::new();
        for operation in &self.operations {
            definition.bytes(1, operation);
        }
        let mut source = Message::new();
        for (digest, name) in &self.metadata {
            definition.bytes(2, entry(digest, name));
            source.bytes(1, entry(digest, &format!("lines of {name}")));
        }
        source.bytes(2, "Dockerfile");
        definition.bytes(3, source);
        definition.number(98, 7);
        definition.into_bytes()
    }
}

fn input(digest: &str) -> Message {
    let mut input = Message::new();
    input.bytes(1, digest);
    input
}

fn entry(key: &str, name: &str) -> Message {
    let mut value = Message::new();
    if !name.is_empty() {
        let mut text = Message::new();
        text.bytes(1, "llb.customname");
        text.bytes(2, name);
        value.bytes(2, text);
    }
    let mut entry = Message::new();
    entry.bytes(1, key);
    entry.bytes(2, value);
    entry
}

pub(super) fn operations(definition: &[u8]) -> Vec<Vec<u8>> {
    let fields = fields(definition).unwrap();
    all_bytes(&fields, 1).map(<[u8]>::to_vec).collect()
}

pub(super) fn inputs(operation: &[u8]) -> Vec<String> {
    let own = fields(operation).unwrap();
    let digests = all_bytes(&own, 1).map(|i| last_bytes(&fields(i).unwrap(), 1).to_vec());
    digests.map(|d| String::from_utf8(d).unwrap()).collect()
}

pub(super) fn kind(operation: &[u8]) -> &'static str {
    let fields = fields(operation).unwrap();
    let kind = fields.iter().find_map(|field| match field.number {
        2 => Some("run"),
        3 => Some("source"),
        4 => Some("file"),
        _ => None,
    });
    kind.unwrap_or("end")
}

pub(super) fn unknown(operation: &[u8]) -> Option<Vec<u8>> {
    let fields = fields(operation).unwrap();
    fields.iter().find_map(|f| f.bytes(99)).map(<[u8]>::to_vec)
}

/// By digest, the names that people see.
pub(super) fn metadata(definition: &[u8]) -> Vec<(String, String)> {
    named(&fields(definition).unwrap(), 2)
}

pub(super) fn locations(definition: &[u8]) -> Vec<(String, String)> {
    let own = fields(definition).unwrap();
    named(&fields(last_bytes(&own, 3)).unwrap(), 1)
}

fn named(message: &[crate::core::llb::wire::Field<'_>], number: u64) -> Vec<(String, String)> {
    let entries = all_bytes(message, number).map(|entry| {
        let entry = fields(entry).unwrap();
        let value = fields(last_bytes(&entry, 2)).unwrap();
        let text = fields(last_bytes(&value, 2)).unwrap();
        (lossy(last_bytes(&entry, 1)), lossy(last_bytes(&text, 2)))
    });
    entries.collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A definition for people, with short digests.
pub(super) fn shown(definition: &[u8]) -> String {
    let mut text = String::new();
    let names = [metadata(definition), locations(definition)];
    for operation in operations(definition) {
        let digest = digest::of(&operation);
        let short = |digest: &str| digest[7..15].to_owned();
        writeln!(text, "{} {}", short(&digest), kind(&operation)).unwrap();
        for input in inputs(&operation) {
            writeln!(text, "  on {}", short(&input)).unwrap();
        }
        for all in &names {
            for (_, name) in all.iter().filter(|(known, _)| *known == digest) {
                writeln!(text, "  is {name}").unwrap();
            }
        }
        show_step(&mut text, &operation);
    }
    text
}

fn show_step(text: &mut String, operation: &[u8]) {
    let operation = fields(operation).unwrap();
    let exec = fields(last_bytes(&operation, 2)).unwrap();
    let meta = fields(last_bytes(&exec, 1)).unwrap();
    for pair in all_bytes(&meta, 2) {
        writeln!(text, "  env {}", lossy(pair)).unwrap();
    }
    for field in fields(last_bytes(&meta, 5)).unwrap() {
        if let Value::Bytes(value) = field.value {
            writeln!(text, "  proxy {} {}", field.number, lossy(value)).unwrap();
        }
    }
    for line in all_bytes(&meta, 6) {
        let line = fields(line).unwrap();
        let (host, address) = (last_bytes(&line, 1), last_bytes(&line, 2));
        writeln!(text, "  host {} {}", lossy(host), lossy(address)).unwrap();
    }
    for mount in all_bytes(&exec, 2) {
        let mount = fields(mount).unwrap();
        let number = |number| last_number(&mount, number).cast_signed();
        writeln!(
            text,
            "  mount {} input={} output={} readonly={}",
            lossy(last_bytes(&mount, 3)),
            number(1),
            number(4),
            number(5)
        )
        .unwrap();
    }
}

/// A line with its short digest, and those of its inputs, left out.
pub(super) fn without_digests(line: &str) -> String {
    let is_digest = |word: &str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let words = line.split(' ').filter(|word| !is_digest(word));
    words.collect::<Vec<_>>().join(" ")
}
