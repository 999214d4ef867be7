//! Where images keep what they trust.

use super::php;
use super::settings::WGETRC;
use super::variables::{AUTHORITIES, JAVA_OPTIONS};
use crate::core::inject::{FOLDER, Undo, environment};
use crate::core::label::{self, Labels};

/// Bundles that distributions bring, the commonest first; most programs know the same list.
const BUNDLES: [&str; 8] = [
    // Debian, Ubuntu, Alpine, Arch, Gentoo.
    "/etc/ssl/certs/ca-certificates.crt",
    // Fedora, RHEL and what descends from them.
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    // openSUSE.
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    // Alpine without `ca-certificates`, the BSDs.
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/cacert.pem",
    // Nix.
    "/etc/ssl/certs/ca-bundle.crt",
];

/// Java's, where `JAVA_HOME` does not say: Debian and Alpine keep one for all versions, and so do Fedora and RHEL. Few,
/// as each takes its time, and most images have none.
const STORES: [&str; 2] = ["/etc/ssl/certs/java/cacerts", "/etc/pki/java/cacerts"];

/// Below `JAVA_HOME`: since version 9, and before.
const IN_JAVA_HOME: [&str; 2] = ["lib/security/cacerts", "jre/lib/security/cacerts"];

/// The option by which a user names Java's store.
const OWN_STORE: &str = "-Djavax.net.ssl.trustStore=";

/// What is looked for in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    /// Bundles; the first that is there is what the image trusts.
    pub bundles: Vec<String>,
    /// Files that a user or the image itself names, all of which count.
    pub named: Vec<String>,
    /// Java's stores; the first that is there counts.
    pub stores: Vec<String>,
    /// Settings that are extended.
    pub settings: Vec<String>,
    /// Folders of PHP's settings, all of which count.
    pub folders: Vec<String>,
}

impl Wanted {
    /// All files: lists of which the first file that is there is wanted.
    pub fn alternatives(&self) -> impl Iterator<Item = &[String]> {
        let single = self.named.iter().chain(&self.settings);
        let single = single.map(std::slice::from_ref);
        [&self.bundles[..], &self.stores].into_iter().chain(single)
    }
}

/// What is to be looked for, by the variables that a container sees. `is_mounted`: whether a path, or something in it, is
/// not the image's.
pub fn wanted<'a>(
    variable: impl Fn(&str) -> Option<&'a str>,
    is_mounted: impl Fn(&str) -> bool,
) -> Wanted {
    let mut named = Vec::new();
    let values = AUTHORITIES.iter().filter_map(|(name, _)| variable(name));
    for value in values.filter(|value| is_foreign(value)) {
        if !named.iter().any(|known| known == value) {
            named.push(value.to_owned());
        }
    }
    let own_store = variable(JAVA_OPTIONS).and_then(store_in);
    let own_store = own_store.filter(|path| is_foreign(path)).map(str::to_owned);
    let home = variable("JAVA_HOME").filter(|home| home.starts_with('/'));
    let at_home = home.into_iter().flat_map(|home| {
        let home = home.trim_end_matches('/');
        IN_JAVA_HOME.map(|path| format!("{home}/{path}"))
    });
    Wanted {
        bundles: BUNDLES.map(str::to_owned).to_vec(),
        named,
        stores: own_store
            .into_iter()
            .chain(at_home)
            .chain(STORES.map(str::to_owned))
            .collect(),
        settings: vec![WGETRC.to_owned()],
        folders: php::folders(variable, is_mounted),
    }
}

/// What is to be looked for in a container that is there already, by the variables that it had before injection. `own`: all
/// that it sees now; `image`: what its image brings.
pub fn wanted_before(own: &[String], image: &[String], labels: &Labels) -> Wanted {
    let undo = labels.get(label::UNDO);
    let undo = undo.and_then(|undo| serde_json::from_str::<Undo>(undo).ok());
    let replaced = undo.unwrap_or_default().env;
    let variable = |name: &str| match replaced.get(name) {
        Some(Some(before)) => Some(before.as_str()),
        Some(None) => environment::effective(&[], image, name),
        None => environment::effective(own, image, name),
    };
    wanted(variable, |_| false)
}

/// The store that these options of Java's name; the last one counts.
fn store_in(options: &str) -> Option<&str> {
    let mut words = options.split_whitespace().rev();
    words.find_map(|word| word.strip_prefix(OWN_STORE))
}

/// Whether that is a file, and none of ours: an image may have been made of an injected container.
pub(in crate::core) fn is_foreign(path: &str) -> bool {
    let ours = path.strip_prefix(FOLDER);
    path.starts_with('/') && !ours.is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_variables_name_is_wanted() {
        let variable = |name: &str| match name {
            "SSL_CERT_FILE" | "CURL_CA_BUNDLE" => Some("/corp/roots.pem"),
            "GIT_SSL_CAINFO" => Some("/git.pem"),
            "PIP_CERT" => Some("/.dockline/ca-bundle.pem"),
            "AWS_CA_BUNDLE" => Some(""),
            "JAVA_HOME" => Some("/opt/jdk/"),
            JAVA_OPTIONS => Some(
                "-Xmx1g -Djavax.net.ssl.trustStore=/a.jks -Djavax.net.ssl.trustStore=/b.jks -Dx=y",
            ),
            _ => None,
        };
        let wanted = wanted(variable, |_| false);
        assert_eq!(wanted.named, ["/corp/roots.pem", "/git.pem"]);
        assert_eq!(
            wanted.stores[..3],
            [
                "/b.jks",
                "/opt/jdk/lib/security/cacerts",
                "/opt/jdk/jre/lib/security/cacerts"
            ]
        );
        let first = wanted.alternatives().map(|paths| paths[0].as_str());
        let first: Vec<_> = first.collect();
        assert_eq!(
            first,
            [BUNDLES[0], "/b.jks", "/corp/roots.pem", "/git.pem", WGETRC]
        );
    }

    #[test]
    fn a_container_is_asked_for_what_it_was_told_before_injection() {
        let pairs = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let own = pairs(
            "SSL_CERT_FILE=/.dockline/ca-bundle.pem CURL_CA_BUNDLE=/.dockline/ca-bundle.pem PIP_CERT=/mounted.pem",
        );
        let image = pairs("CURL_CA_BUNDLE=/image.pem PIP_CERT=/overridden.pem");
        let undo = r#"{"version":1,"env":{"SSL_CERT_FILE":"/user.pem","CURL_CA_BUNDLE":null}}"#;
        let labels = Labels::from_iter([(label::UNDO.to_owned(), undo.to_owned())]);
        let mut named = wanted_before(&own, &image, &labels).named;
        named.sort();
        assert_eq!(named, ["/image.pem", "/mounted.pem", "/user.pem"]);
        // One that was never injected.
        let plain = wanted_before(&image, &image, &Labels::new()).named;
        assert_eq!(plain.len(), 2, "{plain:?}");
    }

    #[test]
    fn what_is_ours_or_no_file_is_not() {
        for (path, foreign) in [
            ("/etc/x.pem", true),
            ("/.docklines/x.pem", true),
            ("/.dockline/ca.pem", false),
            ("x.pem", false),
            ("", false),
        ] {
            assert_eq!(is_foreign(path), foreign, "{path}");
        }
    }
}
