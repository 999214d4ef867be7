//! Where things lie: the checkout, and what xtask keeps under the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The checkout that this xtask belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the checkout from where xtask's own manifest lies.
    pub(crate) fn find() -> Result<Self> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package
            .parent()
            .context("xtask/ has no folder above it")?
            .to_path_buf();
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// The top level of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Downloads, unpacked engines and their data.
    pub(crate) fn engines(&self) -> PathBuf {
        self.target.join("engines")
    }

    /// A cargo command in the checkout.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new("cargo");
        // What cargo told xtask about xtask is not for those whom xtask starts (cargo-machete takes it for its own).
        command.current_dir(&self.root).env_remove("CARGO_PKG_NAME");
        command
    }
}
