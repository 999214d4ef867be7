//! Engines: the real one's API, a fake one, a relay that counts what is asked of either, and one that can be cut.

pub(crate) mod count;
pub(crate) mod docker;
pub(crate) mod fake;
pub(crate) mod front;
pub(crate) mod http;
