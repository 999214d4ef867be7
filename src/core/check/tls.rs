//! The same with TLS: whose certificate the calling container sees.

use super::{Leg, Round, Setup, Verdict, judge};

/// The certificate that the caller was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// One that the authority in use has signed.
    Trusted,
    /// The asked container's own: TLS was not opened.
    Origins,
    /// Another's.
    Other {
        /// Who has signed it.
        issuer: String,
        /// Why it does not do.
        reason: String,
    },
    /// None: TLS did not come about.
    None(String),
}

/// What became of HTTPS: whether it did, in words, and what to do if not. The asked container's certificate is nobody's, so an
/// interceptor that verifies says no at last, and rightly so.
pub fn tls(setup: &Setup, round: &Round, shown: &Shown) -> Verdict {
    let mut verdicts = judge(setup, round);
    let broken = verdicts.pop().filter(|last| last.remedy.is_some());
    let before_tls = broken.filter(|last| last.leg != Leg::Answer);
    let failed = |what: String, remedy: String| Verdict {
        leg: Leg::Answer,
        after: None,
        what,
        remedy: Some(remedy),
    };
    let after = round.answer.as_ref().map(|(.., after)| *after);
    let Setup { ca, .. } = setup;
    match (shown, before_tls) {
        (Shown::Origins, _) => failed(
            "TLS was not opened: the container sees the other container's own certificate".to_owned(),
            "look at --pass-through, and whether the interceptor is set to leave this host alone".to_owned(),
        ),
        (_, Some(broken)) => broken,
        (Shown::Trusted, None) => Verdict {
            leg: Leg::Answer,
            after,
            what: match &round.answer {
                Some((_, true, ..)) => "opened, signed by the authority that containers trust".to_owned(),
                _ => "opened, signed by the authority that containers trust; that the interceptor refuses the probe's own certificate is right"
                    .to_owned(),
            },
            remedy: None,
        },
        (Shown::Other { issuer, .. }, None) if ca.is_none() => Verdict {
            leg: Leg::Answer,
            after,
            what: format!(
                "opened, signed by {issuer}; without --ca containers are not told to trust it"
            ),
            remedy: None,
        },
        (Shown::Other { issuer, reason }, None) => failed(
            format!(
                "the interceptor signs with another authority than containers trust: {issuer} ({reason})"
            ),
            format!(
                "start dockline with --ca and the certificate that the interceptor signs with, now {}; then make containers anew",
                ca.as_deref().unwrap_or_default()
            ),
        ),
        (Shown::None(reason), None) => failed(
            format!("TLS did not come about: {reason}"),
            "look at what the interceptor shows of this connection".to_owned(),
        ),
    }
}
