//! A real gateway on loopback, with a made-up map and a made-up tunnel.

mod bounds;
mod callers;
mod connect;
mod counts;
mod door;
mod forward;
mod join;
mod keep_alive;
mod out;
mod own_proxy;
mod own_servers;
mod peer;
mod rig;
mod scope;
mod socks;
mod stop;
mod upstream;
mod wire;
pub(super) mod world;
