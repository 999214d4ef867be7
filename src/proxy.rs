//! What dockline's two proxies, the gateway and the built-in interceptor, have in common: how connections come in and are
//! served, which headers and provisional answers pass, what a client says of itself, and how it is refused.

pub(crate) mod accept;
pub(crate) mod conversation;
pub(crate) mod credentials;
pub(crate) mod forwarding;
pub(crate) mod half_close;
pub(crate) mod headers;
mod password;
pub(crate) mod provisional;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod socket;
mod tags;

pub use password::Password;
pub use tags::Introduction;
