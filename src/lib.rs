//! dockline gives an HTTP(S) interceptor every Docker container.
pub mod core;
