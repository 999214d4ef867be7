//! A real interceptor, with a made-up gateway behind its door, and clients and servers in TLS.

mod broken;
mod connect;
mod har;
mod http;
mod rig;
mod rules;
mod tls;
mod trust;
