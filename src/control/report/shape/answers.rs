//! What a name means, and where a connection would go.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// `GET /v1/resolve`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct Resolution {
    pub name: String,
    pub from: Option<String>,
    pub status: String,
    pub addresses: Vec<IpAddr>,
    pub names: Vec<String>,
    pub source: Vec<String>,
    pub networks: Vec<String>,
    /// Whether networks differ in whom they mean by the name.
    pub ambiguous: bool,
    /// Which rule on which network answered, and what lost. For names only.
    pub why: Option<String>,
    /// How to pick one meaning of an ambiguous name.
    pub hint: Option<String>,
    pub candidates: Vec<CandidateReport>,
}

/// One of `candidates` of [`Resolution`] and [`RouteReport`]: something that the name could mean.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct CandidateReport {
    /// `hosts`, `link`, `name`, `service`, `tasks` or `host`.
    pub rule: String,
    /// What was looked up there: without the network's name, and for a link what it leads to.
    pub name: String,
    pub network: Option<String>,
    pub network_id: Option<String>,
    pub addresses: Vec<IpAddr>,
    pub containers: Vec<String>,
    pub source: Vec<String>,
    /// Whether it is in the answer.
    pub won: bool,
}

/// `GET /v1/route`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct RouteReport {
    pub destination: String,
    pub from: Option<String>,
    pub via: String,
    pub address: Option<String>,
    pub network: Option<String>,
    pub reason: String,
    /// As in [`Resolution`], for destinations with a name of the engine's.
    pub ambiguous: bool,
    /// As in [`Resolution`].
    pub why: Option<String>,
    /// As in [`Resolution`].
    pub hint: Option<String>,
    /// As in [`Resolution`].
    pub candidates: Vec<CandidateReport>,
}
