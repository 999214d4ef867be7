//! Connections into networks, by the tunnel: waits until it is there, then tries one address after the other.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tracing::trace;

use super::socks_client::{self, Login};
use super::within;
use crate::core::id::NetworkId;
use crate::core::map::NetworkMap;
use crate::core::route::Target;
use crate::core::tunnel_state::{SocksAccess, Stage, TunnelState};
use crate::counts::Outcome;
use crate::gateway::View;
use crate::gateway::deadlines::Deadlines;
use crate::gateway::error::{Error, Kind};
use crate::proxy::socket;

/// The tunnel takes any user name.
const USER: &str = "dockline";

/// Connects to the first of `targets` that answers. One on a network that the tunnel has yet to join is waited for only
/// while there is no other.
pub(in crate::gateway) async fn connect(
    view: &View,
    targets: &[Target],
    deadlines: &Deadlines,
) -> Result<(TcpStream, Target), Error> {
    let connected = try_all(view, targets, deadlines).await;
    let outcome = connected.as_ref().map_or_else(outcome, |_| Outcome::Ok);
    view.counts.tunnel.wanted(outcome);
    connected
}

fn outcome(error: &Error) -> Outcome {
    match error.kind {
        Kind::Refused => Outcome::Refused,
        Kind::TimedOut => Outcome::TimedOut,
        Kind::TunnelDown => Outcome::TunnelDown,
        Kind::NotFound
        | Kind::Forbidden
        | Kind::Loop
        | Kind::NetworkUnreachable
        | Kind::HostUnreachable
        | Kind::Broken => Outcome::Unreachable,
    }
}

async fn try_all(
    view: &View,
    targets: &[Target],
    deadlines: &Deadlines,
) -> Result<(TcpStream, Target), Error> {
    let mut left = targets.to_vec();
    let mut first_failure = None;
    let mut patience = deadlines.join;
    let mut until = None;
    while !left.is_empty() {
        let (index, access) = match await_ready(view, &left, patience, deadlines.failed).await {
            Ok(ready) => ready,
            Err(blocked) => return Err(first_failure.unwrap_or(blocked)),
        };
        let until = *until.get_or_insert_with(|| Instant::now() + deadlines.connect);
        let share = until.saturating_duration_since(Instant::now())
            / u32::try_from(left.len()).unwrap_or(u32::MAX);
        let target = left.remove(index);
        match try_target(&access, &target, share).await {
            Ok(stream) => return Ok((stream, target)),
            Err(error) => {
                trace!(address = %target.address, reason = error.reason, "no answer there");
                first_failure.get_or_insert(error);
            }
        }
        patience = Duration::ZERO;
    }
    Err(first_failure.unwrap_or_else(|| Error::new(Kind::NotFound, "there is no address")))
}

async fn try_target(
    access: &SocksAccess,
    target: &Target,
    patience: Duration,
) -> Result<TcpStream, Error> {
    let dial = async {
        let mut stream = TcpStream::connect(access.address).await.map_err(|error| {
            let reason = format!(
                "the tunnel cannot be reached at {}: {error}",
                access.address
            );
            Error::new(Kind::TunnelDown, reason)
        })?;
        let login = Login {
            user: USER,
            password: access.secret.expose(),
        };
        // Set before the first byte: the handshake should not wait for an acknowledgement either.
        let opened = match socket::tune(&stream) {
            Ok(()) => socks_client::open_at_once(&mut stream, &login, target.address).await,
            Err(error) => Err(error.into()),
        };
        match opened {
            Ok(()) => Ok(stream),
            Err(failure) => Err(explain(&failure, target)),
        }
    };
    let what = || format!("connecting to {} through the tunnel", target.address);
    within(patience, what, dial).await
}

fn explain(failure: &socks_client::Failure, target: &Target) -> Error {
    use socks_client::Failure;
    match failure {
        Failure::Refused(code) => {
            let kind = Kind::of_reply(*code);
            let address = target.address;
            let reason = match kind {
                Kind::Refused => format!("{address} refused the connection"),
                Kind::TimedOut => format!("{address} did not answer"),
                _ => format!("the tunnel found no way to {address} (SOCKS reply {code})"),
            };
            Error::new(kind, reason)
        }
        Failure::Io(_) | Failure::Login | Failure::Protocol => {
            let reason = format!("the tunnel does not work: {failure}");
            Error::new(Kind::TunnelDown, reason)
        }
    }
}

/// What stands between a client and the tunnel.
#[derive(Debug, PartialEq, Eq)]
enum Blocker {
    NotRunning {
        stage: Stage,
        problem: Option<String>,
    },
    NotJoined {
        network: String,
        /// Why the engine does not let the tunnel join.
        refused: Option<String>,
    },
}

impl From<Blocker> for Error {
    fn from(blocker: Blocker) -> Self {
        let reason = match blocker {
            Blocker::NotRunning { stage, problem } => {
                let stage = stage.as_str();
                match problem {
                    Some(problem) => format!("the tunnel is {stage}: {problem}"),
                    None => format!("the tunnel is {stage}"),
                }
            }
            Blocker::NotJoined {
                network,
                refused: None,
            } => {
                format!("the tunnel has not joined network {network} in time")
            }
            Blocker::NotJoined {
                network,
                refused: Some(words),
            } => {
                format!("the tunnel cannot join network {network}: {words}")
            }
        };
        Self::new(Kind::TunnelDown, reason)
    }
}

/// Waits until the tunnel can reach one of `targets`; answers which, and how to use the tunnel.
async fn await_ready(
    view: &View,
    targets: &[Target],
    patience: Duration,
    patience_with_failed: Duration,
) -> Result<(usize, SocksAccess), Error> {
    let mut map = view.map.clone();
    let mut tunnel = view.tunnel.clone();
    let until = Instant::now() + patience;
    let mut failed_since = None;
    loop {
        let found = look(
            &map.borrow_and_update(),
            &tunnel.borrow_and_update(),
            targets,
        );
        let blocker = match found {
            Ok(ready) => return Ok(ready),
            Err(blocker) => blocker,
        };
        let failed = matches!(
            &blocker,
            Blocker::NotRunning {
                stage: Stage::Failed,
                ..
            } | Blocker::NotJoined {
                refused: Some(_),
                ..
            }
        );
        failed_since = failed.then(|| failed_since.unwrap_or_else(Instant::now));
        let until = failed_since.map_or(until, |since| until.min(since + patience_with_failed));
        tokio::select! {
            // A sender that is gone has nothing more to tell: then only time passes.
            Ok(()) = map.changed() => {}
            Ok(()) = tunnel.changed() => {}
            () = sleep_until(until) => return Err(blocker.into()),
        }
    }
}

/// The first target that can be reached now.
fn look(
    map: &NetworkMap,
    tunnel: &TunnelState,
    targets: &[Target],
) -> Result<(usize, SocksAccess), Blocker> {
    let access = tunnel
        .socks
        .as_ref()
        .filter(|_| tunnel.stage == Stage::Running);
    let Some(access) = access else {
        return Err(Blocker::NotRunning {
            stage: tunnel.stage,
            problem: tunnel.problem.clone(),
        });
    };
    let joined = |target: &Target| map.joined().any(|network| *network == target.network);
    if let Some(index) = targets.iter().position(joined) {
        return Ok((index, access.clone()));
    }
    let network = targets.first().map(|t| name_of(map, &t.network));
    let words = |t: &Target| tunnel.refused.get(&t.network).cloned();
    let hopeless = targets
        .iter()
        .all(|t| tunnel.refused.contains_key(&t.network));
    Err(Blocker::NotJoined {
        network: network.unwrap_or_default(),
        refused: targets.iter().find_map(words).filter(|_| hopeless),
    })
}

fn name_of(map: &NetworkMap, id: &NetworkId) -> String {
    let view = map.networks().get(id);
    view.map_or_else(|| id.short().to_owned(), |v| v.network().name.clone())
}
