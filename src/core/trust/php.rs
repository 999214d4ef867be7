//! Whether PHP may be given a preload: one that it cannot open would keep it from running at all.

use super::{Found, is_foreign};

/// Where PHP's own images say that its settings are.
const HOME: &str = "PHP_INI_DIR";
/// Files and folders of settings that a user names.
const NAMED: [&str; 2] = ["PHPRC", "PHP_INI_SCAN_DIR"];

/// Settings of PHP's own images, besides those of [`HOME`].
const PROCESSES: &str = "/usr/local/etc/php-fpm.d";
/// Debian's and Ubuntu's.
const DEBIAN: &str = "/etc/php";
/// Apache has settings of PHP among its own.
const APACHE: &str = "/etc/apache2";

/// What the preload calls.
const CALLED: [&str; 5] = [
    "call_user_func",
    "get_cfg_var",
    "in_array",
    "parse_url",
    "stream_context_set_default",
];

/// Folders of settings, by the variables that a container sees. None if it is not known where they are, or if a user
/// mounts some: what is in them is not known before the container is there.
pub(super) fn folders<'a>(
    variable: impl Fn(&str) -> Option<&'a str>,
    is_mounted: impl Fn(&str) -> bool,
) -> Vec<String> {
    let given = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut folders = match given(HOME) {
        Some(home) => vec![home.to_owned(), PROCESSES.to_owned()],
        None => vec![DEBIAN.to_owned()],
    };
    folders.push(APACHE.to_owned());
    let named = NAMED.iter().filter_map(|name| given(name));
    let named = named
        .flat_map(|list| list.split(':'))
        .filter(|path| is_foreign(path));
    folders.extend(named.map(str::to_owned));
    if folders.iter().any(|folder| is_mounted(folder)) {
        folders.clear();
    }
    folders
}

/// Whether settings were found, none of which keeps PHP from files outside some folder.
pub(super) fn may_prepend(folders: &[String], found: &Found) -> bool {
    let mut settings = folders.iter().filter_map(|folder| found.get(folder));
    // The first is PHP's own.
    let is_known = folders.first().is_some_and(|own| found.contains_key(own));
    is_known && !settings.any(|bytes| confines(&String::from_utf8_lossy(bytes)))
}

fn confines(settings: &str) -> bool {
    let settings = settings.lines().map(str::trim_start);
    let mut settings = settings.filter(|line| !line.starts_with([';', '#']));
    settings.any(|line| {
        let is_set = |name: &str| {
            let (_, value) = line.split_once(name)?;
            Some(!value.trim_matches([']', '=', ' ', '\t', '"']).is_empty())
        };
        ["open_basedir", "chroot"]
            .iter()
            .any(|name| is_set(name) == Some(true))
            || line.starts_with("disable_functions")
                && CALLED.iter().any(|name| line.contains(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_confine() {
        for (settings, confined) in [
            ("", false),
            (";open_basedir =\n; open_basedir = /srv", false),
            ("open_basedir =", false),
            ("open_basedir = \"\"", false),
            ("[PHP]\n  open_basedir = /srv\n", true),
            ("php_admin_value[open_basedir] = /srv", true),
            (
                "<Directory /srv>\nphp_admin_value open_basedir /srv\n",
                true,
            ),
            (";chroot =\nchroot = /srv", true),
            ("# php_value open_basedir /srv", false),
            ("disable_functions = exec,system", false),
            ("disable_functions = exec,get_cfg_var", true),
        ] {
            assert_eq!(confines(settings), confined, "{settings}");
        }
    }

    #[test]
    fn where_settings_are() {
        let none = |_: &str| None;
        let free = |_: &str| false;
        assert_eq!(folders(none, free), [DEBIAN, APACHE]);
        let own = |name: &str| match name {
            HOME => Some("/usr/local/etc/php"),
            "PHP_INI_SCAN_DIR" => Some(":/own:/.dockline/php"),
            _ => None,
        };
        let all = ["/usr/local/etc/php", PROCESSES, APACHE, "/own"];
        assert_eq!(folders(own, free), all);
        assert!(folders(own, |path| path == "/own").is_empty());
    }

    #[test]
    fn prepended_where_phps_own_settings_are_known() {
        let folders = [DEBIAN.to_owned(), APACHE.to_owned()];
        let found = |pairs: &[(&str, &'static str)]| -> Found {
            let pairs = pairs.iter();
            pairs
                .map(|(path, text)| ((*path).to_owned(), text.as_bytes().into()))
                .collect()
        };
        for (pairs, may) in [
            (&[][..], false),
            (&[(DEBIAN, "memory_limit = 1")], true),
            (&[(APACHE, "Listen 80")], false),
            (
                &[
                    (DEBIAN, "a = 1"),
                    (APACHE, "php_value open_basedir \"/srv\""),
                ],
                false,
            ),
        ] {
            assert_eq!(may_prepend(&folders, &found(pairs)), may, "{pairs:?}");
        }
    }
}
