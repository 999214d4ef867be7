//! Calls of `Control`, by which clients start builds: `api/services/control/control.proto`.

use super::Malformed;
use super::gateway::{request_for_frontend, returned};
use super::wire::{Field, Message, all_bytes, fields, last_bytes, last_number, text};

/// `moby.buildkit.v1.SolveRequest`.
#[derive(Clone, Debug)]
pub struct ControlSolve<'a>(Vec<Field<'a>>);

/// A build whose frontend runs in the engine, with nobody in between: what a client that is in between would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSide {
    /// The build's name, by which calls of its own refer to it.
    pub build: String,
    /// The start of a build with somebody in between.
    pub start: Vec<u8>,
    /// To the frontend.
    pub solve: Vec<u8>,
}

impl<'a> ControlSolve<'a> {
    /// Understands a request.
    pub fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        fields(message).map(Self)
    }

    /// The graph that is to be built, if the client made it itself.
    pub fn definition(&self) -> Option<&'a [u8]> {
        let definition = last_bytes(&self.0, 2);
        (!definition.is_empty()).then_some(definition)
    }

    /// The build's name.
    pub fn build(&self) -> Result<&'a str, Malformed> {
        text(last_bytes(&self.0, 1))
    }

    /// Whether the engine is to keep steps from all networks but its own proxy.
    pub fn has_own_network(&self) -> bool {
        last_number(&self.0, 17) != 0
    }

    /// Whether somebody rules by their URLs what sources may be.
    pub fn has_policies(&self) -> bool {
        let policies = |field: &Field<'_>| matches!(field.number, 12 | 15);
        self.0.iter().any(policies)
    }

    /// The same with another graph.
    pub fn with_definition(&self, definition: &[u8]) -> Vec<u8> {
        let mut edited = Message::new();
        for field in self.0.iter().filter(|field| field.number != 2) {
            edited.copy(field);
        }
        edited.bytes(2, definition);
        edited.into_bytes()
    }

    /// The build as somebody in between would have it; nothing if somebody is.
    pub fn engine_side(&self) -> Result<Option<EngineSide>, Malformed> {
        let frontend = last_bytes(&self.0, 6);
        if frontend.is_empty() {
            return Ok(None);
        }
        let mut start = Message::new();
        for field in self.0.iter().filter(|field| field.number != 6) {
            start.copy(field);
        }
        let cache = fields(last_bytes(&self.0, 8))?;
        let solve = request_for_frontend(
            frontend,
            all_bytes(&self.0, 7),
            all_bytes(&self.0, 10),
            all_bytes(&cache, 5),
        );
        Ok(Some(EngineSide {
            build: self.build()?.to_owned(),
            start: start.into_bytes(),
            solve,
        }))
    }
}

impl EngineSide {
    /// What ends a build whose frontend answered that.
    pub fn result(answer: &[u8]) -> Result<Vec<u8>, Malformed> {
        returned(answer)
    }

    /// What ends one whose frontend failed: with all that the engine said (`google.rpc.Status`), or its words alone.
    pub fn failure(status: Option<&[u8]>, code: u64, words: &str) -> Vec<u8> {
        let mut made = Message::new();
        made.number(1, code);
        made.bytes(2, words);
        let mut request = Message::new();
        request.bytes(2, status.unwrap_or(made.as_ref()));
        request.into_bytes()
    }
}
