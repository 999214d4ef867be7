//! Where a request on its way round was lost: container, entry, link, interceptor, gateway, container, and back. Judged by
//! what was seen of it.

mod legs;
#[cfg(test)]
mod tests;
mod tls;

use std::net::IpAddr;
use std::time::Duration;

use legs::{answer, container, entry, gateway, interceptor, link};
pub use tls::{Shown, tls};

/// What the interceptor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// dockline's own.
    BuiltIn,
    /// A program that dockline reaches.
    #[default]
    There,
    /// One that it does not reach.
    Away,
}

/// What was set up before.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Where the interceptor listens.
    pub interceptor: String,
    /// What it is.
    pub kind: Kind,
    /// Where the gateway listens.
    pub gateway: String,
    /// Whether it wants a password.
    pub protected: bool,
    /// How the interceptor is told to use it.
    pub upstream: String,
    /// Whether dockline is not paused.
    pub intercepting: bool,
    /// The link's state, with who owns the tunnel instead.
    pub link: (String, Option<String>),
    /// The name of the container that calls.
    pub caller: String,
    /// The tunnel's addresses.
    pub tunnel: Vec<IpAddr>,
    /// The file with the authority that containers trust.
    pub ca: Option<String>,
}

/// A connection of the gateway's for the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Whether the calling container asked for it, and not the interceptor.
    pub by_caller: bool,
    /// From whose point of view, if from anybody's.
    pub from: Option<String>,
    /// Which way it went.
    pub via: String,
    /// When it was opened, since 1970.
    pub since: Duration,
}

/// What was seen of one request. Times are since it was sent.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// When it was sent, since 1970.
    pub began: Duration,
    /// Where the entry answered, or why not.
    pub entry: Option<Result<(String, Duration), String>>,
    /// The gateway's connections for it.
    pub hops: Vec<Hop>,
    /// Those that the gateway could not make; whether for the caller, and why.
    pub refused: Vec<(bool, String)>,
    /// From where somebody connected to the container that is asked, and when.
    pub reached: Option<(IpAddr, Duration)>,
    /// The answer: its status, whether it is that container's own, else its first words; when. Nothing if none came.
    pub answer: Option<(u16, bool, String, Duration)>,
}

/// A part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// Into the tunnel.
    Entry,
    /// From there to dockline, which knows who calls.
    Link,
    /// On to the interceptor.
    Interceptor,
    /// From there to the gateway.
    Gateway,
    /// From there into the container that is asked.
    Container,
    /// All the way back.
    Answer,
}

impl Leg {
    /// The word for users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Link => "link",
            Self::Interceptor => "interceptor",
            Self::Gateway => "gateway",
            Self::Container => "container",
            Self::Answer => "answer",
        }
    }
}

/// What became of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which one.
    pub leg: Leg,
    /// When it was passed, where that is known.
    pub after: Option<Duration>,
    /// For people.
    pub what: String,
    /// What to do, if it was not passed.
    pub remedy: Option<String>,
}

fn passed(leg: Leg, after: Option<Duration>, what: impl Into<String>) -> Verdict {
    Verdict {
        leg,
        after,
        what: what.into(),
        remedy: None,
    }
}

fn failed(leg: Leg, what: impl Into<String>, remedy: impl Into<String>) -> Verdict {
    Verdict {
        leg,
        after: None,
        what: what.into(),
        remedy: Some(remedy.into()),
    }
}

/// Leg by leg, to the first that was not passed.
pub fn judge(setup: &Setup, round: &Round) -> Vec<Verdict> {
    let legs = [entry, link, interceptor, gateway, container, answer];
    let mut verdicts = Vec::new();
    for leg in legs {
        let verdict = leg(setup, round);
        let is_last = verdict.remedy.is_some();
        verdicts.push(verdict);
        if is_last {
            break;
        }
    }
    verdicts
}
