//! What dockline's two proxies, the gateway and the built-in interceptor, have in common: which headers pass, what a client
//! says of itself, and how their sockets are set.

pub(crate) mod credentials;
pub(crate) mod headers;
mod password;
pub(crate) mod request;
pub(crate) mod socket;

pub use password::Password;
