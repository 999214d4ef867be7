//! Where clients of a proxy want to go.

use hyper::http::uri::Scheme;
use hyper::{StatusCode, Uri};

use super::forwarding::{HOST_TOO_LONG, fits};
use super::refusal::Refusal;
use crate::core::route::{Destination, Host};

/// The ports of `http://` and `https://` without one.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Where a CONNECT is to go.
pub(crate) fn connect_destination(uri: &Uri) -> Result<Destination, Refusal> {
    let authority = uri.authority();
    let named = authority.and_then(|a| Some((a.host(), a.port_u16()?)));
    let (host, port) = named.ok_or_else(Refusal::no_port)?;
    destination(host, port)
}

/// Where a request for `http://` or `https://` in absolute form is to go; `no_proxys` answers any other.
pub(crate) fn absolute_destination(
    uri: &Uri,
    no_proxys: impl FnOnce() -> Refusal,
) -> Result<Destination, Refusal> {
    let (Some(scheme), Some(host)) = (uri.scheme(), uri.host()) else {
        return Err(no_proxys());
    };
    let port = if *scheme == Scheme::HTTPS {
        HTTPS_PORT
    } else {
        HTTP_PORT
    };
    destination(host, uri.port_u16().unwrap_or(port))
}

fn destination(host: &str, port: u16) -> Result<Destination, Refusal> {
    if !fits(host) {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, HOST_TOO_LONG));
    }
    let host = Host::from(host);
    Ok(Destination { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_has_a_name_of_a_length_that_names_have() {
        let longest = "a.".repeat(127) + "b";
        for (host, fits) in [
            ("web", true),
            (&longest, true),
            (&(longest.clone() + "c"), false),
        ] {
            let connect = connect_destination(&format!("{host}:443").parse().unwrap());
            let absolute = format!("http://{host}/").parse().unwrap();
            let absolute = absolute_destination(&absolute, Refusal::no_port);
            for (found, port) in [(connect, 443), (absolute, 80)] {
                match found {
                    Ok(found) => {
                        let host = Host::Name(host.to_owned());
                        assert_eq!((found, fits), (Destination { host, port }, true));
                    }
                    Err(refusal) => {
                        let told = (refusal.status, refusal.text.as_str(), fits);
                        assert_eq!(told, (StatusCode::BAD_REQUEST, HOST_TOO_LONG, false));
                    }
                }
            }
        }
        assert!(connect_destination(&"web".parse().unwrap()).is_err());
    }
}
