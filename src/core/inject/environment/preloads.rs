//! Settings and preloads of ours, for programs that variables alone do not lead.

use super::Variables;
use crate::core::inject::FOLDER;
use crate::core::trust::is_foreign;
use crate::core::trust::settings::{APT_FILE, NODE_FILE, PHP_FOLDER, PYTHON_FOLDER, WGET_FILE};

/// Folders of settings that PHP reads; folders of modules that Python looks in.
const PHP_FOLDERS: &str = "PHP_INI_SCAN_DIR";
const PYTHON_FOLDERS: &str = "PYTHONPATH";

/// Options of Node, and the version that its own images say they have.
const NODE_OPTIONS: &str = "NODE_OPTIONS";
const NODE_VERSION: &str = "NODE_VERSION";

/// Each names one file of settings.
const SETTINGS: [(&str, &str); 2] = [("APT_CONFIG", APT_FILE), ("SYSTEM_WGETRC", WGET_FILE)];

pub(super) fn inject(variables: &mut Variables<'_>) {
    for (name, file) in SETTINGS {
        if variables.given(name).is_none_or(|path| !is_foreign(path)) {
            variables.set(name, &format!("{FOLDER}/{file}"));
        }
    }
    // An empty item is the folder that PHP has by itself; with nothing at all it looks in none.
    let php = match variables.effective(PHP_FOLDERS) {
        None => Some(""),
        Some("") => None,
        Some(given) => Some(given),
    };
    let php = extended(php, &format!("{FOLDER}/{PHP_FOLDER}"));
    variables.set(PHP_FOLDERS, &php);
    // Python loads the first `sitecustomize` that it finds alone, and ours loads the next one. Nothing else is in there.
    let python = format!("{FOLDER}/{PYTHON_FOLDER}");
    let python = match variables.given(PYTHON_FOLDERS) {
        Some(given) if !has(given, &python) => format!("{python}:{given}"),
        Some(given) => given.to_owned(),
        None => python,
    };
    variables.set(PYTHON_FOLDERS, &python);
    let preload = format!("--require {FOLDER}/{NODE_FILE}");
    let there = variables.given(NODE_OPTIONS);
    let there = there.is_some_and(|options| options.contains(&preload));
    if !there && !variables.given(NODE_VERSION).is_some_and(heeds_variables) {
        variables.append(NODE_OPTIONS, &preload);
    }
}

/// A list of folders with ours at its end, where it counts least.
fn extended(given: Option<&str>, ours: &str) -> String {
    match given {
        None => ours.to_owned(),
        Some(given) if has(given, ours) => given.to_owned(),
        Some(given) => format!("{given}:{ours}"),
    }
}

fn has(list: &str, ours: &str) -> bool {
    list.split(':').any(|folder| folder == ours)
}

/// Whether that version of Node heeds the proxy's variables by itself (`NODE_USE_ENV_PROXY`).
fn heeds_variables(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|text| text.parse().ok());
    let version: (u32, u32) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    match version {
        (22, minor) => minor >= 21,
        (24, minor) => minor >= 5,
        (major, _) => major >= 25,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node() {
        for (version, heeds) in [
            ("18.20.4", false),
            ("22.20.0", false),
            ("22.21.0", true),
            ("23.11.0", false),
            ("24.4.1", false),
            ("24.5.0", true),
            ("25.0.0", true),
            ("", false),
            ("latest", false),
        ] {
            assert_eq!(heeds_variables(version), heeds, "{version}");
        }
    }
}
