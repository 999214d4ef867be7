//! Integration tests: one binary, one file a shell, `docker/` on real engines.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and says why on stdout"
)]

mod docker;
mod documents;
mod faults;
mod hostile;
mod layering;
#[cfg(unix)]
mod logs;
mod metrics;
mod page;
#[cfg(unix)]
mod settings;
mod support;
#[cfg(unix)]
mod watch;
