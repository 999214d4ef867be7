//! Calls of `LLBBridge`, by which clients have their graphs solved: <https://github.com/moby/buildkit>,
//! `frontend/gateway/pb/gateway.proto`.

use std::collections::BTreeSet;

use super::Malformed;
use super::wire::{Field, Message, all_bytes, fields, in_map, last_bytes, last_number, text};

/// `moby.buildkit.v1.frontend.SolveRequest`.
#[derive(Clone, Debug)]
pub struct BridgeSolve<'a>(Vec<Field<'a>>);

impl<'a> BridgeSolve<'a> {
    /// Understands a request.
    pub fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        fields(message).map(Self)
    }

    /// The graph that is to be solved, if the client made it itself.
    pub fn definition(&self) -> Option<&'a [u8]> {
        let definition = last_bytes(&self.0, 1);
        (!definition.is_empty()).then_some(definition)
    }

    /// Whether somebody rules by their URLs what sources may be.
    pub fn has_policies(&self) -> bool {
        self.0.iter().any(|field| field.number == 15)
    }

    /// What the frontend is told to take for contexts: it fetches them itself, before anybody sees a graph.
    pub fn contexts(&self) -> Result<BTreeSet<String>, Malformed> {
        let mut contexts = BTreeSet::new();
        for option in all_bytes(&self.0, 3) {
            let option = fields(option)?;
            let name = text(last_bytes(&option, 1))?;
            if name == "context" || name.starts_with("context:") {
                contexts.insert(text(last_bytes(&option, 2))?.to_owned());
            }
        }
        Ok(contexts)
    }

    /// Whether its result is to be built before the answer.
    pub fn evaluates(&self) -> bool {
        last_number(&self.0, 14) != 0
    }

    /// Whether its answer may name graphs, as all clients since 2020 say.
    pub fn takes_references(&self) -> bool {
        last_number(&self.0, 6) != 0
    }

    /// The same, with nothing to be built before the answer.
    pub fn unevaluated(&self) -> Vec<u8> {
        self.copied(|field| field.number != 14).into_bytes()
    }

    /// The same with another graph.
    pub fn with_definition(&self, definition: &[u8]) -> Vec<u8> {
        let mut edited = Message::new();
        edited.bytes(1, definition);
        for field in self.0.iter().filter(|field| field.number != 1) {
            edited.copy(field);
        }
        edited.into_bytes()
    }

    /// A request for a graph that this one's answer named, by the same rules.
    pub fn for_graph(&self, definition: &[u8], evaluate: bool) -> Result<Vec<u8>, Malformed> {
        let mut request = Message::new();
        request.bytes(1, definition);
        request.number(5, 1);
        request.number(6, 1);
        for import in self.cache_imports()? {
            request.bytes(12, import);
        }
        for field in self.0.iter().filter(|f| matches!(f.number, 12 | 15)) {
            request.copy(field);
        }
        if evaluate {
            request.number(14, 1);
        }
        Ok(request.into_bytes())
    }

    /// Caches that the frontend was told of, which are no part of the graph.
    fn cache_imports(&self) -> Result<Vec<Message>, Malformed> {
        if let Some(list) = in_map(&self.0, 3, "cache-imports")? {
            return Ok(imports_in(text(list)?));
        }
        let Some(list) = in_map(&self.0, 3, "cache-from")? else {
            return Ok(Vec::new());
        };
        let named = text(list)?.split(',').filter(|name| !name.is_empty());
        Ok(named
            .map(|name| import("registry", [("ref", name)]))
            .collect())
    }

    fn copied(&self, keep: impl Fn(&Field<'a>) -> bool) -> Message {
        let mut edited = Message::new();
        for field in self.0.iter().filter(|field| keep(field)) {
            edited.copy(field);
        }
        edited
    }
}

/// What is not understood is left out: the cache is lost, and nothing else.
fn imports_in(list: &str) -> Vec<Message> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Import {
        r#type: String,
        #[serde(default)]
        attrs: std::collections::BTreeMap<String, String>,
    }
    let imports: Vec<Import> = serde_json::from_str(list).unwrap_or_default();
    let attributes = |import: &Import| import.attrs.clone();
    let mut messages = Vec::new();
    for one in &imports {
        let given = attributes(one);
        let given = given.iter().map(|(key, value)| (&**key, &**value));
        messages.push(import(&one.r#type, given));
    }
    messages
}

fn import<'a>(kind: &str, attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Message {
    let mut import = Message::new();
    import.bytes(1, kind);
    for (key, value) in attributes {
        let mut entry = Message::new();
        entry.bytes(1, key);
        entry.bytes(2, value);
        import.bytes(2, entry);
    }
    import
}

/// A result that is not built yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// By which the client asks for it.
    pub id: String,
    /// How it is built.
    pub definition: Vec<u8>,
}

/// All that an answer names (`SolveResponse`), in its order.
pub fn references(answer: &[u8]) -> Result<Vec<Reference>, Malformed> {
    let mut found = Vec::new();
    each_reference(answer, &mut |reference| {
        found.push(Reference {
            id: text(last_bytes(reference, 1))?.to_owned(),
            definition: last_bytes(reference, 2).to_owned(),
        });
        Ok(None)
    })?;
    Ok(found)
}

/// The answer with other ids, where there are some, for what it names, in its order. The graphs stay: what is built upon
/// them is injected alike, and so shares its steps.
pub fn with_ids(answer: &[u8], ids: &[Option<String>]) -> Result<Vec<u8>, Malformed> {
    let mut ids = ids.iter();
    let edited = each_reference(answer, &mut |reference| {
        let Some(id) = ids.next().and_then(Option::as_ref) else {
            return Ok(None);
        };
        let mut edited = Message::new();
        edited.bytes(1, id);
        for field in reference.iter().filter(|field| field.number != 1) {
            edited.copy(field);
        }
        Ok(Some(edited))
    })?;
    Ok(edited.into_bytes())
}

type Visit<'v> = dyn FnMut(&[Field<'_>]) -> Result<Option<Message>, Malformed> + 'v;

/// Where an answer has references: the fields that lead to them, from the outermost message inwards.
const WAYS: [(u64, Way); 1] = [(3, Way::To(&RESULT))];
const RESULT: [(u64, Way); 3] = [
    (3, Way::Reference),
    (4, Way::To(&[(1, Way::To(&[(2, Way::Reference)]))])),
    (
        12,
        Way::To(&[(2, Way::To(&[(1, Way::To(&[(3, Way::Reference)]))]))]),
    ),
];

#[derive(Clone, Copy)]
enum Way {
    Reference,
    To(&'static [(u64, Way)]),
}

fn each_reference(answer: &[u8], visit: &mut Visit<'_>) -> Result<Message, Malformed> {
    walk(answer, &WAYS, visit)
}

fn walk(message: &[u8], ways: &[(u64, Way)], visit: &mut Visit<'_>) -> Result<Message, Malformed> {
    let mut edited = Message::with_capacity(message.len());
    for field in fields(message)? {
        let way = ways.iter().find(|(number, _)| *number == field.number);
        match (way, field.bytes(field.number)) {
            (Some((number, Way::To(inner))), Some(bytes)) => {
                edited.bytes(*number, walk(bytes, inner, visit)?);
            }
            (Some((number, Way::Reference)), Some(bytes)) => match visit(&fields(bytes)?)? {
                Some(other) => edited.bytes(*number, other),
                None => edited.copy(&field),
            },
            (None, _) | (_, None) => edited.copy(&field),
        }
    }
    Ok(edited)
}

/// `WarnRequest`: a line in the output of the build in whose name it is sent.
pub fn warning(text: &str) -> Vec<u8> {
    let mut warning = Message::new();
    warning.bytes(1, super::digest::of(text.as_bytes()));
    warning.number(2, 1);
    warning.bytes(3, text);
    warning.into_bytes()
}

/// The exporters' and the frontend's own fields of a request, for who makes one of another.
pub(super) fn request_for_frontend<'a>(
    frontend: &[u8],
    options: impl Iterator<Item = &'a [u8]>,
    inputs: impl Iterator<Item = &'a [u8]>,
    imports: impl Iterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let mut request = Message::new();
    request.bytes(2, frontend);
    options.for_each(|option| request.bytes(3, option));
    request.number(5, 1);
    request.number(6, 1);
    imports.for_each(|import| request.bytes(12, import));
    inputs.for_each(|input| request.bytes(13, input));
    request.into_bytes()
}

/// `ReturnRequest` with the result of an answer (`SolveResponse`).
pub(super) fn returned(answer: &[u8]) -> Result<Vec<u8>, Malformed> {
    let answer = fields(answer)?;
    let mut request = Message::new();
    for result in all_bytes(&answer, 3) {
        request.bytes(1, result);
    }
    Ok(request.into_bytes())
}
