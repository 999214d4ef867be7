//! What can go wrong with an engine, by what the caller can do about it.

use std::time::Duration;

/// Why an engine did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing answers there: wait and try again.
    #[error("no engine answers at {endpoint}: {reason}")]
    Unreachable {
        /// Where it was looked for.
        endpoint: String,
        /// The system's words. What the layers between add, each repeating the next, helps nobody.
        reason: String,
    },
    /// The certificates for a TLS endpoint cannot be used.
    #[error("use the certificates for {endpoint}")]
    Certificates {
        /// The endpoint.
        endpoint: String,
        /// What is wrong with them.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine understood and said no.
    #[error("engine says {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// No answer within the deadline.
    #[error("no answer from the engine within {0:?}")]
    Timeout(Duration),
    /// The event stream says nothing of what happens.
    #[error("the engine's event stream has gone silent")]
    Stalled,
    /// An answer that is not what the API documents.
    #[error("understand the engine's answer")]
    Unexpected(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Whether the engine said that the thing does not exist.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// The HTTP status, if the engine gave one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreachable { .. }
            | Self::Certificates { .. }
            | Self::Timeout(_)
            | Self::Stalled
            | Self::Unexpected(_) => None,
        }
    }

    /// Whether an address that was asked for is in use.
    pub fn is_address_taken(&self) -> bool {
        self.says("already in use")
    }

    /// Whether the network's range is the engine's own, where no address can be asked for.
    pub fn is_address_not_allowed(&self) -> bool {
        self.says("user configured subnets") || self.says("user specified IP address")
    }

    /// Whether the container is on that network already.
    pub fn is_already_connected(&self) -> bool {
        self.says("already exists in network") || self.says("already attached")
    }

    /// Whether the container is not on that network.
    pub fn is_not_connected(&self) -> bool {
        self.is_not_found() || self.says("is not connected")
    }

    /// Whether only managers of a swarm can say that, and the engine is none.
    pub fn is_no_manager(&self) -> bool {
        self.says("not a swarm manager")
    }

    /// The engine has no codes for these; its words have been the same since 1.10.
    fn says(&self, words: &str) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains(words))
    }

    pub(super) fn from_bollard(error: bollard::errors::Error, endpoint: &str) -> Self {
        use bollard::errors::Error as B;
        match error {
            B::DockerResponseServerError {
                status_code,
                message,
            } => Self::Refused {
                status: status_code,
                message,
            },
            B::DockerStreamError { error } => Self::Refused {
                status: 500,
                message: error,
            },
            B::RequestTimeoutError => Self::Timeout(super::client::TRANSPORT_DEADLINE),
            error @ (B::JsonDataError { .. }
            | B::JsonSerdeError { .. }
            | B::APIVersionParseError {}) => Self::Unexpected(Box::new(error)),
            error @ (B::NoHomePathError
            | B::CertPathError { .. }
            | B::CertMultipleKeys { .. }
            | B::CertParseError { .. }
            | B::NoNativeCertsError { .. }
            | B::LoadNativeCertsErrors { .. }) => Self::Certificates {
                endpoint: endpoint.to_owned(),
                source: Box::new(error),
            },
            other => Self::Unreachable {
                endpoint: endpoint.to_owned(),
                reason: root_cause(&other),
            },
        }
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
