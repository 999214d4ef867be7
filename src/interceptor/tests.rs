//! A real interceptor, with a made-up gateway behind its door, and clients and servers in TLS.

mod http;
mod rig;
mod tls;
mod trust;
