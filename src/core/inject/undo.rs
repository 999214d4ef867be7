//! What injection replaced: enough to make the container again as it was asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::OwnProxy;

/// The value of `dockline.undo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Of this form.
    pub version: u32,
    /// Variables that were set, with what the container's own configuration said before; `None`: nothing.
    pub env: BTreeMap<String, Option<String>>,
    /// Labels that were changed, and what they were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Option<String>>,
    /// Targets of mounts that were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<String>,
    /// The proxy in whose place the entry came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<OwnProxy>,
}

impl Undo {
    /// The form written today.
    pub const VERSION: u32 = 1;
}

impl Default for Undo {
    fn default() -> Self {
        Self {
            version: Self::VERSION,
            env: BTreeMap::new(),
            labels: BTreeMap::new(),
            mounts: Vec::new(),
            proxy: None,
        }
    }
}
