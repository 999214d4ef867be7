//! What programs verify with.

use std::collections::BTreeSet;

use super::Variables;
use crate::core::inject::FOLDER;
use crate::core::trust::variables::{AUTHORITIES, Effect, PHP_FOLDERS};
use crate::core::trust::{BUNDLE_FILE, CA_FILE, PHP_FOLDER, is_foreign};

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
    let ours = format!("{FOLDER}/{PHP_FOLDER}");
    let folders = match variables.effective(PHP_FOLDERS) {
        // An empty item is the folder that PHP has by itself.
        None => format!(":{ours}"),
        Some("") => ours,
        Some(given) if given.split(':').any(|folder| folder == ours) => return,
        Some(given) => format!("{given}:{ours}"),
    };
    variables.set(PHP_FOLDERS, &folders);
}
