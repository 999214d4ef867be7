//! Why a client does not get its connection, and how each protocol says so.

use std::io;
use std::net::SocketAddr;

use fast_socks5::ReplyError;
use hyper::StatusCode;

use crate::core::route::Refusal;

/// What kind of failure it was. Everything that is said of it to clients follows from this and the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing has that name.
    NotFound,
    /// Whoever asks must not go there.
    Forbidden,
    /// It is dockline itself.
    Loop,
    /// Nobody listens there.
    Refused,
    /// There is no way to that network.
    NetworkUnreachable,
    /// Nobody answers at that address.
    HostUnreachable,
    /// It took too long.
    TimedOut,
    /// The tunnel is needed and cannot be used now.
    TunnelDown,
    /// Something else broke on the way.
    Broken,
}

impl Kind {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::NotFound
            | Self::Refused
            | Self::NetworkUnreachable
            | Self::HostUnreachable
            | Self::Broken => StatusCode::BAD_GATEWAY,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::TunnelDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// In SOCKS5 a time-out has no code of its own; "TTL expired" is what others send.
    pub(super) fn reply(self) -> ReplyError {
        match self {
            Self::TunnelDown | Self::Broken => ReplyError::GeneralFailure,
            Self::Forbidden | Self::Loop => ReplyError::ConnectionNotAllowed,
            Self::NetworkUnreachable => ReplyError::NetworkUnreachable,
            Self::NotFound | Self::HostUnreachable => ReplyError::HostUnreachable,
            Self::Refused => ReplyError::ConnectionRefused,
            Self::TimedOut => ReplyError::TtlExpired,
        }
    }

    /// What a SOCKS5 server means by its code; the opposite of [`Kind::reply`] as far as codes go.
    pub(super) fn of_reply(code: u8) -> Self {
        match code {
            0x02 => Self::Forbidden,
            0x03 => Self::NetworkUnreachable,
            0x04 => Self::HostUnreachable,
            0x05 => Self::Refused,
            0x06 => Self::TimedOut,
            _ => Self::Broken,
        }
    }
}

/// A connection that could not be had.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Error {
    pub(super) kind: Kind,
    /// For people; says which part failed.
    pub(super) reason: String,
}

impl Error {
    pub(super) fn new(kind: Kind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }

    /// Adds what there is to say of it if nobody listened.
    pub(super) fn or_refused(mut self, advice: Option<String>) -> Self {
        if let Some(advice) = advice.filter(|_| self.kind == Kind::Refused) {
            self.reason = format!("{}; {advice}", self.reason);
        }
        self
    }

    /// What the kernel said when `address` was dialled.
    pub(super) fn connecting(address: SocketAddr, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => Kind::Refused,
            io::ErrorKind::NetworkUnreachable => Kind::NetworkUnreachable,
            io::ErrorKind::HostUnreachable => Kind::HostUnreachable,
            io::ErrorKind::TimedOut => Kind::TimedOut,
            _ => Kind::Broken,
        };
        Self::new(kind, format!("connecting to {address}: {error}"))
    }
}

impl From<Refusal> for Kind {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Loop => Self::Loop,
            Refusal::NotFound => Self::NotFound,
            Refusal::NotYet => Self::TunnelDown,
            Refusal::Forbidden => Self::Forbidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_tell_failures_apart() {
        for (kind, status, reply) in [
            (Kind::NotFound, 502, 0x04),
            (Kind::Forbidden, 403, 0x02),
            (Kind::Loop, 508, 0x02),
            (Kind::Refused, 502, 0x05),
            (Kind::NetworkUnreachable, 502, 0x03),
            (Kind::HostUnreachable, 502, 0x04),
            (Kind::TimedOut, 504, 0x06),
            (Kind::TunnelDown, 503, 0x01),
            (Kind::Broken, 502, 0x01),
        ] {
            assert_eq!(kind.status().as_u16(), status, "{kind:?}");
            assert_eq!(kind.reply().as_u8(), reply, "{kind:?}");
        }
        for code in 0x01..=0x06 {
            assert_eq!(Kind::of_reply(code).reply().as_u8(), code);
        }
    }
}
