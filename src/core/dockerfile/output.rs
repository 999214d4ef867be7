//! What the engine says of a build: lines of JSON. Those of the classic builder number its steps, and the user's are to have
//! their own numbers.

use std::fmt::Write as _;

use serde_json::Value;

use super::traced::Traced;
use crate::core::llb::ENABLING;

/// The longest line that is waited for; all from there on passes as it is.
const LONGEST: usize = 1024 * 1024;

/// Which of the steps that the builder counts are ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    ours: Vec<Own>,
    /// What BuildKit tells of them.
    pub(super) traced: Traced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Own {
    step: usize,
    /// The user's lines before it.
    after: usize,
    /// Whether it is the first of its stage.
    begins: bool,
}

impl Steps {
    pub(super) fn add(&mut self, step: usize, after: usize, begins: bool) {
        self.ours.push(Own {
            step,
            after,
            begins,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ours.is_empty()
    }

    /// The number that the user's own file gives a line, counted from one.
    pub fn own_line(&self, line: usize) -> usize {
        let is_before = |(at, own): &(usize, &Own)| own.after + at + 1 < line;
        line - self.ours.iter().enumerate().filter(is_before).count()
    }

    /// What the engine says of a Dockerfile that it refuses, with the user's own lines.
    pub fn own_lines(&self, said: &str) -> String {
        let mut told = String::with_capacity(said.len());
        for (at, part) in said.split("line ").enumerate() {
            if at == 0 {
                told.push_str(part);
                continue;
            }
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = part.split_at(digits);
            // Writing to a string cannot fail.
            let _ = match number.parse() {
                Ok(number) => write!(told, "line {}{rest}", self.own_line(number)),
                Err(_) => write!(told, "line {part}"),
            };
        }
        told
    }
}

/// A build's output on its way to the client.
#[derive(Debug, Default)]
pub struct Output {
    /// Of a line that is not whole yet.
    begun: Vec<u8>,
    /// The step that was told last.
    step: usize,
    /// How many there are, by the first.
    count: Option<usize>,
    /// Whether that is ours.
    hides: bool,
    /// Whether nothing but the image's id is expected.
    quiet: bool,
    passes: bool,
}

impl Output {
    /// The output of a build that is to tell the image's id alone, or all.
    pub fn new(quiet: bool) -> Self {
        Self {
            quiet,
            ..Self::default()
        }
    }

    /// A line of our own, which a build that is to be quiet does not get.
    pub fn tell(&self, words: &str, out: &mut Vec<u8>) {
        if !self.quiet {
            let line = serde_json::json!({ "stream": format!("{words}\n") });
            out.extend_from_slice(format!("{line}\r\n").as_bytes());
        }
    }

    /// Takes what comes next; what the client is told goes to `out`.
    pub fn push(&mut self, mut input: &[u8], steps: &Steps, out: &mut Vec<u8>) {
        while !input.is_empty() && !self.passes {
            let end = input.iter().position(|b| *b == b'\n').map(|at| at + 1);
            let (part, rest) = input.split_at(end.unwrap_or(input.len()));
            self.begun.extend_from_slice(part);
            input = rest;
            if end.is_some() {
                let line = std::mem::take(&mut self.begun);
                self.line(&line, steps, out);
            } else if self.begun.len() > LONGEST {
                self.passes = true;
            }
        }
        if self.passes {
            out.append(&mut self.begun);
            out.extend_from_slice(input);
        }
    }

    /// The end of all.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.begun);
    }

    fn line(&mut self, line: &[u8], steps: &Steps, out: &mut Vec<u8>) {
        let is_next = |(step, count, _): &(usize, usize, &[u8])| {
            *step == self.step + 1 && self.count.is_none_or(|known| known == *count)
        };
        let Some((step, count, rest)) = numbered(line).filter(is_next) else {
            if !self.hides || !line.starts_with(STREAM) {
                let traced = steps.own_trace(line);
                out.extend_from_slice(traced.as_deref().unwrap_or(line));
            }
            return;
        };
        self.step = step;
        self.count = Some(count);
        let own = steps.ours.iter().find(|own| own.step == step);
        self.hides = own.is_some();
        match own {
            Some(own) if own.begins => self.tell(&format!(" {ENABLING}"), out),
            Some(_) => {}
            None => {
                let before = steps.ours.iter().filter(|own| own.step < step).count();
                let count = count.saturating_sub(steps.ours.len());
                let number = format!("{}/{count}", step - before);
                out.extend_from_slice(STEP);
                out.extend_from_slice(number.as_bytes());
                out.extend_from_slice(rest);
            }
        }
    }
}

const STREAM: &[u8] = b"{\"stream\":";
const STEP: &[u8] = b"{\"stream\":\"Step ";

/// The number of the step that a line announces, how many there are, and what follows them.
fn numbered(line: &[u8]) -> Option<(usize, usize, &[u8])> {
    let rest = line.strip_prefix(STEP)?;
    let (step, rest) = number(rest)?;
    let (count, rest) = number(rest.strip_prefix(b"/")?)?;
    // What a step says ends with a line's end as a rule; its announcement never does.
    let said: Value = serde_json::from_slice(line).ok()?;
    let announces = rest.starts_with(b" : ") && !said["stream"].as_str()?.ends_with('\n');
    announces.then_some((step, count, rest))
}

fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    Some((str::from_utf8(number).ok()?.parse().ok()?, rest))
}
