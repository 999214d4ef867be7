//! Who is to intercept whom, by the flags.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD as STANDARD, Engine as _};
use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::flags::{Flags, LogFormat};
use crate::cli::misuse::{misuse, misused};
use crate::cli::{Failure, ca};
use crate::config::{BuiltIn, Interception, Named};
use crate::core::hand_on::Shares;
use crate::gateway::Interceptor;
use crate::interceptor::Lines;

/// Whose stdout it is, where lines for requests would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Stdout {
    Ours,
    Anothers,
}

/// Who it is for all, whose certificates they are to trust, and those that some have of their own.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) rest: Interception,
    pub(super) ca: Option<Bytes>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) named: BTreeMap<String, Named>,
}

/// Takes it from the flags; `address`: where the built-in interceptor listens.
pub(super) fn asked(flags: &Flags, address: SocketAddr, stdout: Stdout) -> Result<Asked, Failure> {
    let places = shares("--interceptor", &flags.interceptor)?;
    let files = shares("--ca", &flags.ca)?;
    let built_in = || built_in(flags, address, stdout);
    let rest = interception(places.rest.as_deref().unwrap_or(BUILT_IN), built_in)?;
    let mut named = BTreeMap::new();
    let common = files.rest.as_deref().map(Path::new);
    for (name, place) in &places.named {
        let interception = interception(place.as_deref().unwrap_or_default(), built_in)?;
        let file = files.named.get(name).and_then(Option::as_deref);
        let file = file
            .map(Path::new)
            .or(common)
            .filter(|_| is_external(&interception));
        let ca = file.map(certificates).transpose()?;
        let own = Named {
            interception,
            ca,
            ca_file: file.map(absolute),
        };
        named.insert(name.clone(), own);
    }
    let all = || named.values().map(|own| &own.interception).chain([&rest]);
    if flags.har.is_some() && !all().any(is_built_in) {
        return Err(misuse(
            "--har",
            "--har is for the built-in interceptor; leave --interceptor out, or let that one write the file",
        ));
    }
    if common.is_some() && is_built_in(&rest) && !all().any(is_external) {
        return Err(misuse(
            "--ca",
            "--ca is the authority of another interceptor, and the built-in one has its own (`dockline ca`); give --interceptor as well, \
             HOST:PORT or none",
        ));
    }
    let is_known = |name: &String| {
        named
            .get(name)
            .is_some_and(|own| is_external(&own.interception))
    };
    if let Some(name) = files.named.keys().find(|name| !is_known(name)) {
        return Err(misuse(
            "--ca",
            format!("--ca {name}=FILE is for --interceptor {name}=HOST:PORT, which is not given"),
        ));
    }
    let common = common.filter(|_| !is_built_in(&rest));
    Ok(Asked {
        ca: common.map(certificates).transpose()?,
        ca_file: common.map(absolute),
        rest,
        named,
    })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or(path.to_owned())
}

const BUILT_IN: &str = "builtin";

fn is_built_in(interception: &Interception) -> bool {
    matches!(interception, Interception::BuiltIn(_))
}

fn is_external(interception: &Interception) -> bool {
    matches!(interception, Interception::External(_))
}

/// Each with its name, if it has one, at most once.
fn shares(flag: &'static str, given: &[String]) -> Result<Shares<Option<String>>, Failure> {
    let mut shares = Shares::<Option<String>>::default();
    for text in given {
        let (name, value) = named(text);
        let before = match name {
            None => shares.rest.replace(value.to_owned()),
            Some(name) => {
                let before = shares.named.insert(name.to_owned(), Some(value.to_owned()));
                before.flatten()
            }
        };
        if let Some(before) = before {
            let reason = format!(
                "{flag} {text} is given beside {before} for the same containers; say whose it is: {flag} PROJECT={value}"
            );
            return Err(misused(flag, text, reason));
        }
    }
    Ok(shares)
}

/// `NAME=VALUE`, or a value alone. What has a slash or a colon before the equals sign is a path or an address.
fn named(text: &str) -> (Option<&str>, &str) {
    let is_name = |name: &str| {
        let known = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        !name.is_empty() && name.chars().all(known)
    };
    match text.split_once('=').filter(|(name, _)| is_name(name)) {
        Some((name, value)) => (Some(name), value),
        None => (None, text),
    }
}

fn interception(
    place: &str,
    built_in: impl Fn() -> Result<BuiltIn, Failure>,
) -> Result<Interception, Failure> {
    match place {
        "none" => Ok(Interception::None),
        BUILT_IN => Ok(Interception::BuiltIn(built_in()?)),
        address => match Interceptor::at(address) {
            Ok(interceptor) => Ok(Interception::External(interceptor)),
            Err(error) => {
                let error = anyhow::Error::new(error).context("--interceptor");
                Err(misused("--interceptor", address, format!("{error:#}")))
            }
        },
    }
}

fn built_in(flags: &Flags, address: SocketAddr, stdout: Stdout) -> Result<BuiltIn, Failure> {
    Ok(BuiltIn {
        address,
        authority: ca::folder()?,
        lines: match (stdout, flags.log_format) {
            (Stdout::Anothers, _) => Lines::Aside,
            (Stdout::Ours, LogFormat::Text) => Lines::Text,
            (Stdout::Ours, LogFormat::Json) => Lines::Json,
        },
        har: flags.har.clone(),
    })
}

/// The certificates of a file, and nothing else of it: a private key must never enter a container.
pub(in crate::cli) fn certificates(path: &Path) -> Result<Bytes, Failure> {
    let usage = |reason: String| {
        let path = path.display();
        misuse("--ca", format!("--ca {path}: {reason}"))
    };
    let text = std::fs::read(path).map_err(|error| usage(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| usage(error.to_string()))?;
    if found.is_empty() {
        return Err(usage(
            "it holds no certificate in PEM (BEGIN CERTIFICATE)".to_owned(),
        ));
    }
    let pem = found.iter().map(|certificate| {
        let text = STANDARD.encode(certificate);
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    });
    Ok(pem.collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    /// Who it is for whom, in words.
    fn check(line: &str, expected: &str) {
        let words = ["dockline"].into_iter().chain(line.split_whitespace());
        let flags = Line::try_parse_from(words).unwrap().flags;
        let found = asked(&flags, "127.0.0.1:0".parse().unwrap(), Stdout::Ours);
        let said = match found {
            Err(Failure::Usage(error)) => format!("{error:#}"),
            Err(_) => "another failure".to_owned(),
            Ok(asked) => {
                let who = |interception: &Interception, ca: Option<&Bytes>| {
                    let who = match interception {
                        Interception::None => "none".to_owned(),
                        Interception::BuiltIn(_) => "builtin".to_owned(),
                        Interception::External(interceptor) => interceptor.address().to_string(),
                    };
                    who + if ca.is_some() { "+ca" } else { "" }
                };
                let named = asked.named.iter();
                let named = named.map(|(name, own)| {
                    format!(" {name}={}", who(&own.interception, own.ca.as_ref()))
                });
                who(&asked.rest, asked.ca.as_ref()) + &named.collect::<String>()
            }
        };
        assert!(said.starts_with(expected), "{line}: {said}");
    }

    #[test]
    fn interceptors_of_all_and_of_some() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let pem = "-----BEGIN CERTIFICATE-----\nZG9ja2xpbmU=\n-----END CERTIFICATE-----\n";
        std::fs::write(&file, pem).unwrap();
        let ca = file.display();
        check("", "builtin");
        check("--interceptor none", "none");
        check("--interceptor 127.0.0.1:1", "127.0.0.1:1");
        check(&format!("--interceptor none --ca {ca}"), "none+ca");
        check("--interceptor shop=127.0.0.1:1", "builtin shop=127.0.0.1:1");
        check(
            "--interceptor shop=127.0.0.1:1,blog=none,builtin --har x.har",
            "builtin blog=none shop=127.0.0.1:1",
        );
        check(
            &format!("--interceptor none --interceptor a.b_c-1=127.0.0.1:1 --ca a.b_c-1={ca}"),
            "none a.b_c-1=127.0.0.1:1+ca",
        );
        // One authority for all that have none of their own, and are no part of dockline.
        check(
            &format!(
                "--interceptor a=127.0.0.1:1 --interceptor b=builtin --interceptor c=none --ca {ca}"
            ),
            "builtin a=127.0.0.1:1+ca b=builtin c=none",
        );
        check(
            &format!("--ca {ca}"),
            "--ca is the authority of another interceptor",
        );
        check(
            &format!("--interceptor a=127.0.0.1:1 --ca b={ca}"),
            "--ca b=FILE is for --interceptor b=HOST:PORT",
        );
        check(
            &format!("--interceptor a=none --ca a={ca}"),
            "--ca a=FILE is for",
        );
        check(
            "--interceptor a=none --interceptor a=builtin",
            "--interceptor a=builtin is given beside none",
        );
        check(
            "--interceptor 127.0.0.1:1 --interceptor none",
            "--interceptor none is given beside 127.0.0.1:1",
        );
        check("--interceptor a=", "--interceptor: \"\" is not HOST:PORT");
        check(
            "--interceptor none --har x.har",
            "--har is for the built-in interceptor",
        );
        check(
            "--interceptor 127.0.0.1:1 --ca /nobody/x=y.pem",
            "--ca /nobody/x=y.pem: ",
        );
    }
}
