//! What was found, for people and programs: a line a leg, as it comes.

use std::time::Duration;

use serde::Serialize;

use crate::cli::{Failure, output};
use crate::control::report::shape::Status;
use crate::core::check::Verdict;

/// One part of the way.
#[derive(Debug, Serialize)]
pub(super) struct Leg {
    #[serde(rename = "leg")]
    name: &'static str,
    ok: bool,
    /// Milliseconds: how long it took; from `link` on, since the request was sent.
    ms: Option<f64>,
    what: String,
    remedy: Option<String>,
}

impl Leg {
    pub(super) fn passed(
        name: &'static str,
        after: Option<Duration>,
        what: impl Into<String>,
    ) -> Self {
        Self {
            name,
            ok: true,
            ms: after.map(|after| (after.as_secs_f64() * 10_000.0).round() / 10.0),
            what: what.into(),
            remedy: None,
        }
    }

    pub(super) fn failed(
        name: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name,
            ok: false,
            ms: None,
            what: what.into(),
            remedy: Some(remedy.into()),
        }
    }

    /// What became of HTTPS, in one.
    pub(super) fn https(verdict: Verdict) -> Self {
        let lost_at = verdict.leg.as_str();
        let leg = Self::from(verdict);
        let what = match (leg.ok, lost_at) {
            (false, lost_at) if lost_at != "answer" => format!("at {lost_at}: {}", leg.what),
            _ => leg.what,
        };
        Self {
            name: "https",
            what,
            ..leg
        }
    }
}

impl From<Verdict> for Leg {
    fn from(verdict: Verdict) -> Self {
        let leg = verdict.leg.as_str();
        match verdict.remedy {
            None => Self::passed(leg, verdict.after, verdict.what),
            Some(remedy) => Self::failed(leg, verdict.what, remedy),
        }
    }
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    interceptor: Option<String>,
    gateway: String,
    ok: bool,
    legs: Vec<Leg>,
    #[serde(skip)]
    json: bool,
}

impl Report {
    pub(super) fn new(json: bool, status: &Status) -> Self {
        Self {
            interceptor: status.interceptor.as_ref().map(|i| i.address.clone()),
            gateway: status.gateway.clone(),
            ok: true,
            legs: Vec::new(),
            json,
        }
    }

    /// Adds a leg, and shows it.
    pub(super) fn add(&mut self, leg: Leg) {
        self.ok &= leg.ok;
        if !self.json {
            let ms = leg.ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
            let ok = if leg.ok { "ok" } else { "FAILED" };
            output::data(&format!("{:<12} {ok:<6} {ms:>10}  {}", leg.name, leg.what));
            if let Some(remedy) = &leg.remedy {
                output::data(&format!("\n   {}", remedy.trim_end()));
            }
        }
        self.legs.push(leg);
    }

    pub(super) fn is_broken(&self) -> bool {
        !self.ok
    }

    /// Shows what is only shown as a whole.
    pub(super) fn end(&self) -> Result<(), Failure> {
        if self.json {
            output::json(self)?;
        }
        Ok(())
    }

    /// Fails if the way is broken.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        match self.legs.iter().find(|leg| !leg.ok) {
            Some(broken) => Err(Failure::Other(anyhow::anyhow!(
                "the way round is broken at {}: {}",
                broken.name,
                broken.what
            ))),
            None => Ok(()),
        }
    }
}
