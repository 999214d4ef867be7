//! What containers' origins are verified with: read once a container, and the same for all that trust the same.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;
use rustls_pki_types::CertificateDer;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;
use tracing::{debug, warn};

use super::{Verifier, config, store};
use crate::core::id::ContainerId;
use crate::core::trust::Roots;

/// How many containers are remembered: after more of them all are read again.
const REMEMBERED: usize = 1_024;
/// How long what could not be read is not tried again: somebody waits for it each time.
const AGAIN: Duration = Duration::from_secs(10);
/// After that long an unknown issuer is reason to read again: the container may have learnt of it since.
const DOUBT: Duration = Duration::from_secs(2);

type Answer = Pin<Box<dyn Future<Output = Result<Roots, String>> + Send>>;

/// Asks whom a container trusts; whoever answers keeps a deadline.
#[derive(Clone)]
pub struct AskRoots(Arc<dyn Fn(ContainerId) -> Answer + Send + Sync>);

impl AskRoots {
    /// Lets `ask` do it; instead of an answer it gives a reason, for people.
    pub fn new(ask: impl Fn(ContainerId) -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl fmt::Debug for AskRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskRoots")
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Callers {
    machine: Arc<ClientConfig>,
    ask: AskRoots,
    known: DashMap<ContainerId, Arc<OnceCell<Known>>>,
    /// By the hash of the roots: hundreds of kilobytes each.
    configs: DashMap<String, Weak<ClientConfig>>,
}

#[derive(Debug)]
struct Known {
    verifier: Arc<Verifier>,
    /// Whether it was read; else it is this machine's.
    is_own: bool,
    at: Instant,
}

impl Callers {
    pub(super) fn new(machine: Arc<ClientConfig>, ask: AskRoots) -> Self {
        Self {
            machine,
            ask,
            known: DashMap::new(),
            configs: DashMap::new(),
        }
    }

    /// What the origins of a container are verified with, which people call `name`.
    pub(super) async fn of(&self, container: &ContainerId, name: &str) -> Arc<Verifier> {
        self.forget(container, |known| {
            !known.is_own && known.at.elapsed() >= AGAIN
        });
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let known = Arc::clone(&self.known.entry(container.clone()).or_default());
        // Requests that come at once wait for the first of them.
        let known = known.get_or_init(|| self.read(container, name)).await;
        Arc::clone(&known.verifier)
    }

    /// An issuer was not known to `verifier`.
    pub(super) fn doubt(&self, container: &ContainerId, verifier: &Arc<Verifier>) {
        self.forget(container, |known| {
            Arc::ptr_eq(&known.verifier, verifier) && known.at.elapsed() >= DOUBT
        });
    }

    fn forget(&self, container: &ContainerId, is_old: impl Fn(&Known) -> bool) {
        self.known
            .remove_if(container, |_, known| known.get().is_some_and(is_old));
    }

    async fn read(&self, container: &ContainerId, name: &str) -> Known {
        let read = (self.ask.0)(container.clone()).await;
        let made = read.and_then(|roots| Ok((self.config(&roots)?, roots)));
        let is_own = made.is_ok();
        let verifier = match made {
            Ok((config, roots)) => {
                debug!(
                    container = name,
                    "its own authorities count for its origins"
                );
                let by = by(name, &roots);
                Verifier { config, by }
            }
            Err(reason) => {
                warn!(
                    container = name,
                    error = reason,
                    "whom it trusts cannot be read: this machine's authorities count for its origins"
                );
                Verifier {
                    config: Arc::clone(&self.machine),
                    by: format!(
                        "It was verified with this machine's certificate authorities, because those of {name} could not be read: \
                         {reason}."
                    ),
                }
            }
        };
        Known {
            verifier: Arc::new(verifier),
            is_own,
            at: Instant::now(),
        }
    }

    fn config(&self, roots: &Roots) -> Result<Arc<ClientConfig>, String> {
        let hash = roots.sha256();
        if let Some(config) = self.configs.get(&hash).and_then(|config| config.upgrade()) {
            return Ok(config);
        }
        let certificates = roots.all().map(|der| CertificateDer::from(der.to_vec()));
        let config = config(store(certificates)).map_err(|error| error.to_string())?;
        self.configs.retain(|_, config| config.strong_count() > 0);
        self.configs.insert(hash, Arc::downgrade(&config));
        Ok(config)
    }
}

fn by(name: &str, roots: &Roots) -> String {
    let whom = if roots.is_bare {
        format!("Mozilla's certificate authorities, because {name} has none of its own")
    } else {
        format!("the certificate authorities in {name}")
    };
    format!(
        "It was verified with {whom}: add its issuer to those of the image, or mount a file with it and name that by SSL_CERT_FILE."
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::advance;
    use tokio_rustls::rustls::RootCertStore;

    use super::*;
    use crate::core::sample::id;
    use crate::core::trust::Certificates;

    /// Counts how often it asks, and gets no answer at the first `failures` times.
    fn callers(failures: usize) -> (Callers, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let ask = AskRoots::new(move |_| {
            let failed = count.fetch_add(1, Ordering::Relaxed) < failures;
            Box::pin(async move {
                // Others ask meanwhile.
                tokio::task::yield_now().await;
                let roots = Roots {
                    bundle: Certificates::of_mozilla(),
                    java: Certificates::default(),
                    included: BTreeSet::new(),
                    is_bare: true,
                };
                if failed {
                    Err("the engine is away".to_owned())
                } else {
                    Ok(roots)
                }
            })
        });
        let machine = config(RootCertStore::empty()).unwrap();
        (Callers::new(machine, ask), asked)
    }

    #[tokio::test(start_paused = true)]
    async fn a_container_is_read_once_and_again_when_in_doubt() {
        let (callers, asked) = callers(0);
        let (web, api) = (id("web"), id("api"));
        let of = |container| callers.of(container, "somebody");
        let (first, second, other) = tokio::join!(of(&web), of(&web), of(&api));
        assert_eq!(asked.load(Ordering::Relaxed), 2, "once each");
        assert!(Arc::ptr_eq(&first, &second));
        assert!(
            Arc::ptr_eq(&first.config, &other.config),
            "they trust the same"
        );
        assert!(first.by.contains("Mozilla") && first.by.contains("somebody"));
        callers.doubt(&web, &first);
        of(&web).await;
        assert_eq!(asked.load(Ordering::Relaxed), 2, "it was read just now");
        advance(DOUBT).await;
        callers.doubt(&web, &first);
        let again = of(&web).await;
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        advance(DOUBT).await;
        callers.doubt(&web, &first);
        assert!(
            Arc::ptr_eq(&again, &of(&web).await),
            "that doubt was settled"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn this_machines_count_for_a_while_where_nothing_can_be_read() {
        let (callers, asked) = callers(1);
        let web = id("web");
        for _ in 0..3 {
            let verifier = callers.of(&web, "web").await;
            assert!(Arc::ptr_eq(&verifier.config, &callers.machine));
            assert!(
                verifier
                    .by
                    .contains("could not be read: the engine is away.")
            );
        }
        assert_eq!(
            asked.load(Ordering::Relaxed),
            1,
            "nobody waits for it each time"
        );
        advance(AGAIN).await;
        let verifier = callers.of(&web, "web").await;
        assert!(!Arc::ptr_eq(&verifier.config, &callers.machine));
    }
}
