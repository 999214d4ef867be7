//! What a check came to.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// As it should be.
    Ok,
    /// It works, and not for everybody or not as it might.
    Warning,
    /// It does not work.
    Failure,
    /// There is nothing to check.
    Skipped,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) outcome: Outcome,
    /// What is so.
    pub(super) text: String,
    /// What to do about it.
    pub(super) remedy: Option<String>,
    /// How long finding out took, in milliseconds.
    pub(super) millis: u64,
}

impl Finding {
    fn new(check: &'static str, outcome: Outcome, text: impl fmt::Display) -> Self {
        Self {
            check,
            outcome,
            text: text.to_string(),
            remedy: None,
            millis: 0,
        }
    }

    pub(super) fn ok(check: &'static str, text: impl fmt::Display) -> Self {
        Self::new(check, Outcome::Ok, text)
    }

    pub(super) fn skipped(check: &'static str, text: impl fmt::Display) -> Self {
        Self::new(check, Outcome::Skipped, text)
    }

    pub(super) fn warning(
        check: &'static str,
        text: impl fmt::Display,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..Self::new(check, Outcome::Warning, text)
        }
    }

    pub(super) fn failure(
        check: &'static str,
        text: impl fmt::Display,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..Self::new(check, Outcome::Failure, text)
        }
    }

    pub(super) fn after(self, took: Duration) -> Self {
        Self {
            millis: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            ..self
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "warn",
            Outcome::Failure => "FAIL",
            Outcome::Skipped => "-",
        };
        let Self {
            check,
            text,
            millis,
            ..
        } = self;
        write!(f, "{mark:<5} {check:<12} {text}  ({millis} ms)")?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n{:>18} {remedy}", "->"),
            None => Ok(()),
        }
    }
}
