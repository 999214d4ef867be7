//! What BuildKit tells of a build whose Dockerfile came in a context: a trace, in lines of JSON. The user is to see the user's own steps
//! and lines.

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};

use super::{Source, Steps};
use crate::core::llb::{ENABLING, Retold, retold};

const TRACE: &[u8] = b"{\"id\":\"moby.buildkit.trace\"";
const ERROR: &[u8] = b"{\"errorDetail\"";
const AUX: &str = "\"aux\":\"";
/// Engines say `line` and a number also of what steps do.
const PARSING: &str = "dockerfile parse error";

/// How the Dockerfile came, and what the engine got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Traced {
    own: String,
    mount: String,
    /// Where the mount is from, if from an image.
    image: Option<String>,
}

impl Traced {
    pub(super) fn new(own: &str, mount: String, files: Option<&Source>) -> Self {
        let image = files.and_then(|files| match files {
            Source::Image(image) => Some(image.clone()),
            Source::Folder(_) => None,
        });
        Self {
            own: own.to_owned(),
            mount,
            image,
        }
    }

    /// As a step is called without dockline.
    fn named(&self, name: &str) -> String {
        let name = self.without_mount(name);
        let is_base = || name.starts_with("FROM ") || name.contains(" FROM ");
        let is_ours = |image: &String| name.ends_with(image.as_str()) && is_base();
        match &self.image {
            Some(image) if is_ours(image) => ENABLING.to_owned(),
            _ => name,
        }
    }

    fn without_mount(&self, text: &str) -> String {
        if self.mount.is_empty() {
            return text.to_owned();
        }
        text.replace(&format!("{} ", self.mount), "")
    }
}

impl Steps {
    /// A line of output as it would be without dockline; nothing if it is that already.
    pub(super) fn own_trace(&self, line: &[u8]) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        if line.starts_with(ERROR) {
            let said = str::from_utf8(line).ok()?;
            let told = self.traced.without_mount(said);
            let told = if told.contains(PARSING) {
                self.own_lines(&told)
            } else {
                told
            };
            return (told != said).then(|| told.into_bytes());
        }
        let said = str::from_utf8(line)
            .ok()
            .filter(|_| line.starts_with(TRACE))?;
        let (before, rest) = said.split_once(AUX)?;
        let (trace, after) = rest.split_once('"')?;
        let own_line = |line: u64| {
            let known = usize::try_from(line).map(|line| self.own_line(line) as u64);
            known.unwrap_or(line)
        };
        let retold_as = Retold {
            name: &|name| self.traced.named(name),
            line: &own_line,
            dockerfile: &self.traced.own,
        };
        let told = retold(&BASE64.decode(trace).ok()?, &retold_as).ok()??;
        Some(format!("{before}{AUX}{}\"{after}", BASE64.encode(told)).into_bytes())
    }
}
