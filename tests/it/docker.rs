//! On real engines, with real containers and clients. Prepared and run by `cargo xtask test`.

mod api;
mod attach;
#[cfg(target_os = "linux")]
mod build;
mod built_in;
mod check;
mod commands;
mod compose;
#[cfg(target_os = "linux")]
mod conform;
mod dns;
mod doctor;
#[cfg(target_os = "linux")]
mod entry;
mod faults;
mod gateway;
mod many;
mod map;
#[cfg(target_os = "linux")]
mod own_dns;
mod scope;
#[cfg(target_os = "linux")]
mod sidecar;
mod trust;
mod tunnel;
mod twins;
