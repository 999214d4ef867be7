//! What can go wrong.

use crate::core::recreate::dependants::Dependant;
use crate::core::recreate::{Obstacle, Unrestorable};
use crate::docker;

/// Why a container was not made anew.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("the engine has no container {0}")]
    NoContainer(String),
    /// It is not one that can be.
    #[error("container {0}: {1}")]
    Obstacle(String, #[source] Obstacle),
    /// Others would be left behind.
    #[error(
        "container {name} is used by {}; they would lose it: remove them first, and create them again after it",
        list(users)
    )]
    Used {
        /// Whom they use.
        name: String,
        /// Who does.
        users: Vec<Dependant>,
    },
    /// Nobody knows what it was.
    #[error("container {0}: {1}")]
    Unrestorable(String, #[source] Unrestorable),
    /// The one in its place did not do.
    #[error("in its place {0}; the one before is back")]
    Unproved(String),
    /// Somebody had enough of it.
    #[error("interrupted; the one before is back")]
    Interrupted,
    /// What went wrong could not be taken back.
    #[error(
        "{why}. But that failed as well; `dockline clean`, and a service that is started, try it again"
    )]
    NotBack {
        /// What went wrong first.
        why: String,
        /// What then did.
        #[source]
        source: Box<Error>,
    },
    /// The engine said no.
    #[error("{0}")]
    Engine(&'static str, #[source] docker::Error),
}

fn list(users: &[Dependant]) -> String {
    let users = users.iter().map(ToString::to_string);
    users.collect::<Vec<_>>().join(", ")
}

/// Says what was asked, beside what the engine answered.
pub(super) trait Asked<T> {
    fn asked(self, action: &'static str) -> Result<T, Error>;
}

impl<T> Asked<T> for Result<T, docker::Error> {
    fn asked(self, action: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Engine(action, source))
    }
}
