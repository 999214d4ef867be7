//! The variables of an injected container: what its user and its image say, where its proxy is, and what it is to trust.
//!
//! Nothing that the container had is lost: lists are extended, options appended, and what is replaced is noted.

mod java;
mod preloads;
mod proxy;
mod trusted;

use super::{Injection, OwnProxy, Undo};

/// Adds to the variables `own`, that the container is to get besides those of its `image`; notes what it replaces.
pub fn inject(
    own: &[String],
    image: &[String],
    injection: &Injection,
    undo: &mut Undo,
) -> Vec<String> {
    let mut variables = Variables {
        own: own.to_vec(),
        image,
        undo,
    };
    let proxy = OwnProxy::had(|name| variables.effective(name), &injection.entry);
    variables.undo.proxy = proxy;
    let exceptions = proxy::inject(&mut variables, injection);
    java::inject(&mut variables, injection, &exceptions);
    if let Some(authority) = &injection.authority {
        trusted::inject(&mut variables, &authority.included);
        preloads::inject(&mut variables);
    }
    variables.own
}

/// What a container sees under that name, by its `own` variables and those of its `image`.
pub fn effective<'a>(own: &'a [String], image: &'a [String], name: &str) -> Option<&'a str> {
    let of = |list: &'a [String]| list.iter().rfind(|pair| key(pair) == name);
    // A name alone takes the image's variable away.
    Some(of(own).or_else(|| of(image))?.split_once('=')?.1)
}

struct Variables<'a> {
    own: Vec<String>,
    image: &'a [String],
    undo: &'a mut Undo,
}

impl Variables<'_> {
    /// What the container would see.
    fn effective(&self, name: &str) -> Option<&str> {
        effective(&self.own, self.image, name)
    }

    /// The same, if it says anything.
    fn given(&self, name: &str) -> Option<&str> {
        self.effective(name).filter(|value| !value.is_empty())
    }

    fn set(&mut self, name: &str, value: &str) {
        let pair = format!("{name}={value}");
        let at = self.own.iter().rposition(|pair| key(pair) == name);
        let before = at.map(|at| std::mem::replace(&mut self.own[at], pair.clone()));
        if before.is_none() {
            self.own.push(pair);
        }
        let before = before.and_then(|pair| Some(pair.split_once('=')?.1.to_owned()));
        self.undo.env.entry(name.to_owned()).or_insert(before);
    }

    /// Sets options at the end of those that are given: where two speak of the same, the last one counts.
    fn append(&mut self, name: &str, options: &str) {
        let all = match self.given(name) {
            Some(given) => format!("{given} {options}"),
            None => options.to_owned(),
        };
        self.set(name, &all);
    }
}

fn key(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default()
}
