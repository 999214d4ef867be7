//! What can go wrong with an engine, by what the caller can do about it.

use std::time::Duration;

/// Why an engine did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing answers there: wait and try again.
    #[error("reach the engine at {endpoint}")]
    Unreachable {
        /// Where it was looked for.
        endpoint: String,
        /// The transport's own words.
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
    /// An answer that is not what the API documents.
    #[error("understand the engine's answer")]
    Unexpected(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The endpoint is our own API proxy.
    #[error("{0} is dockline's own API proxy; name the real engine with --host or DOCKLINE_HOST")]
    OwnProxy(String),
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
            | Self::Timeout(_)
            | Self::Unexpected(_)
            | Self::OwnProxy(_) => None,
        }
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
            other => Self::Unreachable {
                endpoint: endpoint.to_owned(),
                source: Box::new(other),
            },
        }
    }
}
