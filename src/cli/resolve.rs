//! `dockline resolve`

use clap::Args;

use super::{Failure, Global, output};
use crate::control::client;
use crate::control::report::shape::Resolution;

/// Flags of `resolve`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// The name, or an address for its name
    name: String,
    /// As this container sees it: id, name or address
    #[arg(long, value_name = "CONTAINER")]
    from: Option<String>,
    /// What to ask for: A, AAAA or PTR [default: A and AAAA, or PTR for an address]
    #[arg(long = "type", value_name = "TYPE")]
    record_type: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    let mut query = vec![("name", flags.name.as_str())];
    query.extend(flags.from.as_deref().map(|from| ("from", from)));
    query.extend(flags.record_type.as_deref().map(|t| ("type", t)));
    let answer: Resolution = client::get(&global.control_socket(), "/v1/resolve", &query).await?;
    if flags.json {
        return output::json(&answer);
    }
    if answer.status != "ok" {
        let seen = answer
            .from
            .map(|from| format!(" from {from}"))
            .unwrap_or_default();
        let what = if answer.status == "nodata" {
            "has no record of that type"
        } else {
            "is not known"
        };
        let why = answer.why.map(|why| format!(" ({why})"));
        return Err(Failure::Other(anyhow::anyhow!(
            "{} {what}{seen}{}",
            answer.name,
            why.unwrap_or_default()
        )));
    }
    let found = answer
        .addresses
        .iter()
        .map(ToString::to_string)
        .chain(answer.names);
    found.for_each(|line| output::data(&line));
    let networks = answer.networks.join(", ");
    let place = if networks.is_empty() {
        networks
    } else {
        format!(" on {networks}")
    };
    let why = answer.why.map(|why| format!(": {why}"));
    let why = why.unwrap_or(place);
    output::note(&format!("({}{why})", answer.source.join(", ")));
    answer.hint.iter().for_each(|hint| output::note(hint));
    Ok(())
}
