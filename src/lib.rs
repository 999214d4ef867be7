//! dockline gives an HTTP(S) interceptor every Docker container.
pub mod cli;
pub mod config;
pub mod control;
pub mod core;
pub mod dns;
pub mod docker;
pub mod gateway;
pub mod runtime_dir;
pub mod service;
pub mod signal;
pub mod tunnel;
