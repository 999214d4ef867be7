//! A whole graph.

use std::collections::BTreeMap;

use super::wire::{Field, Message, all_bytes, fields, last_bytes, text};
use super::{Malformed, StepInjection, digest, exec};

/// A graph whose RUN steps are injected; nothing if there is none to inject.
pub fn rewrite(definition: &[u8], injection: &StepInjection) -> Result<Option<Vec<u8>>, Malformed> {
    let definition = fields(definition)?;
    let graph = Graph::read(&definition)?;
    let edits = graph.edited(injection)?;
    if edits.operations.iter().all(Option::is_none) {
        return Ok(None);
    }
    put_together(&definition, &edits, injection).map(Some)
}

/// Whether a graph has RUN steps.
pub fn has_steps(definition: &[u8]) -> Result<bool, Malformed> {
    for operation in all_bytes(&fields(definition)?, 1) {
        if fields(operation)?
            .iter()
            .any(|field| field.bytes(2).is_some())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The operations of a graph, in its own order.
struct Graph<'a> {
    operations: Vec<Operation<'a>>,
    by_digest: BTreeMap<String, usize>,
}

struct Operation<'a> {
    fields: Vec<Field<'a>>,
    inputs: Vec<&'a str>,
}

/// What becomes of each operation.
struct Edits {
    /// By its place in the graph; nothing for those that stay.
    operations: Vec<Option<Vec<u8>>>,
    /// Digests of before, with those of now.
    digests: BTreeMap<String, String>,
}

impl<'a> Graph<'a> {
    fn read(definition: &[Field<'a>]) -> Result<Self, Malformed> {
        let mut operations = Vec::new();
        let mut by_digest = BTreeMap::new();
        for (at, bytes) in all_bytes(definition, 1).enumerate() {
            by_digest.insert(digest::of(bytes), at);
            let fields = fields(bytes)?;
            let inputs = all_bytes(&fields, 1).map(|input| -> Result<_, Malformed> {
                text(last_bytes(&self::fields(input)?, 1))
            });
            let inputs = inputs.collect::<Result<_, _>>()?;
            operations.push(Operation { fields, inputs });
        }
        Ok(Self {
            operations,
            by_digest,
        })
    }

    fn edited(&self, injection: &StepInjection) -> Result<Edits, Malformed> {
        let mut edits = Edits {
            operations: vec![None; self.operations.len()],
            digests: BTreeMap::new(),
        };
        let names: BTreeMap<usize, &String> =
            self.by_digest.iter().map(|(d, at)| (*at, d)).collect();
        let mut injected = exec::Injected::new();
        for at in self.inputs_first()? {
            let operation = &self.operations[at];
            let Some(edited) = operation.edited(&edits.digests, injection, &mut injected)? else {
                continue;
            };
            if let Some(before) = names.get(&at) {
                let before = (*before).clone();
                edits.digests.insert(before, digest::of(&edited));
            }
            edits.operations[at] = Some(edited);
        }
        Ok(edits)
    }

    /// All operations, none before its inputs. Not by recursion: a graph may be as deep as it is long.
    fn inputs_first(&self) -> Result<Vec<usize>, Malformed> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; self.operations.len()];
        let mut order = Vec::with_capacity(marks.len());
        for start in 0..self.operations.len() {
            let mut open = vec![start];
            while let Some(&at) = open.last() {
                if marks[at] == Mark::New {
                    marks[at] = Mark::Open;
                    for input in &self.operations[at].inputs {
                        let known = self.by_digest.get(*input);
                        let input = *known.ok_or(Malformed("an input is no operation of it"))?;
                        match marks[input] {
                            Mark::New => open.push(input),
                            Mark::Open => return Err(Malformed("an operation needs itself")),
                            Mark::Done => {}
                        }
                    }
                } else {
                    open.pop();
                    if marks[at] == Mark::Open {
                        marks[at] = Mark::Done;
                        order.push(at);
                    }
                }
            }
        }
        Ok(order)
    }
}

impl Operation<'_> {
    /// With its inputs' new digests, and injected if it is a RUN step; nothing if it stays.
    fn edited(
        &self,
        digests: &BTreeMap<String, String>,
        injection: &StepInjection,
        injected: &mut exec::Injected,
    ) -> Result<Option<Vec<u8>>, Malformed> {
        let step = match self.fields.iter().rev().find_map(|field| field.bytes(2)) {
            Some(exec) if !self.is_for_windows()? => {
                exec::inject(exec, self.inputs.len(), injection, injected)?
            }
            Some(_) | None => None,
        };
        if step.is_none() && !self.inputs.iter().any(|input| digests.contains_key(*input)) {
            return Ok(None);
        }
        let mut edited = Message::new();
        for field in self.fields.iter().filter(|field| field.number == 1) {
            edited.bytes(1, renamed(field.bytes(1).unwrap_or_default(), digests)?);
        }
        // Mounts name inputs by their place: what is added comes last.
        if let (Some(files), Some(_)) = (&injection.files, &step) {
            let mut input = Message::new();
            input.bytes(1, &files.digest);
            edited.bytes(1, input);
        }
        for field in self.fields.iter().filter(|field| field.number != 1) {
            match &step {
                Some(step) if field.number == 2 => edited.bytes(2, step),
                Some(_) | None => edited.copy(field),
            }
        }
        Ok(Some(edited.into_bytes()))
    }

    fn is_for_windows(&self) -> Result<bool, Malformed> {
        let platform = fields(last_bytes(&self.fields, 10))?;
        Ok(last_bytes(&platform, 2) == b"windows")
    }
}

/// A message whose first field is a digest, with what that digest is now.
fn renamed(message: &[u8], digests: &BTreeMap<String, String>) -> Result<Message, Malformed> {
    let mut edited = Message::with_capacity(message.len());
    for field in fields(message)? {
        let digest = field.bytes(1).map(text).transpose()?;
        match digest.and_then(|digest| digests.get(digest)) {
            Some(now) => edited.bytes(1, now),
            None => edited.copy(&field),
        }
    }
    Ok(edited)
}

fn put_together(
    definition: &[Field<'_>],
    edits: &Edits,
    injection: &StepInjection,
) -> Result<Vec<u8>, Malformed> {
    let files = injection.files.as_deref();
    let mut edited = Message::new();
    // Anywhere but last: the last operation is what the graph is for.
    if let Some(files) = files {
        edited.bytes(1, &files.operation);
    }
    let mut operations = edits.operations.iter();
    for field in definition {
        match (field.number, field.bytes(field.number)) {
            (1, Some(_)) => match operations.next().and_then(Option::as_ref) {
                Some(operation) => edited.bytes(1, operation),
                None => edited.copy(field),
            },
            (2, Some(entry)) => edited.bytes(2, renamed(entry, &edits.digests)?),
            (3, Some(source)) => edited.bytes(3, with_locations(source, &edits.digests)?),
            _ => edited.copy(field),
        }
    }
    if let Some(files) = files {
        edited.bytes(2, files.metadata());
    }
    Ok(edited.into_bytes())
}

/// A `pb.Source` whose lines are those of the operations as they are now.
fn with_locations(source: &[u8], digests: &BTreeMap<String, String>) -> Result<Message, Malformed> {
    let mut edited = Message::with_capacity(source.len());
    for field in fields(source)? {
        match field.bytes(1) {
            Some(locations) => edited.bytes(1, renamed(locations, digests)?),
            None => edited.copy(&field),
        }
    }
    Ok(edited)
}
