//! What containers are to trust: the authority that the interceptor signs with, besides all that their images trust.
//!
//! Most programs take one file that *replaces* what they trust otherwise. So that file holds both; what is not intercepted
//! (hosts that are passed through, other protocols than HTTP) still verifies.

mod archive;
mod ca;
mod certificates;
mod jks;
mod php;
mod pkcs12;
mod places;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod variables;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

pub use ca::Ca;
pub use certificates::Certificates;
pub use places::{Wanted, wanted, wanted_before};

pub(in crate::core) use places::is_foreign;

use ca::sha256;

/// An image that a container is to be made of, and what its variables name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The image's id.
    pub image: String,
    /// Its platform, if one was asked for.
    pub platform: Option<String>,
    /// What is looked for in it.
    pub wanted: Wanted,
}

/// Files of an image, by the paths under which they were asked for; of a folder, all that is in its files.
pub type Found = BTreeMap<String, Bytes>;

/// What a container gets in `/.dockline`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// By name, in an order that is the same always.
    pub content: Vec<(&'static str, Bytes)>,
    /// Files of the image, or named by its user, of which the bundle holds all certificates.
    pub included: BTreeSet<String>,
}

/// The authority's own certificates.
pub const CA_FILE: &str = "ca.pem";
/// All that is trusted, for OpenSSL and whoever reads the same.
pub const BUNDLE_FILE: &str = "ca-bundle.pem";
/// The same for Java.
pub const STORE_FILE: &str = "truststore.p12";

impl Files {
    /// What tells these files from others.
    pub fn sha256(&self) -> String {
        let parts: Vec<&[u8]> = self.content.iter().map(|(_, bytes)| &bytes[..]).collect();
        sha256(&parts)
    }
}

/// Whom an image or a container trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// By its bundle, and by the files that its variables name.
    pub bundle: Certificates,
    /// By Java's own store, where there is one: they may be more, and what its user added to them is there alone.
    pub java: Certificates,
    /// The named files that are there.
    pub included: BTreeSet<String>,
    /// Whether there is no bundle. Then Mozilla's stands in for it.
    pub is_bare: bool,
}

impl Roots {
    /// Of what was found of `wanted`.
    pub fn of(wanted: &Wanted, found: &Found) -> Self {
        let first = |paths: &[String], read: fn(&[u8]) -> Certificates| {
            let mut existing = paths.iter().filter_map(|path| found.get(path));
            existing.find_map(|bytes| Some(read(bytes)).filter(|roots| !roots.is_empty()))
        };
        let system = first(&wanted.bundles, Certificates::from_pem);
        let is_bare = system.is_none();
        let mut bundle = system.unwrap_or_else(Certificates::of_mozilla);
        let mut included = BTreeSet::new();
        for path in &wanted.named {
            let more = found.get(path).map(|bytes| Certificates::from_pem(bytes));
            if let Some(more) = more.filter(|more| !more.is_empty()) {
                bundle.extend(more);
                included.insert(path.clone());
            }
        }
        let store = |bytes: &[u8]| Certificates::from_store(bytes);
        Self {
            bundle,
            java: first(&wanted.stores, store).unwrap_or_default(),
            included,
            is_bare,
        }
    }

    /// All of them: whatever program it is that asks, whom it trusts is among these.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.bundle.iter().chain(self.java.iter())
    }

    /// What tells them from others.
    pub fn sha256(&self) -> String {
        let all: Vec<&[u8]> = self.all().collect();
        sha256(&all)
    }
}

/// Makes the files of what was found of `wanted` in an image. One that trusts nobody gets what Mozilla trusts.
pub fn files(ca: &Ca, wanted: &Wanted, found: &Found) -> Files {
    let authority = Certificates::from_pem(ca.pem());
    let Roots {
        mut bundle,
        java: mut javas,
        included,
        ..
    } = Roots::of(wanted, found);
    javas.extend(bundle.clone());
    javas.extend(authority.clone());
    bundle.extend(authority);
    let mut content = vec![
        (CA_FILE, ca.pem().clone()),
        (BUNDLE_FILE, bundle.to_pem().into()),
        (STORE_FILE, pkcs12::store(&javas).into()),
    ];
    let prepend = php::may_prepend(&wanted.folders, found);
    content.extend(settings::files(found, prepend));
    Files { content, included }
}
