//! What programs verify with.

use std::collections::BTreeSet;

use super::Variables;
use crate::core::inject::FOLDER;
use crate::core::trust::variables::{AUTHORITIES, Effect};
use crate::core::trust::{BUNDLE_FILE, CA_FILE, is_foreign};

/// A file that user or image names is taken over if the bundle has what is in it (`included`), and stays if not: to trust
/// what it is told to is worth more to a program than to be intercepted.
pub(super) fn inject(variables: &mut Variables<'_>, included: &BTreeSet<String>) {
    for (name, effect) in AUTHORITIES {
        let given = variables.given(name);
        let given = given.filter(|path| is_foreign(path) || !path.starts_with('/'));
        let file = match (given, effect) {
            (None, Effect::Adds) => CA_FILE,
            (None, Effect::Replaces) => BUNDLE_FILE,
            (Some(path), _) if included.contains(path) => BUNDLE_FILE,
            (Some(_), _) => continue,
        };
        variables.set(name, &format!("{FOLDER}/{file}"));
    }
}
