//! A whole graph.

use std::collections::BTreeMap;

use super::wire::{Field, Message, all_bytes, fields, last_bytes, text};
use super::{Malformed, StepInjection, digest, exec, source};

/// A graph whose RUN steps are injected and whose sources are fetched by the entry; nothing if there is none of either.
pub fn rewrite(definition: &[u8], injection: &StepInjection) -> Result<Option<Vec<u8>>, Malformed> {
    let definition = fields(definition)?;
    let graph = Graph::read(&definition)?;
    let edits = graph.edited(injection)?;
    if edits.operations.iter().all(Option::is_none) {
        return Ok(None);
    }
    put_together(&definition, &edits, injection).map(Some)
}

/// What in a graph may ask somebody for something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// It has RUN steps.
    pub steps: bool,
    /// It has sources of HTTP.
    pub sources: bool,
}

/// Looks for it.
pub fn asking(definition: &[u8]) -> Result<Asking, Malformed> {
    let mut asking = Asking::default();
    for operation in all_bytes(&fields(definition)?, 1) {
        for field in fields(operation)? {
            asking.steps |= field.bytes(2).is_some();
            if let Some(source) = field.bytes(3) {
                asking.sources |= source::is_fetched(source)?;
            }
        }
    }
    Ok(asking)
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

/// What is done with an operation of a kind that is.
enum Own {
    Nothing,
    Step(Message),
    /// With its URL.
    Source(Message, String),
}

/// What becomes of each operation.
struct Edits {
    /// By its place in the graph; nothing for those that stay.
    operations: Vec<Option<Vec<u8>>>,
    /// Digests of before, with those of now.
    digests: BTreeMap<String, String>,
    /// Digests of before of sources that are fetched elsewhere, with where they were to be.
    urls: BTreeMap<String, String>,
    /// Whether a step needs the files.
    has_steps: bool,
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
            urls: BTreeMap::new(),
            has_steps: false,
        };
        let names: BTreeMap<usize, &String> =
            self.by_digest.iter().map(|(d, at)| (*at, d)).collect();
        let mut injected = exec::Injected::new();
        for at in self.inputs_first()? {
            let operation = &self.operations[at];
            let own = operation.own_edit(injection, &mut injected)?;
            edits.has_steps |= matches!(own, Own::Step(_));
            let Some(edited) = operation.edited(&edits.digests, injection, &own)? else {
                continue;
            };
            if let Some(before) = names.get(&at) {
                let before = (*before).clone();
                if let Own::Source(_, url) = own {
                    edits.urls.insert(before.clone(), url);
                }
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
    /// What is to be done with it, whatever its inputs are.
    fn own_edit(
        &self,
        injection: &StepInjection,
        injected: &mut exec::Injected,
    ) -> Result<Own, Malformed> {
        let kind = |number| {
            self.fields
                .iter()
                .rev()
                .find_map(|field| field.bytes(number))
        };
        let edited = match (kind(2), kind(3), &injection.fetching) {
            (Some(exec), _, _) if !self.is_for_windows()? => {
                exec::inject(exec, self.inputs.len(), injection, injected)?.map(Own::Step)
            }
            (None, Some(source), Some(fetching)) => {
                let fetched = source::by_entry(source, fetching)?;
                fetched.map(|(edited, url)| Own::Source(edited, url))
            }
            _ => None,
        };
        Ok(edited.unwrap_or(Own::Nothing))
    }

    /// With its inputs' new digests, and what is to be done with it; nothing if it stays.
    fn edited(
        &self,
        digests: &BTreeMap<String, String>,
        injection: &StepInjection,
        own: &Own,
    ) -> Result<Option<Vec<u8>>, Malformed> {
        let stays = matches!(own, Own::Nothing);
        if stays && !self.inputs.iter().any(|input| digests.contains_key(*input)) {
            return Ok(None);
        }
        let mut edited = Message::new();
        for field in self.fields.iter().filter(|field| field.number == 1) {
            edited.bytes(1, renamed(field.bytes(1).unwrap_or_default(), digests)?);
        }
        // Mounts name inputs by their place: what is added comes last.
        if let (Some(files), Own::Step(_)) = (&injection.files, own) {
            let mut input = Message::new();
            input.bytes(1, &files.digest);
            edited.bytes(1, input);
        }
        for field in self.fields.iter().filter(|field| field.number != 1) {
            match (own, field.number) {
                (Own::Step(step), 2) => edited.bytes(2, step),
                (Own::Source(source, _), 3) => edited.bytes(3, source),
                _ => edited.copy(field),
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
    let files = injection.files.as_deref().filter(|_| edits.has_steps);
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
            (2, Some(entry)) => {
                let now = renamed(entry, &edits.digests)?;
                edited.bytes(2, source::with_name(entry, now, &edits.urls)?);
            }
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
