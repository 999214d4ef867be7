//! BuildKit's build graphs: their RUN steps become intercepted ones.
//!
//! A graph (`pb.Definition`) lists serialized operations, each of which names its inputs by the SHA-256 of their bytes. So a
//! step that is edited gets another digest, and with it all that is built upon it; what the definition says of an
//! operation (its name, the user's own lines) moves along. Messages are edited as bytes: fields that nobody here has heard
//! of stay as they came.
//!
//! What the engine would fetch itself is fetched by the tunnel's entry, where that is asked for.
//!
//! Nothing of it reaches an image: its configuration comes from the frontend, and the files are a read-only mount.

mod control;
mod definition;
mod digest;
mod exec;
mod files;
mod gateway;
mod grpc;
mod source;
mod status;
#[cfg(test)]
mod tests;
mod wire;

use std::net::IpAddr;
use std::sync::Arc;

pub use control::{ControlSolve, EngineSide};
pub use definition::{Asking, asking, rewrite};
pub use files::{ENABLING, StepFiles};
pub use gateway::{BridgeSolve, Reference, references, warning, with_ids};
pub use grpc::{frame, message};
pub use source::Fetching;
pub use status::{Retold, retold};

use super::id::Instance;

/// Something in a graph, or in a call that carries one, that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the build graph is not understood: {0}")]
pub struct Malformed(&'static str);

/// What each RUN step gets, and what becomes of the rest of a graph.
#[derive(Clone, Debug)]
pub struct StepInjection {
    /// Whose tunnel it is.
    pub instance: Instance,
    /// Where its entry is. Steps know it by its name, so that their cache does not depend on the address.
    pub address: IpAddr,
    /// What they are to trust, if there is an authority.
    pub files: Option<Arc<StepFiles>>,
    /// Whether requests of a step to itself are intercepted as well.
    pub intercept_loopback: bool,
    /// What of its sources is fetched by the entry, if any is.
    pub fetching: Option<Fetching>,
}
