//! Sends requests of dockline's own all the way round, from a container to a container, and tells what was seen of them.
//!
//! Both ends are here: what containers say and hear passes by the engine (`line`), so no image is needed but the tunnel's. What
//! it means is [`core::check`](crate::core::check)'s to say.

mod asked;
mod ends;
mod line;
mod stage;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::{join_all, try_join_all};
use tokio::time::{Instant, timeout};

use crate::core::check::{Hop, Round, Shown};
use crate::core::tunnel_state::ENTRY_PORT;
use crate::docker;
pub use asked::shown_by;
pub use stage::{Scene, Stage, clear, clear_leftovers};

/// For a whole request. Interceptors find out within that time that there is no way.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many connections an interceptor may make for one request: some look at certificates first.
const ANSWERS: usize = 3;

/// Why a request could not be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine did not do its part.
    #[error("{0}")]
    Engine(&'static str, #[source] docker::Error),
    /// The asked container cannot listen.
    #[error("let a container listen: {0}")]
    Listen(String),
    /// No certificate could be made for it.
    #[error("make a certificate")]
    Certificate(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How it is asked.
#[derive(Clone, Debug)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS; the certificates of the authority that containers trust, in PEM.
    Https(Vec<u8>),
}

impl Scheme {
    /// The port that is asked.
    pub fn port(&self) -> u16 {
        match self {
            Self::Http => 8080,
            Self::Https(_) => 8443,
        }
    }
}

/// What the gateway tells of a destination: its connections, and those it could not make.
pub type Told = (Vec<Hop>, Vec<(bool, String)>);

/// What the asked container's end notes.
#[derive(Debug)]
struct Notes {
    /// When the request was sent.
    begin: Instant,
    reached: OnceLock<(SocketAddr, Duration)>,
    told: Mutex<Told>,
}

impl Notes {
    fn reached(&self, by: SocketAddr) {
        // The first one counts.
        let _ = self.reached.set((by, self.begin.elapsed()));
    }

    /// Adds what was not known before.
    fn tell(&self, (hops, refused): Told) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for hop in hops {
            if !told.0.contains(&hop) {
                told.0.push(hop);
            }
        }
        told.1 = refused;
    }
}

/// Sends one request, and tells what was seen of it, and whose certificate. `look` asks dockline for its connections to a
/// destination.
pub async fn round<L>(stage: &Stage, scheme: &Scheme, look: L) -> Result<(Round, Shown), Error>
where
    L: AsyncFn(String) -> Told,
{
    let port = scheme.port();
    let acceptor = match scheme {
        Scheme::Http => None,
        Scheme::Https(_) => Some(tls::acceptor(stage.origin_name())?),
    };
    let answering = try_join_all((0..ANSWERS).map(|_| stage.answer(port))).await?;
    let destination = format!("{}:{port}", stage.origin_name());
    let started = Instant::now();
    let mut round = Round::default();
    let mut shown = Shown::None("it was not tried".to_owned());
    let mut line = stage.call(ENTRY_PORT).await?;
    let entry = match timeout(PATIENCE, line.note()).await {
        Ok(note) => connected(note),
        Err(_) => Err("no word within 20 s".to_owned()),
    };
    round.entry = Some(entry.map(|address| (address, started.elapsed())));
    if matches!(round.entry, Some(Err(_))) {
        return Ok((round, shown));
    }
    round.began = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let notes = Arc::new(Notes {
        begin: Instant::now(),
        reached: OnceLock::new(),
        told: Mutex::default(),
    });
    let seen = async || notes.tell(look(destination.clone()).await);
    let serving = join_all(
        answering
            .into_iter()
            .map(|line| ends::serve(line, acceptor.clone(), stage.token(), &notes, &seen)),
    );
    let asking = timeout(PATIENCE, ends::ask(line, scheme, stage, &destination));
    let asked = tokio::select! {
        asked = asking => asked,
        () = async { serving.await; std::future::pending().await } => return Ok((round, shown)),
    };
    let after = notes.begin.elapsed();
    // Connections for it are open for as long as its answer is held.
    match asked {
        Ok((answer, certificate, held)) => {
            seen().await;
            drop(held);
            shown = certificate;
            round.answer = answer.map(|a| (a.status, a.own, a.text, after));
        }
        Err(_) => seen().await,
    }
    round.reached = notes.reached.get().map(|(by, after)| (by.ip(), *after));
    let told = notes.told.lock().unwrap_or_else(PoisonError::into_inner);
    (round.hops, round.refused) = told.clone();
    Ok((round, shown))
}

/// `connected ADDRESS`, or why not.
fn connected(note: std::io::Result<String>) -> Result<String, String> {
    let note = note.map_err(|error| error.to_string())?;
    match note.strip_prefix("connected ") {
        Some(address) => Ok(address.to_owned()),
        None => Err(note),
    }
}
