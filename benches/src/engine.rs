//! Engines: the real one's API, a fake one, and a relay that counts what is asked of either.

pub(crate) mod count;
pub(crate) mod docker;
pub(crate) mod fake;
pub(crate) mod http;
