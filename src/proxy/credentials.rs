//! What a client says of itself: `Proxy-Authorization` and the hint header.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// User name and password, as given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: Vec<u8>,
}

/// The credentials of scheme Basic (RFC 7617) in a `Proxy-Authorization`, if there are any.
pub(crate) fn of(authorization: &[u8]) -> Option<Credentials> {
    let value = str::from_utf8(authorization).ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(token.trim()).ok()?;
    let colon = pair.iter().position(|&byte| byte == b':')?;
    Some(Credentials {
        user: String::from_utf8_lossy(&pair[..colon]).into_owned(),
        password: pair[colon + 1..].to_vec(),
    })
}

/// The client hint: the header's value, or else the user name.
pub(crate) fn hint(header: Option<&[u8]>, credentials: Option<Credentials>) -> Option<String> {
    match header {
        Some(hint) => Some(String::from_utf8_lossy(hint).into_owned()),
        None => credentials.map(|given| given.user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(authorization: &str) -> Option<(String, String)> {
        let found = of(authorization.as_bytes())?;
        let password = String::from_utf8(found.password).unwrap();
        Some((found.user, password))
    }

    #[test]
    fn basic_credentials() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(check("Basic dXNlcjpzM2NyIXQ="), pair("user", "s3cr!t"));
        assert_eq!(check("basic  dXNlcjpzM2NyIXQ= "), pair("user", "s3cr!t"));
        assert_eq!(check("Basic dXNlcjo="), pair("user", ""));
        assert_eq!(check("Basic dTphOmI="), pair("u", "a:b"));
        for none in ["", "Basic", "Basic !", "Basic dXNlcg==", "Bearer dXNlcjo="] {
            assert_eq!(check(none), None, "{none:?}");
        }
    }

    #[test]
    fn the_header_counts_more_than_the_user_name() {
        let given = || {
            Some(Credentials {
                user: "web".to_owned(),
                password: Vec::new(),
            })
        };
        assert_eq!(hint(None, None), None);
        assert_eq!(hint(None, given()).as_deref(), Some("web"));
        assert_eq!(hint(Some(b"db"), given()).as_deref(), Some("db"));
    }
}
