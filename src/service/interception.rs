//! Who intercepts: the built-in interceptor, another program, or nobody.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config, Interception};
use crate::control::report::InterceptorSource;
use crate::core::hand_on;
use crate::core::map::NetworkMap;
use crate::core::route::OwnAddresses;
use crate::counts::Counts;
use crate::doorway::{Doorway, Wish, doorway};
use crate::gateway::{Interceptor, Password};
use crate::interceptor::{self, AskRoots, Authority, BuiltIn, Har};
use crate::link::Arrival;

type Map = watch::Receiver<Arc<NetworkMap>>;

/// Who it is, bound where it has to be.
#[derive(Debug)]
pub(super) enum Bound {
    None,
    BuiltIn(Box<Own>),
    External(Interceptor),
}

/// The built-in one.
#[derive(Debug)]
pub(super) struct Own {
    config: config::BuiltIn,
    authority: Authority,
    listener: BuiltIn,
    har: Option<Har>,
}

impl Bound {
    pub(super) async fn bind(config: &Config) -> anyhow::Result<Self> {
        Ok(match &config.interception {
            Interception::None => Self::None,
            Interception::External(interceptor) => Self::External(interceptor.clone()),
            Interception::BuiltIn(config) => {
                let listener = BuiltIn::bind(config.address).await;
                let har = config.har.as_deref().map(Har::create).transpose();
                Self::BuiltIn(Box::new(Own {
                    config: config.clone(),
                    har: har.context("use --har")?,
                    authority: Authority::open(&config.authority)?,
                    listener: listener.with_context(|| format!("listen on {}", config.address))?,
                }))
            }
        })
    }

    /// Where it listens, if that is dockline's own.
    pub(super) fn own_address(&self) -> Option<SocketAddr> {
        match self {
            Self::BuiltIn(own) => Some(own.listener.local_addr()),
            Self::None | Self::External(_) => None,
        }
    }

    /// Adds what must not be dialled to `own`; fails if the interceptor is dockline itself.
    pub(super) fn refuse_loops(&self, own: &mut OwnAddresses) -> anyhow::Result<()> {
        if let Self::External(interceptor) = self {
            let checked = interceptor.refuse_loops(own);
            checked.context("use --interceptor")?;
            own.extend(interceptor.socket_addr());
        }
        Ok(())
    }

    /// Whether it is another program.
    pub(super) fn is_external(&self) -> bool {
        matches!(self, Self::External(_))
    }

    /// The authority that containers are to trust, and its file.
    pub(super) fn ca(&self, config: &Config) -> (Option<Bytes>, Option<PathBuf>) {
        match self {
            Self::BuiltIn(own) => {
                let Own { authority, .. } = &**own;
                (Some(authority.pem()), Some(authority.path().to_owned()))
            }
            Self::None | Self::External(_) => (config.ca.clone(), config.ca_file.clone()),
        }
    }

    /// For those who report it.
    pub(super) fn report(&self) -> Option<InterceptorSource> {
        match self {
            Self::None => None,
            Self::External(interceptor) => {
                let (address, reachable) = interceptor.report();
                Some(InterceptorSource {
                    kind: "external",
                    address,
                    reachable,
                })
            }
            Self::BuiltIn(own) => Some(InterceptorSource {
                kind: "builtin",
                address: own.listener.local_addr().to_string(),
                reachable: watch::channel(Some(true)).1,
            }),
        }
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
        match self {
            Self::BuiltIn(own) => {
                // Nobody calls at the gateway.
                let (_, none) = mpsc::channel(1);
                let share = Share {
                    interceptor: None,
                    arrivals: none,
                    wishes,
                };
                (
                    share,
                    Some(own.running((map, counts), door, arrivals, roots, password, exceptions)),
                )
            }
            Self::None | Self::External(_) => {
                let share = Share {
                    interceptor: match self {
                        Self::External(interceptor) => Some(interceptor),
                        Self::None | Self::BuiltIn(_) => None,
                    },
                    arrivals,
                    wishes,
                };
                (share, None)
            }
        }
    }
}

/// What the gateway gets.
pub(super) struct Share {
    pub(super) interceptor: Option<Interceptor>,
    pub(super) arrivals: mpsc::Receiver<Arrival>,
    pub(super) wishes: mpsc::Receiver<Wish>,
}

/// The built-in interceptor with all that it needs.
pub(super) struct Running {
    listener: BuiltIn,
    config: interceptor::Config,
    arrivals: mpsc::Receiver<Arrival>,
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
    } = running;
    listener.run(config, arrivals, stop).await
}
