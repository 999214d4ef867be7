//! Containers that use another by its identity: they would not follow it when it is made anew.

use std::fmt;

use serde_json::Value;

use super::Original;

/// A container that uses another.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Dependant {
    /// Its name.
    pub name: String,
    /// What it uses, in Docker's words.
    pub by: String,
}

impl fmt::Display for Dependant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.by)
    }
}

/// How `other` uses `original`, if it does.
pub fn dependant(original: &Original, other: &Original) -> Option<Dependant> {
    if other.id() == original.id() {
        return None;
    }
    let modes = [
        ("/HostConfig/NetworkMode", "--network"),
        ("/HostConfig/IpcMode", "--ipc"),
        ("/HostConfig/PidMode", "--pid"),
    ];
    let by = modes.into_iter().find_map(|(pointer, flag)| {
        let lender = other.text(pointer).strip_prefix("container:")?;
        means(lender, original).then(|| format!("{flag} container:{}", original.name()))
    });
    let links = other.inspect().pointer("/HostConfig/Links");
    let links = links.and_then(Value::as_array).into_iter().flatten();
    let mut targets =
        links.filter_map(|link| link.as_str()?.trim_start_matches('/').split(':').next());
    let by = by.or_else(|| {
        let linked = targets.any(|target| means(target, original));
        linked.then(|| format!("--link {}", original.name()))
    });
    let by = by.or_else(|| {
        let lends = other
            .volumes_from()
            .into_iter()
            .any(|name| means(name, original));
        lends.then(|| format!("--volumes-from {}", original.name()))
    });
    Some(Dependant {
        name: other.name().to_owned(),
        by: by?,
    })
}

/// Whether the engine takes `reference` for that container.
fn means(reference: &str, container: &Original) -> bool {
    let short = reference.len() >= super::SHORT && container.id().starts_with(reference);
    reference == container.name() || short
}
