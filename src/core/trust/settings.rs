//! Settings and preloads for programs that heed no variable, but that one names a file of theirs.

use bytes::Bytes;

use super::Found;

/// wget's settings for all users, where an image has some.
pub(super) const WGETRC: &str = "/etc/wgetrc";

/// A folder of settings for PHP.
pub const PHP_FOLDER: &str = "php";
/// A folder of modules for Python.
pub const PYTHON_FOLDER: &str = "python";
/// A module that Node is to load first.
pub const NODE_FILE: &str = "node.cjs";
/// Settings for apt, which it reads besides its own.
pub const APT_FILE: &str = "apt.conf";
/// Settings for wget, in the place of `/etc/wgetrc`.
pub const WGET_FILE: &str = "wgetrc";

const PHP: &str = "curl.cainfo = /.dockline/ca-bundle.pem
openssl.cafile = /.dockline/ca-bundle.pem
";
const APT: &str = "Acquire::https::CaInfo \"/.dockline/ca-bundle.pem\";
";
const WGET: &str = "ca_certificate = /.dockline/ca-bundle.pem
";
const NODE: &str = include_str!("preload/node.cjs");
const PYTHON: &str = include_str!("preload/sitecustomize.py");

/// All of them.
pub(super) fn files(found: &Found) -> Vec<(&'static str, Bytes)> {
    let fixed = |text: &'static str| Bytes::from_static(text.as_bytes());
    let mut wget = found.get(WGETRC).map_or_else(Vec::new, |own| own.to_vec());
    if !wget.is_empty() {
        wget.push(b'\n');
    }
    wget.extend_from_slice(WGET.as_bytes());
    vec![
        (APT_FILE, fixed(APT)),
        (NODE_FILE, fixed(NODE)),
        (WGET_FILE, wget.into()),
        ("php/dockline.ini", fixed(PHP)),
        ("python/sitecustomize.py", fixed(PYTHON)),
    ]
}
