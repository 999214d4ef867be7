//! Finds out whether an address really is our tunnel, and who owns it, without telling it the password.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::SOCKS_PORT;
use super::container::{HOME, SECRET};
use crate::core::adoption::Speaks;
use crate::core::tunnel_state::{Secret, SocksAccess};
use crate::core::wire::{Message, Stranger};
use crate::docker::client::TunnelFacts;
use crate::link::hello;

/// From start to an answer: milliseconds on a quiet machine.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How long a home address that refuses is tried before the published port is: it refuses while the program starts.
const REFUSAL_PAUSE: Duration = Duration::from_millis(10);

/// When a tunnel's container was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Before,
    Now,
}

/// A tunnel that answered.
#[derive(Debug)]
pub(super) struct Met {
    /// The address by which this host got there.
    pub(super) here: SocketAddr,
    /// Who owns it, if anybody does.
    pub(super) owner: Option<String>,
}

/// Succeeds if the tunnel with that secret answers there.
async fn probe(access: &SocksAccess) -> io::Result<Met> {
    let (stream, answer) = hello::open(access, &Message::Probe).await?;
    let owner = match answer {
        Message::Granted { owner, .. } => owner,
        _ => None,
    };
    let here = stream.local_addr()?;
    Ok(Met { here, owner })
}

/// Waits until the tunnel answers: it refuses while its program starts, and on a busy machine it may be slow. One that
/// was just made is given up sooner, because making it anew interrupts nobody.
pub(super) async fn answer(access: &SocksAccess, made: Made) -> io::Result<Met> {
    let give_up = Instant::now() + ANSWER_DEADLINE;
    loop {
        let error = match probe(access).await {
            Ok(met) => return Ok(met),
            Err(error) => error,
        };
        let again = match error.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof => true,
            io::ErrorKind::TimedOut => made == Made::Before,
            _ => false,
        };
        if !again || Instant::now() >= give_up {
            return Err(error);
        }
        sleep(REFUSAL_PAUSE).await;
    }
}

/// What the tunnel in that container speaks, and who owns it. One that does not answer is nobody's.
pub(super) async fn speaks(facts: &TunnelFacts) -> (Speaks, Option<String>) {
    let Some(access) = access(facts) else {
        return (Speaks::Nothing, None);
    };
    match probe(&access).await {
        Ok(met) => (Speaks::Ours, met.owner),
        Err(error) => {
            let stranger = error.get_ref().and_then(|e| e.downcast_ref());
            let is_other = matches!(stranger, Some(Stranger::Version(_)));
            let speaks = if is_other {
                Speaks::Another
            } else {
                Speaks::Nothing
            };
            (speaks, None)
        }
    }
}

/// Who owns the tunnel in that container. One that does not answer is nobody's.
pub(super) async fn owner_of(facts: &TunnelFacts) -> Option<String> {
    probe(&access(facts)?).await.ok()?.owner
}

/// How a tunnel is reached, by what its container says.
fn access(facts: &TunnelFacts) -> Option<SocksAccess> {
    let published = facts.published.get(&format!("{SOCKS_PORT}/tcp"));
    let address = if let Some(port) = published {
        SocketAddr::from(([127, 0, 0, 1], *port))
    } else {
        let home = facts.environment.get(HOME)?.split(',').next()?;
        SocketAddr::new(home.parse().ok()?, SOCKS_PORT)
    };
    let secret = Secret::new(facts.environment.get(SECRET)?);
    Some(SocksAccess { address, secret })
}
