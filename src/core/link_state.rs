//! What is known of the link to the tunnel.

/// Where the link stands. The words are promised to users (`tunnel.link.state` of `status`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// There is none: the entry serves its callers itself.
    #[default]
    Down,
    /// Callers of the entry come here.
    Up,
    /// Another dockline owns the tunnel.
    Busy {
        /// Who it says it is.
        owner: String,
    },
}

impl LinkState {
    /// The word for users.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::Busy { .. } => "busy",
        }
    }

    /// Who owns the tunnel instead.
    pub fn other_owner(&self) -> Option<&str> {
        match self {
            Self::Busy { owner } => Some(owner),
            Self::Down | Self::Up => None,
        }
    }
}
