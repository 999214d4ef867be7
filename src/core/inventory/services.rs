//! What a swarm says of one of its networks.
//!
//! Sources: `GET /networks/{id}?verbose=true`, which any node answers that has a container there, and `GET /tasks`,
//! which managers alone do.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::core::id::ContainerId;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// Whatever was given a name on the network, on any node; in the order of their ids.
    pub endpoints: Vec<ServiceEndpoint>,
    /// The tasks that are to run, by id; nothing, if the engine is no manager.
    pub tasks: Option<BTreeMap<String, Task>>,
}

/// One endpoint, on whichever node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEndpoint {
    /// The endpoint's id.
    pub id: String,
    /// The container's name, or the first alias of one without.
    pub name: String,
    /// The service that it is a task of.
    pub service: Option<String>,
    /// The service's virtual address there, unless it has none (`dnsrr`).
    pub vip: Option<Ipv4Addr>,
    /// Its own address.
    pub address: Ipv4Addr,
}

impl ServiceEndpoint {
    /// The task's id, with which its container's name ends: `SERVICE.SLOT.TASK`.
    pub fn task(&self) -> Option<&str> {
        self.service.as_ref()?;
        self.name.rsplit('.').next()
    }
}

/// A task that is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Its container, once there is one.
    pub container: Option<ContainerId>,
    /// The hostname that the service gives it, as it is written there.
    pub hostname: Option<String>,
    /// The service's aliases on the network, as of when the task was made.
    pub aliases: Vec<String>,
}

impl Services {
    /// What is known of the endpoint's task.
    pub fn task(&self, endpoint: &ServiceEndpoint) -> Option<&Task> {
        self.tasks.as_ref()?.get(endpoint.task()?)
    }

    /// Whether the endpoint has its names. A task loses them when it is no more to run, two seconds before it is told.
    pub fn is_in_service(&self, endpoint: &ServiceEndpoint) -> bool {
        let managed = self.tasks.is_some() && endpoint.service.is_some();
        !managed || self.task(endpoint).is_some()
    }

    /// The endpoint with that id.
    pub fn endpoint(&self, id: &str) -> Option<&ServiceEndpoint> {
        let at = self.endpoints.binary_search_by(|e| e.id.as_str().cmp(id));
        self.endpoints.get(at.ok()?)
    }
}
