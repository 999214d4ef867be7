//! The files that steps trust by, as an operation of the graph: one that makes them of nothing.

use std::collections::BTreeSet;

use super::digest;
use super::wire::{Message, NONE};
use crate::core::trust::{Ca, Found, Wanted, files};

/// As it is called in the output of a build.
pub const ENABLING: &str = "*** Enabling dockline interception ***";

const FOLDER_MODE: u64 = 0o755;
const FILE_MODE: u64 = 0o644;

/// The operation, which is the same for all steps of all builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFiles {
    pub(super) operation: Vec<u8>,
    pub(super) digest: String,
}

impl StepFiles {
    /// Makes it for an authority. What an image trusts is not known before it is built: steps trust the authority, and
    /// what Mozilla trusts.
    pub fn new(ca: &Ca) -> Self {
        let files = files(ca, &Wanted::default(), &Found::new());
        let content = files.content.iter();
        let content: Vec<_> = content.map(|(name, bytes)| (*name, &bytes[..])).collect();
        Self::of(&content)
    }

    pub(super) fn of(content: &[(&str, &[u8])]) -> Self {
        let folders: BTreeSet<_> = content
            .iter()
            .filter_map(|(name, _)| Some(name.rsplit_once('/')?.0))
            .collect();
        let last = folders.len() + content.len() - 1;
        let mut actions = Message::new();
        for (at, folder) in folders.iter().enumerate() {
            let mut made = path(folder);
            made.number(2, FOLDER_MODE);
            actions.bytes(2, action(at, last, 6, &made));
        }
        for (at, (name, bytes)) in (folders.len()..).zip(content) {
            let mut made = path(name);
            made.number(2, FILE_MODE);
            made.bytes(3, bytes);
            actions.bytes(2, action(at, last, 5, &made));
        }
        let mut operation = Message::new();
        operation.bytes(4, actions);
        let operation = operation.into_bytes();
        Self {
            digest: digest::of(&operation),
            operation,
        }
    }

    /// What the definition says of it.
    pub(super) fn metadata(&self) -> Message {
        let mut name = Message::new();
        name.bytes(1, "llb.customname");
        name.bytes(2, ENABLING);
        let mut capability = Message::new();
        capability.bytes(1, "file.base");
        capability.number(2, 1);
        let mut metadata = Message::new();
        metadata.bytes(2, name);
        metadata.bytes(5, capability);
        let mut entry = Message::new();
        entry.bytes(1, &self.digest);
        entry.bytes(2, metadata);
        entry
    }
}

fn path(name: &str) -> Message {
    let mut made = Message::new();
    made.bytes(1, format!("/{name}"));
    made
}

/// Each upon the one before it; what the last one makes is the operation's output.
fn action(at: usize, last: usize, kind: u64, made: &Message) -> Message {
    let before = at.checked_sub(1).map_or(NONE, |before| before as u64);
    let mut action = Message::new();
    action.number(1, before);
    action.number(2, NONE);
    action.number(3, if at == last { 0 } else { NONE });
    action.bytes(kind, made);
    action
}
