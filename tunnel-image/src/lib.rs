//! The tunnel: a SOCKS5 server inside the container that is joined to every network dockline needs to reach.
//!
//! It decides nothing about names and routes: dockline asks for a connection and gets it, as any container on those networks
//! would. It runs as process 1 of an image that holds nothing else, without privileges, and listens on its home address and
//! loopback only. In reading order:
//!
//! - [`Config`]: the environment, checked
//! - `listen`: the listeners; `serve`: accepting, within `limits`; `signal`: stopping
//! - `socks`: one connection; `held`: its answers; `auth` and `secret`: who may; `dial` and `names`: the way to the target
//! - `relay`: the bytes; `tcp`: how every socket is set

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

mod auth;
mod config;
mod dial;
mod held;
mod limits;
mod listen;
mod names;
mod relay;
mod secret;
mod serve;
mod signal;
mod socks;
mod tcp;

pub use config::{Config, SOCKS_PORT};
pub use secret::{NotASecret, Secret};

/// For open tunnels after the first signal; Docker kills after ten seconds.
const GRACE: Duration = Duration::from_secs(3);

/// Why the tunnel cannot run. Messages fit after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A variable of the environment is missing or unusable.
    #[error("read {variable}: {reason}")]
    Variable {
        /// Its name.
        variable: &'static str,
        /// What is wrong with it, without its value.
        reason: String,
    },
    /// A listener could not be opened.
    #[error("listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The runtime could not be started.
    #[error("start the runtime")]
    Runtime(#[source] io::Error),
    /// Signals could not be caught.
    #[error("catch signals")]
    Signals(#[source] io::Error),
}

/// Runs the tunnel until SIGTERM or SIGINT, then gives open tunnels three seconds, or until a second signal.
pub async fn run(config: Config) -> Result<(), Error> {
    let mut signals = signal::Signals::catch().map_err(Error::Signals)?;
    let capacity = limits::connections();
    let listeners = tokio::select! {
        bound = listen::bind(&config.home, config.socks_port) => bound?,
        () = signals.next() => return Ok(()),
    };
    say(format_args!("{} ready", env!("CARGO_PKG_VERSION")));

    let socks = Arc::new(socks::Socks {
        secret: config.secret,
        names: names::Names::from_file("/etc/resolv.conf"),
    });
    let mut open = serve::serve(listeners, socks, capacity, signals.next()).await;
    let all_ended = async { while open.join_next().await.is_some() {} };
    tokio::select! {
        _ = timeout(GRACE, all_ended) => {}
        () = signals.next() => {}
    }
    open.shutdown().await;
    Ok(())
}

/// Writes a line to stderr, the container's log, in one piece. That nobody reads it is no reason to stop.
pub fn say(line: fmt::Arguments<'_>) {
    let line = format!("dockline-tunnel: {line}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}
