//! What the tunnel is told by its environment, checked once.
//!
//! dockline sets these variables when it creates the container; nothing else is configurable.

use std::net::IpAddr;
use std::str::FromStr;

use crate::Error;
use crate::secret::Secret;
use crate::wire::hello::VERSION;

/// The port of SOCKS unless `DOCKLINE_SOCKS_PORT` says otherwise.
pub const SOCKS_PORT: u16 = 1080;

/// The port of the entry unless `DOCKLINE_ENTRY_PORT` says otherwise.
pub const ENTRY_PORT: u16 = 8790;

/// The settings of one tunnel.
#[derive(Debug)]
pub struct Config {
    /// `DOCKLINE_SECRET`: what clients must know.
    pub secret: Secret,
    /// `DOCKLINE_HOME`: the container's addresses on the home network, the only ones beside loopback that SOCKS listens on.
    pub home: Vec<IpAddr>,
    /// `DOCKLINE_NAME`: the tunnel's name on every network.
    pub name: String,
    /// `DOCKLINE_SOCKS_PORT`.
    pub socks_port: u16,
    /// `DOCKLINE_ENTRY_PORT`.
    pub entry_port: u16,
    /// `DOCKLINE_LINK_VERSION`: which version of the link's protocol it says that it speaks. For tests of upgrades, which find
    /// no tunnel of another version otherwise.
    pub link_version: u8,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, Error> {
        Self::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let required = |name| variable(name).ok_or_else(|| invalid(name, "must be set"));
        let secret = parse("DOCKLINE_SECRET", &required("DOCKLINE_SECRET")?)?;
        let home = required("DOCKLINE_HOME")?;
        let home = home
            .split(',')
            .map(|address| home_address(address.trim()))
            .collect::<Result<_, _>>()?;
        let port = |name, usual| match variable(name) {
            Some(port) => match parse(name, &port)? {
                0 => Err(invalid(name, "must not be 0")),
                port => Ok(port),
            },
            None => Ok(usual),
        };
        Ok(Self {
            secret,
            home,
            name: required("DOCKLINE_NAME")?,
            socks_port: port("DOCKLINE_SOCKS_PORT", SOCKS_PORT)?,
            entry_port: port("DOCKLINE_ENTRY_PORT", ENTRY_PORT)?,
            link_version: match variable("DOCKLINE_LINK_VERSION") {
                Some(version) => parse("DOCKLINE_LINK_VERSION", &version)?,
                None => VERSION,
            },
        })
    }
}

fn home_address(text: &str) -> Result<IpAddr, Error> {
    let address: IpAddr = parse("DOCKLINE_HOME", text)?;
    if address.is_unspecified() {
        let reason = "must name addresses: other networks shall not reach SOCKS";
        return Err(invalid("DOCKLINE_HOME", reason));
    }
    Ok(address)
}

/// Parses a value without repeating it in the error: it may be the secret.
fn parse<T>(variable: &'static str, value: &str) -> Result<T, Error>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    value
        .parse()
        .map_err(|error: T::Err| invalid(variable, &error.to_string()))
}

fn invalid(variable: &'static str, reason: &str) -> Error {
    Error::Variable {
        variable,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ab";

    fn check(home: Option<&str>, port: Option<&str>) -> Result<(Vec<String>, u16), String> {
        let secret = SECRET.repeat(32);
        let read = Config::read(|name| match name {
            "DOCKLINE_SECRET" => Some(secret.clone()),
            "DOCKLINE_HOME" => home.map(str::to_owned),
            "DOCKLINE_NAME" => Some("dockline-tunnel-default".to_owned()),
            "DOCKLINE_SOCKS_PORT" => port.map(str::to_owned),
            _ => None,
        });
        read.map(|config| {
            let home = config.home.iter().map(ToString::to_string).collect();
            (home, config.socks_port)
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn reads_addresses_and_port() {
        assert_eq!(
            check(Some("172.30.0.254"), None),
            Ok((vec!["172.30.0.254".to_owned()], 1080))
        );
        assert_eq!(
            check(Some("172.30.0.254, fd00::fe"), Some("1081")),
            Ok((vec!["172.30.0.254".to_owned(), "fd00::fe".to_owned()], 1081))
        );
    }

    #[test]
    fn refuses_what_it_cannot_use_and_says_which_variable() {
        let cases = [
            (None, None, "DOCKLINE_HOME: must be set"),
            (Some(""), None, "DOCKLINE_HOME: invalid IP address syntax"),
            (
                Some("::1,x"),
                None,
                "DOCKLINE_HOME: invalid IP address syntax",
            ),
            (Some("0.0.0.0"), None, "DOCKLINE_HOME: must name addresses"),
            (Some("::1"), Some("0"), "DOCKLINE_SOCKS_PORT: must not be 0"),
            (
                Some("::1"),
                Some("http"),
                "DOCKLINE_SOCKS_PORT: invalid digit",
            ),
        ];
        for (home, port, reason) in cases {
            let error = check(home, port).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn needs_its_name_and_knows_the_entrys_port() {
        let read = |missing: &str| {
            Config::read(|name| match name {
                _ if name == missing => None,
                "DOCKLINE_SECRET" => Some(SECRET.repeat(32)),
                "DOCKLINE_HOME" => Some("::1".to_owned()),
                "DOCKLINE_NAME" => Some("me".to_owned()),
                "DOCKLINE_ENTRY_PORT" => Some("81".to_owned()),
                _ => None,
            })
        };
        let config = read("").unwrap();
        assert_eq!((config.name.as_str(), config.entry_port), ("me", 81));
        assert_eq!(read("DOCKLINE_ENTRY_PORT").unwrap().entry_port, 8790);
        let error = read("DOCKLINE_NAME").unwrap_err().to_string();
        assert!(error.contains("DOCKLINE_NAME: must be set"), "{error}");
    }

    #[test]
    fn a_bad_secret_is_not_repeated() {
        let error = Config::read(|_| Some("hunter2".to_owned())).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("DOCKLINE_SECRET") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
