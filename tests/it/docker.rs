//! On real engines, with real containers and clients. Prepared and run by `cargo xtask test`.

mod commands;
mod compose;
mod dns;
mod faults;
mod gateway;
mod many;
mod map;
mod tunnel;
