//! Whether the interceptor signs with the authority that containers are told to trust.

use std::path::Path;

use super::super::output;
use super::super::serve::certificates;
use super::finding::Finding;
use crate::check::shown_by;
use crate::control::report::shape::{Interceptor, Status};
use crate::core::check::Shown;
use crate::core::trust::Ca;

/// The authority of an interceptor, and whose it is.
struct Share<'s> {
    /// Whose it is, if not everybody's.
    name: Option<&'s str>,
    interceptor: Option<&'s Interceptor>,
    file: Option<&'s str>,
    sha256: Option<&'s str>,
}

/// A finding for each interceptor.
pub(super) async fn all(status: &Status) -> Vec<Finding> {
    let rest = Share {
        name: None,
        interceptor: status.interceptor.as_ref(),
        file: status.ca.as_deref(),
        sha256: status.ca_sha256.as_deref(),
    };
    let named = status.interceptors.iter().map(|own| Share {
        name: Some(&own.name),
        interceptor: own.interceptor.as_ref(),
        file: own.ca.as_deref(),
        sha256: own.ca_sha256.as_deref(),
    });
    let mut findings = Vec::new();
    for share in [rest].into_iter().chain(named) {
        findings.push(share.look().await);
    }
    findings
}

impl Share<'_> {
    async fn look(&self) -> Finding {
        let Some(interceptor) = self.interceptor else {
            return Finding::skipped("ca", self.of("nothing is intercepted"));
        };
        let Some(file) = self.file else {
            return Finding::warning(
                "ca",
                self.of("none is known: HTTPS of containers passes unopened"),
                "serve with --ca FILE, the interceptor's certificate authority in PEM",
            );
        };
        let certificates = match certificates(Path::new(file)) {
            Ok(certificates) => Ca::new(certificates),
            Err(failure) => {
                let why = output::chain(&failure);
                return Finding::warning(
                    "ca",
                    self.of(&format!(
                        "{file} is not what it was, and new containers still get that: {why}"
                    )),
                    "put it back before dockline is started again",
                );
            }
        };
        // The built-in one's is written by itself, and read by nobody else.
        let is_other = interceptor.kind != "builtin" && self.sha256 != Some(certificates.sha256());
        if is_other {
            return Finding::warning(
                "ca",
                self.of(&format!(
                    "{file} has other certificates than when dockline was started; new containers still get the former"
                )),
                "start dockline again, then make containers anew",
            );
        }
        if !interceptor.reachable {
            return Finding::skipped(
                "ca",
                self.of(&format!("{file}; the interceptor does not answer")),
            );
        }
        match shown_by(&interceptor.address, certificates.pem()).await {
            Ok(shown) => self.judge(file, shown),
            Err(error) => Finding::skipped("ca", self.unknown(file, &error.to_string())),
        }
    }

    fn judge(&self, file: &str, shown: Shown) -> Finding {
        match shown {
            Shown::Trusted => {
                Finding::ok("ca", self.of(&format!("{file}: the interceptor signs with it")))
            }
            Shown::Other { issuer, reason } => Finding::failure(
                "ca",
                self.of(&format!(
                    "containers trust {file}, and the interceptor signs with another authority: {issuer} ({reason})"
                )),
                "serve with --ca and the certificate that the interceptor signs with (`dockline integrate` with its name says where that is), then make containers anew",
            ),
            Shown::Origins => Finding::skipped(
                "ca",
                self.unknown(file, "the interceptor leaves this machine's TLS unopened"),
            ),
            Shown::None(reason) => Finding::skipped("ca", self.unknown(file, &reason)),
        }
    }

    fn unknown(&self, file: &str, reason: &str) -> String {
        self.of(&format!(
            "{file}; whether the interceptor signs with it could not be seen: {reason}"
        ))
    }

    fn of(&self, text: &str) -> String {
        match self.name {
            Some(name) => format!("{name}: {text}"),
            None => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::*;

    fn external(reachable: bool) -> Interceptor {
        Interceptor {
            kind: "external".to_owned(),
            address: "127.0.0.1:1".to_owned(),
            reachable,
        }
    }

    #[tokio::test]
    async fn what_is_known_without_asking() {
        let check = async |interceptor: Option<&Interceptor>, file, outcome, text: &str| {
            let share = Share {
                name: Some("shop"),
                interceptor,
                file,
                sha256: Some("abc"),
            };
            let found = share.look().await;
            assert_eq!(found.outcome, outcome, "{found}");
            assert!(found.text.starts_with("shop: "), "{found}");
            assert!(found.text.contains(text), "{found}");
            assert_eq!(found.remedy.is_some(), outcome == Outcome::Warning);
        };
        let there = external(true);
        check(None, None, Outcome::Skipped, "nothing is intercepted").await;
        check(Some(&there), None, Outcome::Warning, "none is known").await;
        let gone = Some("/nowhere/ca.pem");
        check(Some(&there), gone, Outcome::Warning, "is not what it was").await;
    }

    #[test]
    fn what_was_shown_is_told_with_the_way_out() {
        let other = Shown::Other {
            issuer: "CN=stranger".to_owned(),
            reason: "unknown issuer".to_owned(),
        };
        let cases = [
            (Shown::Trusted, Outcome::Ok, "signs with it"),
            (other, Outcome::Failure, "CN=stranger"),
            (Shown::Origins, Outcome::Skipped, "could not be seen"),
            (Shown::None("407".to_owned()), Outcome::Skipped, "407"),
        ];
        let share = Share {
            name: None,
            interceptor: None,
            file: None,
            sha256: None,
        };
        for (shown, outcome, text) in cases {
            let found = share.judge("/ca.pem", shown);
            assert_eq!(found.outcome, outcome, "{found}");
            assert!(found.text.contains(text), "{found}");
            let remedy = found.remedy.unwrap_or_default();
            assert_eq!(remedy.contains("--ca"), outcome == Outcome::Failure);
        }
    }
}
