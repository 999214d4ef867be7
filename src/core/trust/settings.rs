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
// What was prepended before stays so: of a value that a file sets, later ones can be made.
const PHP_PREPEND: &str = "dockline.proxy = ${HTTPS_PROXY}
dockline.prepended = ${auto_prepend_file}
auto_prepend_file = /.dockline/php/prepend.php
";
const APT: &str = "Acquire::https::CaInfo \"/.dockline/ca-bundle.pem\";
";
const WGET: &str = "ca_certificate = /.dockline/ca-bundle.pem
";
const NODE: &str = include_str!("preload/node.cjs");
const PYTHON: &str = include_str!("preload/sitecustomize.py");
const PREPEND: &str = include_str!("preload/prepend.php");

/// All of them. `prepend`: PHP is to begin with a preload.
pub(super) fn files(found: &Found, prepend: bool) -> Vec<(&'static str, Bytes)> {
    let fixed = |text: &'static str| Bytes::from_static(text.as_bytes());
    let mut wget = found.get(WGETRC).map_or_else(Vec::new, |own| own.to_vec());
    if !wget.is_empty() {
        wget.push(b'\n');
    }
    wget.extend_from_slice(WGET.as_bytes());
    let mut php = PHP.to_owned();
    if prepend {
        php.push_str(PHP_PREPEND);
    }
    vec![
        (APT_FILE, fixed(APT)),
        (NODE_FILE, fixed(NODE)),
        (WGET_FILE, wget.into()),
        ("php/dockline.ini", php.into()),
        ("php/prepend.php", fixed(PREPEND)),
        ("python/sitecustomize.py", fixed(PYTHON)),
    ]
}
