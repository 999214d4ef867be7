//! A flag's value that will not do, found when all of them are looked at together. Where it was said, whoever read it knows
//! (`settings`).

use super::Failure;

/// See the module.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Misuse {
    /// As it is written: `--match`.
    pub(super) flag: &'static str,
    /// Which of several values.
    pub(super) value: Option<String>,
    reason: String,
}

/// That a flag's value will not do, and why.
pub(super) fn misuse(flag: &'static str, reason: impl Into<String>) -> Failure {
    of(flag, None, reason.into())
}

/// The same of one of its values.
pub(super) fn misused(flag: &'static str, value: &str, reason: impl Into<String>) -> Failure {
    of(flag, Some(value.to_owned()), reason.into())
}

fn of(flag: &'static str, value: Option<String>, reason: String) -> Failure {
    let misuse = Misuse {
        flag,
        value,
        reason,
    };
    Failure::Usage(anyhow::Error::new(misuse))
}
