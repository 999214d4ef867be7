//! Who intercepts whom: the built-in interceptor, other programs, or nobody.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::arrivals::{Map, Split, Who};
use crate::config::{self, Config, Interception};
use crate::control::report::InterceptorSource;
use crate::core::hand_on::{self, Shares};
use crate::core::route::OwnAddresses;
use crate::core::trust::Ca;
use crate::counts::Counts;
use crate::doorway::{Doorway, Wish, doorway};
use crate::gateway::{Interceptor, Password};
use crate::interceptor::{self, AskRoots, Authority, BuiltIn, Har};
use crate::link::Arrival;

/// Callers that were told apart and have yet to be looked at. As the link has it.
const ARRIVALS: usize = 64;

/// Who they are, bound where they have to be.
#[derive(Debug)]
pub(super) struct Bound {
    who: Shares<Who>,
    cas: Shares<Option<Ca>>,
    ca_files: Shares<Option<PathBuf>>,
    own: Option<Box<Own>>,
}

/// The built-in one.
#[derive(Debug)]
struct Own {
    config: config::BuiltIn,
    authority: Authority,
    listener: BuiltIn,
    har: Option<Har>,
}

impl Own {
    async fn bind(config: &config::BuiltIn) -> anyhow::Result<Self> {
        let listener = BuiltIn::bind(config.address).await;
        let har = config.har.as_deref().map(Har::create).transpose();
        Ok(Self {
            config: config.clone(),
            har: har.context("use --har")?,
            authority: Authority::open(&config.authority)?,
            listener: listener.with_context(|| format!("listen on {}", config.address))?,
        })
    }
}

impl Bound {
    pub(super) async fn bind(config: &Config) -> anyhow::Result<Self> {
        let asked = config.interceptions();
        let built_in = asked
            .iter()
            .find_map(|(interception, _)| match *interception {
                Interception::BuiltIn(built_in) => Some(built_in),
                Interception::None | Interception::External(_) => None,
            });
        let own = match built_in {
            Some(built_in) => Some(Box::new(Own::bind(built_in).await?)),
            None => None,
        };
        let authority = own.as_ref().map(|own| own.authority.pem());
        let cas = asked.map(|(interception, given)| {
            let pem = match *interception {
                Interception::BuiltIn(_) => authority.clone(),
                Interception::None | Interception::External(_) => given.cloned(),
            };
            pem.map(Ca::new)
        });
        let ca_file = |interception: &Interception, given: &Option<PathBuf>| match interception {
            Interception::BuiltIn(_) => own.as_ref().map(|own| own.authority.path().to_owned()),
            Interception::None | Interception::External(_) => given.clone(),
        };
        let named = config.named.iter();
        let named =
            named.map(|(name, own)| (name.clone(), ca_file(&own.interception, &own.ca_file)));
        let ca_files = Shares {
            rest: ca_file(&config.interception, &config.ca_file),
            named: named.collect(),
        };
        for (interception, given) in asked.iter() {
            if let (Interception::External(interceptor), None) = (*interception, given) {
                warn!(
                    interceptor = %interceptor.address(),
                    "without --ca containers are not told to trust the interceptor: HTTPS of those that do not will fail"
                );
            }
        }
        Ok(Self {
            who: asked.map(|(interception, _)| Who::of(interception)),
            cas,
            ca_files,
            own,
        })
    }

    /// Where dockline's own listens, if it is there.
    pub(super) fn own_address(&self) -> Option<SocketAddr> {
        self.own.as_ref().map(|own| own.listener.local_addr())
    }

    /// Adds what must not be dialled to `own`; fails if an interceptor is dockline itself.
    pub(super) fn refuse_loops(&self, own: &mut OwnAddresses) -> anyhow::Result<()> {
        for interceptor in self.who.iter().filter_map(Who::external) {
            let checked = interceptor.refuse_loops(own);
            checked.context("use --interceptor")?;
        }
        let others = self.who.iter().filter_map(Who::external);
        own.extend(others.filter_map(Interceptor::socket_addr));
        Ok(())
    }

    /// The authorities that containers are to trust, and their files.
    pub(super) fn cas(&self) -> (Shares<Option<Ca>>, Shares<Option<PathBuf>>) {
        (self.cas.clone(), self.ca_files.clone())
    }

    /// For those who report it.
    pub(super) fn report(&self) -> Shares<Option<InterceptorSource>> {
        self.who.map(|who| match who {
            Who::Nobody => None,
            Who::External(interceptor) => {
                let (address, reachable) = interceptor.report();
                Some(InterceptorSource {
                    kind: "external",
                    address,
                    reachable,
                })
            }
            Who::BuiltIn => Some(InterceptorSource {
                kind: "builtin",
                address: self.own_address()?.to_string(),
                reachable: watch::channel(Some(true)).1,
            }),
        })
    }

    /// Splits up what callers and wishes go to: the gateway's share, and the interceptor's.
    pub(super) fn share(
        self,
        map: &Map,
        counts: &Arc<Counts>,
        arrivals: mpsc::Receiver<Arrival>,
        roots: AskRoots,
        password: Option<Password>,
        exceptions: hand_on::Interception,
    ) -> (Share, Option<Running>) {
        let (door, wishes) = doorway();
        let share = |arrivals| Share {
            interceptors: self.who.map(|who| who.external().cloned()),
            arrivals,
            wishes,
        };
        let Some(own) = self.own else {
            return (share(arrivals), None);
        };
        // From the split to the gateway.
        let (gateway_tx, gateway_rx) = mpsc::channel(ARRIVALS);
        let (arrivals, split) = if self.who.iter().all(|who| matches!(who, Who::BuiltIn)) {
            (arrivals, None)
        } else {
            // From the split to the built-in interceptor.
            let (own_tx, own_rx) = mpsc::channel(ARRIVALS);
            let split = Split {
                who: self.who.clone(),
                map: map.clone(),
                arrivals,
                built_in: own_tx,
                gateway: gateway_tx,
            };
            (own_rx, Some(split))
        };
        let mut running = own.running((map, counts), door, arrivals, roots, password, exceptions);
        running.split = split;
        (share(gateway_rx), Some(running))
    }
}

/// What the gateway gets.
pub(super) struct Share {
    pub(super) interceptors: Shares<Option<Interceptor>>,
    pub(super) arrivals: mpsc::Receiver<Arrival>,
    pub(super) wishes: mpsc::Receiver<Wish>,
}

/// The built-in interceptor with all that it needs.
pub(super) struct Running {
    listener: BuiltIn,
    config: interceptor::Config,
    arrivals: mpsc::Receiver<Arrival>,
    split: Option<Split>,
}

impl Own {
    fn running(
        self,
        (map, counts): (&Map, &Arc<Counts>),
        door: Doorway,
        arrivals: mpsc::Receiver<Arrival>,
        roots: AskRoots,
        password: Option<Password>,
        interception: hand_on::Interception,
    ) -> Running {
        let config = interceptor::Config {
            authority: self.authority,
            door,
            map: map.clone(),
            counts: Arc::clone(counts),
            interception,
            roots,
            password,
            lines: self.config.lines,
            har: self.har,
        };
        Running {
            listener: self.listener,
            config,
            arrivals,
            split: None,
        }
    }
}

/// Runs it, if there is one, until `stop`.
pub(super) async fn run(running: Option<Running>, stop: CancellationToken) -> std::io::Result<()> {
    let Some(running) = running else {
        stop.cancelled().await;
        return Ok(());
    };
    let Running {
        listener,
        config,
        arrivals,
        split,
    } = running;
    let splitting = async {
        if let Some(split) = split {
            stop.run_until_cancelled(split.run()).await;
        }
    };
    tokio::join!(listener.run(config, arrivals, stop.clone()), splitting).0
}
