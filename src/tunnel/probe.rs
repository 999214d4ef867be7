//! Finds out whether an address really is our tunnel, and who owns it, without telling it the password.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::join;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::io::StreamReader;

use super::container::{HOME, SECRET};
use super::{Error, SOCKS_PORT};
use crate::core::adoption::Speaks;
use crate::core::tunnel_state::{PROGRAM, Secret, SocksAccess};
use crate::core::wire::{Message, Stranger};
use crate::docker::client::{Said, Spoken, TunnelFacts};
use crate::docker::{self, Client};
use crate::link::hello;

/// From start to an answer: milliseconds on a quiet machine.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How long a home address that refuses is tried before the published port is: it refuses while the program starts.
const REFUSAL_PAUSE: Duration = Duration::from_millis(10);

/// For a tunnel to answer in its own container: a program is started there, and a hung one says nothing to it.
const INSIDE_DEADLINE: Duration = Duration::from_secs(4);

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
    let here = stream.local_addr()?;
    let owner = owner_in(answer);
    Ok(Met { here, owner })
}

fn owner_in(answer: Message) -> Option<String> {
    match answer {
        Message::Granted { owner, .. } => owner,
        _ => None,
    }
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

/// What the tunnel in that container speaks, and who owns it. One that answers nobody is nobody's.
pub(super) async fn speaks(
    client: &Client,
    facts: &TunnelFacts,
) -> Result<(Speaks, Option<String>), Error> {
    let error = match meet(client, facts).await? {
        Ok(owner) => return Ok((Speaks::Ours, owner)),
        Err(error) => error,
    };
    let speaks = if is_stranger(&error) {
        Speaks::Another
    } else {
        Speaks::Nothing
    };
    Ok((speaks, None))
}

/// Who owns the tunnel in that container. One that answers nobody is nobody's.
pub(super) async fn owner_of(
    client: &Client,
    facts: &TunnelFacts,
) -> Result<Option<String>, Error> {
    Ok(meet(client, facts).await?.ok().flatten())
}

/// Who owns the tunnel in that container, by its own word. One that does not answer from here, as on another machine, may be
/// another dockline's that is nearer: it is asked in its container as well, before anybody takes it for dead.
async fn meet(client: &Client, facts: &TunnelFacts) -> Result<io::Result<Option<String>>, Error> {
    let Some(access) = access(facts) else {
        return Ok(Err(io::ErrorKind::AddrNotAvailable.into()));
    };
    let silence = match probe(&access).await {
        Ok(met) => return Ok(Ok(met.owner)),
        Err(error) if is_stranger(&error) => return Ok(Err(error)),
        Err(error) => error,
    };
    if !facts.running || facts.paused {
        return Ok(Err(silence));
    }
    match timeout(INSIDE_DEADLINE, ask_inside(client, facts, &access.secret)).await {
        Ok(Ok(said)) => Ok(said),
        Ok(Err(docker::Error::Refused { .. })) | Err(_) => Ok(Err(silence)),
        Ok(Err(source)) => Err(Error::Engine {
            action: "ask the tunnel in its container",
            source,
        }),
    }
}

async fn ask_inside(
    client: &Client,
    facts: &TunnelFacts,
    secret: &Secret,
) -> Result<io::Result<Option<String>>, docker::Error> {
    let (host, port) = (Ipv4Addr::LOCALHOST.to_string(), SOCKS_PORT.to_string());
    let words = [PROGRAM, "probe", "call", &host, &port];
    let Spoken { output, input } = client.speak(&facts.id, &words).await?;
    let output = output.filter_map(async |said| match said {
        Ok(Said::Out(bytes)) => Some(Ok(bytes)),
        Ok(Said::Err(_)) => None,
        Err(error) => Some(Err(io::Error::other(error))),
    });
    let mut line = join(StreamReader::new(Box::pin(output)), input);
    let answer = hello::greet(&mut line, secret, &Message::Probe).await;
    Ok(answer.map(owner_in))
}

fn is_stranger(error: &io::Error) -> bool {
    let stranger = error.get_ref().and_then(|e| e.downcast_ref());
    matches!(stranger, Some(Stranger::Version(_)))
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
