//! What the interceptor does not hear of: `core::hand_on` decides, and whoever should know is told once.

use dashmap::DashSet;
use tracing::{debug, warn};

use super::dial::Call;
use super::interceptor::Interceptor;
use crate::core::hand_on::{Exception, Interception, Shares, exception, is_at};
use crate::core::map::NetworkMap;

/// How many containers are remembered, so that each is warned of once: more than run at a time on one engine.
const REMEMBERED: usize = 4_096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Exceptions {
    interception: Interception,
    interceptors: Shares<Option<Interceptor>>,
    warned: DashSet<String>,
}

impl Exceptions {
    pub(super) fn new(
        interception: Interception,
        interceptors: Shares<Option<Interceptor>>,
    ) -> Self {
        Self {
            interception,
            interceptors,
            warned: DashSet::default(),
        }
    }

    /// Whether `call` is not to be handed on.
    pub(super) fn hold(&self, map: &NetworkMap, call: &Call) -> bool {
        let Call {
            scope,
            destination,
            plain_http,
            ..
        } = call;
        let mut interceptors = self.interceptors.iter().flatten();
        if let Some(interceptor) =
            interceptors.find(|one| one.seen_at().is_some_and(|ip| is_at(map, scope, ip)))
        {
            self.warn(
                &interceptor.address().to_string(),
                "the interceptor's own container is intercepted: what it sends goes on as it came; label it dockline.enable=false",
            );
            return true;
        }
        match exception(map, scope, destination, *plain_http, &self.interception) {
            None => return false,
            Some(Exception::Host) => debug!(%destination, "passed through"),
            Some(Exception::Unknown) => self.warn(
                "?",
                "callers that dockline does not know send TLS: it passes un-intercepted",
            ),
            Some(Exception::Distrust(id)) => {
                let known = map.containers().get(&id);
                let name = known.map_or(id.short(), |known| known.container.name.as_str());
                self.warn(
                    name,
                    "a container does not trust the CA in use: its HTTPS passes un-intercepted until it is created anew",
                );
            }
        }
        true
    }

    fn warn(&self, container: &str, what: &'static str) {
        if self.warned.len() < REMEMBERED && self.warned.insert(container.to_owned()) {
            warn!(container, "{what}");
        } else {
            debug!(container, "not handed on: {what}");
        }
    }
}
