//! The tunnel: the program inside the container that is joined to every network dockline needs to reach.
//!
//! Two things lead through it. *Into* networks: a SOCKS5 server, by which dockline gets any connection that a container on
//! those networks could have. *Out of* networks: the entry, an HTTP proxy for the containers there, which hands its callers
//! on to dockline, or serves them itself where dockline is away. It decides nothing about names and routes but what it has to
//! without dockline. It runs as process 1 of an image that holds nothing else, without privileges; SOCKS and the link
//! listen on its home address and loopback only, the entry on every network. In reading order:
//!
//! - [`Config`]: the environment, checked
//! - `listen`: the listeners; `serve`: accepting, within `limits`; `signal`: stopping
//! - `socks`: one connection of the home port; `held`: its answers; `auth` and `secret`: who may; `dial` and `names`: the way
//!   to the target
//! - `link`: who owns the tunnel, and the streams to it; [`wire`]: what is said on them
//! - `entry`: one caller; `plain`: the proxy without dockline
//! - `relay`: the bytes; `tcp`: how every socket is set
//! - [`probe()`]: the same program in another container, as an end of a connection that dockline looks after

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

mod auth;
mod config;
mod dial;
mod entry;
mod held;
mod limits;
mod link;
mod listen;
mod names;
mod plain;
mod probe;
mod relay;
mod secret;
mod serve;
mod signal;
mod socks;
mod tcp;
pub mod wire;

pub use config::{Config, ENTRY_PORT, SOCKS_PORT};
pub use probe::probe;
pub use secret::{NotASecret, Secret};
use signal::Order;

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

/// Runs the tunnel until SIGTERM or SIGINT, then gives what is open three seconds, or until a second signal. After SIGUSR1 it
/// takes nobody any more, and ends when the last of those it has has left.
pub async fn run(config: Config) -> Result<(), Error> {
    let mut signals = signal::Signals::catch().map_err(Error::Signals)?;
    let limits = limits::raise();
    let home = tokio::select! {
        bound = listen::bind(&config.home, config.socks_port) => bound?,
        _ = signals.next() => return Ok(()),
    };
    let entry = listen::bind_entry(config.entry_port)?;
    say(format_args!("{} ready", env!("CARGO_PKG_VERSION")));

    let names = Arc::new(names::Names::from_file("/etc/resolv.conf"));
    let link = Arc::new(link::Link::new(limits.parked, config.link_version));
    // From the first signal to both loops and to callers between two requests: dropping it is the news.
    let (going_tx, going) = watch::channel(());
    let plain = Arc::new(plain::Plain {
        going: going.clone(),
        name: config.name,
        home: config.home,
        names: Arc::clone(&names),
        link: Arc::clone(&link),
    });
    let callers = Arc::new(entry::Entry {
        link: Arc::clone(&link),
        plain,
    });
    let socks = Arc::new(socks::Socks {
        secret: config.secret,
        names,
        link: Arc::clone(&link),
    });
    let serve_client = |stream| {
        let socks = Arc::clone(&socks);
        async move { socks.serve(stream).await }
    };
    let serve_caller = |stream| {
        let callers = Arc::clone(&callers);
        async move { callers.serve(stream).await }
    };
    let (mut clients, mut callers, order) = tokio::join!(
        serve::serve(home, serve_client, limits.clients, gone(going.clone())),
        serve::serve(entry, serve_caller, limits.callers, gone(going)),
        async {
            let order = signals.next().await;
            drop(going_tx);
            order
        },
    );
    // An owner is told by its end, and would otherwise be waited for.
    link.end();
    if order == Order::Retire {
        tokio::select! {
            () = all_ended(&mut clients, &mut callers) => {}
            () = signals.stop() => {}
        }
    }
    tokio::select! {
        _ = timeout(GRACE, all_ended(&mut clients, &mut callers)) => {}
        () = signals.stop() => {}
    }
    clients.shutdown().await;
    callers.shutdown().await;
    Ok(())
}

async fn all_ended(clients: &mut JoinSet<()>, callers: &mut JoinSet<()>) {
    while clients.join_next().await.is_some() {}
    while callers.join_next().await.is_some() {}
}

/// Waits until the tunnel is told to end.
pub(crate) async fn gone(mut going: watch::Receiver<()>) {
    // Nobody ever sends: what is waited for is the sender's end.
    let _ = going.changed().await;
}

/// Writes a line to stderr, the container's log, in one piece. That nobody reads it is no reason to stop.
pub fn say(line: fmt::Arguments<'_>) {
    let line = format!("dockline-tunnel: {line}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}
