//! A build's context, a tar archive, on its way to the engine: its Dockerfile is another one, all else the very bytes.
//!
//! Nothing is held back but the Dockerfile itself and what is said of it before it. What is not understood ends the search:
//! all from there on passes as it is.

mod header;
#[cfg(test)]
mod tests;

use header::{BLOCK, Header, Kind};

/// The longest Dockerfile that is read. Those of people have some kilobytes.
const LONGEST_DOCKERFILE: u64 = 128 * 1024;

/// The longest that an entry's name and the like may be.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The most that is held back before an entry's own header.
const MOST_HELD: usize = 8 * 1024 * 1024;

/// How an entry is the Dockerfile that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// By its name.
    Exact,
    /// As `dockerfile`, which the engine takes where there is no `Dockerfile`.
    Lower,
}

/// What a context's archive is turned into, piece by piece.
pub struct Context<E> {
    wanted: String,
    /// Makes another Dockerfile of one; nothing if it is to stay.
    edit: E,
    /// Entries that come before the Dockerfile, if that was edited.
    added: Vec<u8>,
    /// Of an entry that is not yet passed on.
    held: Vec<u8>,
    /// What became of the Dockerfile.
    verdict: Option<(Match, bool)>,
    /// Where in it the entry's own header begins: what precedes it says more of it.
    header_at: usize,
    said: Said,
    state: State,
}

/// What is said of an entry before its header.
#[derive(Clone, Debug, Default)]
struct Said {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a header.
    Header,
    /// In what says more of the next entry: so much is still to come of it.
    More(Kind, u64),
    /// In the Dockerfile.
    Dockerfile(Match, u64),
    /// In what passes: so much of it.
    Passing(u64),
    /// Everything passes.
    Through,
}

impl<E: FnMut(Match, Option<&[u8]>) -> Option<Vec<u8>>> Context<E> {
    /// One whose Dockerfile is `wanted`. `edit` gets its content, or nothing if it is there and is no plain file.
    pub fn new(wanted: &str, added: Vec<u8>, edit: E) -> Self {
        Self {
            wanted: cleaned(wanted),
            edit,
            added,
            held: Vec::new(),
            verdict: None,
            header_at: 0,
            said: Said::default(),
            state: State::Header,
        }
    }

    /// Takes what comes next; what goes on goes to `out`.
    pub fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while !input.is_empty() {
            let taken = match self.state {
                State::Through => {
                    out.extend_from_slice(input);
                    return;
                }
                State::Passing(left) => {
                    let taken = at_most(left, input);
                    out.extend_from_slice(&input[..taken]);
                    self.state = passing(left - taken as u64);
                    taken
                }
                State::Header => {
                    let missing = self.header_at + BLOCK - self.held.len();
                    let taken = missing.min(input.len());
                    self.held.extend_from_slice(&input[..taken]);
                    if taken == missing {
                        self.header(out);
                    }
                    taken
                }
                State::More(kind, left) => {
                    let taken = at_most(left, input);
                    self.held.extend_from_slice(&input[..taken]);
                    self.state = State::More(kind, left - taken as u64);
                    if taken as u64 == left {
                        self.more(kind);
                    }
                    taken
                }
                State::Dockerfile(found, left) => {
                    let taken = at_most(left, input);
                    self.held.extend_from_slice(&input[..taken]);
                    self.state = State::Dockerfile(found, left - taken as u64);
                    if taken as u64 == left {
                        self.dockerfile(found, out);
                    }
                    taken
                }
            };
            input = &input[taken..];
        }
    }

    /// How much of what comes next passes as it is, whatever it may be, and could be passed by who has it.
    pub fn passes(&self) -> u64 {
        match self.state {
            State::Through => u64::MAX,
            State::Passing(left) => left,
            State::Header | State::More(..) | State::Dockerfile(..) => 0,
        }
    }

    /// So much of that was passed.
    pub fn passed(&mut self, length: usize) {
        if let State::Passing(left) = self.state {
            self.state = passing(left.saturating_sub(length as u64));
        }
    }

    /// Whether the Dockerfile is another now; nothing while none was found.
    pub fn is_edited(&self) -> Option<bool> {
        self.verdict.map(|(_, edited)| edited)
    }

    fn ask(&mut self, found: Match, dockerfile: Option<&[u8]>) -> Option<Vec<u8>> {
        // A `Dockerfile` is taken before a `dockerfile`, whichever comes first.
        if let (Match::Lower, Some((Match::Exact, _))) = (found, self.verdict) {
            return None;
        }
        let edited = (self.edit)(found, dockerfile);
        self.verdict = Some((found, edited.is_some()));
        edited
    }

    /// The end of all, whether the archive is whole or not.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }

    /// Passes on what is held, and so much more.
    fn release(&mut self, next: State, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.header_at = 0;
        self.said = Said::default();
        self.state = next;
    }

    /// A header is whole.
    fn header(&mut self, out: &mut Vec<u8>) {
        let block = &self.held[self.header_at..];
        if block.iter().all(|byte| *byte == 0) {
            return self.release(State::Through, out);
        }
        let header = Header::read(block).filter(|_| self.held.len() <= MOST_HELD);
        let Some(header) = header else {
            return self.release(State::Through, out);
        };
        let size = match header.kind {
            Kind::Bodiless => 0,
            Kind::Path | Kind::Records => header.size,
            Kind::File | Kind::Other => self.said.size.unwrap_or(header.size),
        };
        let Some(whole) = size.checked_next_multiple_of(BLOCK as u64) else {
            return self.release(State::Through, out);
        };
        match header.kind {
            Kind::Path | Kind::Records if header.size <= LONGEST => {
                self.state = State::More(header.kind, whole);
                if whole == 0 {
                    self.more(header.kind);
                }
            }
            Kind::Path | Kind::Records => self.release(State::Through, out),
            Kind::File | Kind::Bodiless | Kind::Other => {
                let path = self.said.path.as_ref().unwrap_or(&header.path);
                let Some(found) = self.is_wanted(&String::from_utf8_lossy(path)) else {
                    return self.release(passing(whole), out);
                };
                let is_plain = header.kind == Kind::File && self.said.size.is_none();
                if !is_plain || size > LONGEST_DOCKERFILE {
                    self.ask(found, None);
                    return self.release(passing(whole), out);
                }
                self.state = State::Dockerfile(found, whole);
                if whole == 0 {
                    self.dockerfile(found, out);
                }
            }
        }
    }

    /// What says more of the next entry is whole.
    fn more(&mut self, kind: Kind) {
        let Some(header) = Header::read(&self.held[self.header_at..]) else {
            return;
        };
        let content = self.header_at + BLOCK;
        let end = content.saturating_add(usize::try_from(header.size).unwrap_or(usize::MAX));
        let content = self.held.get(content..end).unwrap_or_default();
        if kind == Kind::Path {
            let path = content.strip_suffix(&[0]).unwrap_or(content);
            self.said.path = Some(path.to_vec());
        } else {
            for (name, value) in header::records(content) {
                match name {
                    b"path" => self.said.path = Some(value.to_vec()),
                    b"size" => self.said.size = header::decimal(value),
                    _ => {}
                }
            }
        }
        self.header_at = self.held.len();
        self.state = State::Header;
    }

    /// The Dockerfile is whole.
    fn dockerfile(&mut self, found: Match, out: &mut Vec<u8>) {
        let content = self.header_at + BLOCK;
        let size = Header::read(&self.held[self.header_at..content]).map_or(0, |h| h.size);
        let end = content.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        let dockerfile = self.held.get(content..end).unwrap_or_default().to_vec();
        if let Some(edited) = self.ask(found, Some(&dockerfile)) {
            // Here an entry begins; later there may be none that is understood.
            out.append(&mut self.added);
            self.held.truncate(content);
            header::resize(&mut self.held[self.header_at..], edited.len() as u64);
            self.held.extend_from_slice(&edited);
            let padding = edited.len().next_multiple_of(BLOCK) - edited.len();
            self.held.resize(self.held.len() + padding, 0);
        }
        self.release(State::Header, out);
    }

    fn is_wanted(&self, path: &str) -> Option<Match> {
        let path = cleaned(path);
        if path == self.wanted {
            return Some(Match::Exact);
        }
        (self.wanted == "Dockerfile" && path == "dockerfile").then_some(Match::Lower)
    }
}

fn passing(left: u64) -> State {
    match left {
        0 => State::Header,
        left => State::Passing(left),
    }
}

fn at_most(left: u64, input: &[u8]) -> usize {
    usize::try_from(left).map_or(input.len(), |left| left.min(input.len()))
}

/// A path as it stands in no two ways.
fn cleaned(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
