//! `dockline route`

use clap::Args;

use super::{Failure, Global, output};
use crate::control::client;
use crate::control::report::shape::RouteReport;

/// Flags of `route`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// The destination; port 80 if none is given
    #[arg(value_name = "HOST[:PORT]")]
    destination: String,
    /// As this container would be led: id, name or address
    #[arg(long, value_name = "CONTAINER")]
    from: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Splits `HOST`, `HOST:PORT`, `[V6]`, `[V6]:PORT` and a bare IPv6 address.
fn split(destination: &str) -> Result<(&str, Option<&str>), Failure> {
    let bare = destination.parse::<std::net::Ipv6Addr>().is_ok() || destination.ends_with(']');
    let (host, port) = match destination.rsplit_once(':') {
        Some((host, port)) if !bare => (host, Some(port)),
        _ => (destination, None),
    };
    if host.is_empty() || port.is_some_and(|p| p.parse::<u16>().is_err()) {
        let error = anyhow::anyhow!("{destination:?} is not HOST or HOST:PORT");
        return Err(Failure::Usage(error));
    }
    Ok((host, port))
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    let (host, port) = split(&flags.destination)?;
    let mut query = vec![("host", host)];
    query.extend(port.map(|port| ("port", port)));
    query.extend(flags.from.as_deref().map(|from| ("from", from)));
    let route: RouteReport = client::get(&global.control_socket(), "/v1/route", &query).await?;
    if flags.json {
        return output::json(&route);
    }
    let to = route
        .address
        .map(|a| format!(" to {a}"))
        .unwrap_or_default();
    let on = route
        .network
        .map(|n| format!(" on {n}"))
        .unwrap_or_default();
    output::data(&format!("{}{to}{on}", route.via));
    let why = route.why.map(|why| format!("; {why}"));
    output::note(&format!("({}{})", route.reason, why.unwrap_or_default()));
    route.hint.iter().for_each(|hint| output::note(hint));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        for (text, host, port) in [
            ("api", "api", None),
            ("api:80", "api", Some("80")),
            ("::1", "::1", None),
            ("[::1]", "[::1]", None),
            ("[::1]:80", "[::1]", Some("80")),
        ] {
            assert_eq!(split(text).unwrap(), (host, port), "{text}");
        }
        for text in ["", ":80", "api:http", "api:70000"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
