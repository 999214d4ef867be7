//! dockline's end of the link: owns the tunnel, and takes the callers of its entry.
//!
//! dockline makes all connections, to where SOCKS is reached as well. By one it *owns* the tunnel for as long as that lasts;
//! a few more are kept *parked* there, so that a caller is here as soon as it has come. Each caller takes a connection of its
//! own rather than a share of one: half-close, flow control and the end of one without the end of all are then the
//! kernel's work, and no library's. What is said is in [`core::wire`](crate::core::wire); who calls is settled by
//! [`core::caller`](crate::core::caller); what becomes of the caller is the gateway's business.

pub mod hello;
mod session;
mod streams;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::core::caller::Caller;
use crate::core::link_state::LinkState;
use crate::core::map::NetworkMap;
use crate::core::tunnel_state::{SocksAccess, Stage, TunnelState};
use crate::core::wire::{Message, Session};

/// Before the tunnel is asked again: it may have been started anew this moment.
const AGAIN: Duration = Duration::from_millis(100);
/// The same after it has said no: another dockline may go on for hours.
const AGAIN_IF_BUSY: Duration = Duration::from_secs(1);

/// A caller, with its connection.
pub type Arrival = (TcpStream, Caller);

/// What is to be known to keep the link.
#[derive(Clone, Debug)]
pub struct Link {
    /// Who we are, for another dockline that finds the tunnel owned.
    pub owner: String,
    /// From the tunnel's driver.
    pub tunnel: watch::Receiver<TunnelState>,
    /// From the watcher.
    pub map: watch::Receiver<Arc<NetworkMap>>,
    /// From the control API: whether callers are to come here.
    pub intercepting: watch::Receiver<bool>,
    /// From the API proxy: how many builds are under way.
    pub builds: watch::Receiver<usize>,
    /// Whether callers on internal networks may get out.
    pub internal_egress: bool,
    /// To the gateway.
    pub arrivals: mpsc::Sender<Arrival>,
    /// To whoever serves engines that fetch something for builds: callers that may be one.
    pub fetching: mpsc::Sender<Arrival>,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
enum Loss {
    #[error(
        "the tunnel is owned by another dockline ({0}); stop that one, or use another --instance"
    )]
    Busy(String),
    #[error("the link to the tunnel broke: {0}")]
    Broken(#[from] io::Error),
}

impl Link {
    /// Keeps the link until told to stop, and then leaves what has begun to its end. Reports to `state`.
    pub async fn run(self, state: watch::Sender<LinkState>, stop: CancellationToken) {
        let mut told = String::new();
        while let Some(access) = stop.run_until_cancelled(self.access()).await.flatten() {
            let loss = match self.own(&access).await {
                Ok((control, session)) => {
                    info!("link up");
                    told.clear();
                    state.send_replace(LinkState::Up);
                    self.keep(&access, control, session, &stop).await.into()
                }
                Err(loss) => loss,
            };
            let (now, pause) = match &loss {
                Loss::Busy(owner) => (
                    LinkState::Busy {
                        owner: owner.clone(),
                    },
                    AGAIN_IF_BUSY,
                ),
                Loss::Broken(_) => (LinkState::Down, AGAIN),
            };
            let was_up = *state.borrow() == LinkState::Up;
            state.send_replace(now);
            if stop.is_cancelled() {
                break;
            }
            report(&loss, was_up, &mut told);
            stop.run_until_cancelled(sleep(pause)).await;
        }
        state.send_replace(LinkState::Down);
    }

    /// Waits until the tunnel answers. Nothing if it never will.
    async fn access(&self) -> Option<SocksAccess> {
        let mut tunnel = self.tunnel.clone();
        let usable = tunnel
            .wait_for(|state| usable(state).is_some())
            .await
            .ok()?;
        usable.socks.clone()
    }

    /// Asks to own the tunnel.
    async fn own(&self, access: &SocksAccess) -> Result<(TcpStream, Session), Loss> {
        let owner = self.owner.clone();
        let wish = Message::Control { owner };
        match hello::open(access, &wish).await? {
            (control, Message::Granted { session, .. }) => Ok((control, session)),
            (_, Message::Busy { owner }) => Err(Loss::Busy(owner)),
            _ => Err(io::Error::other("the tunnel refused it").into()),
        }
    }
}

/// How the tunnel is reached, while it is up.
fn usable(state: &TunnelState) -> Option<&SocksAccess> {
    let access = state.socks.as_ref();
    access.filter(|_| state.stage == Stage::Running)
}

/// Says what is new, and not what is tried again and again.
fn report(loss: &Loss, was_up: bool, told: &mut String) {
    let reason = loss.to_string();
    match loss {
        _ if *told == reason => debug!(error = reason, "no link"),
        Loss::Broken(_) if was_up => {
            info!(
                error = reason,
                "link lost: the entry serves its callers itself"
            );
        }
        Loss::Broken(_) => debug!(error = reason, "no link"),
        Loss::Busy(_) => warn!(error = reason, "nothing is intercepted"),
    }
    *told = reason;
}
