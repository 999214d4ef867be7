//! Integration tests: one binary, one file a shell, `docker/` on real engines.

mod docker;
mod layering;
mod support;
