//! A swarm's services: what is said of one network.

use bollard::query_parameters::{InspectNetworkOptions, ListTasksOptions};

use super::{Client, QUICK, found};
use crate::core::id::NetworkId;
use crate::core::inventory::{Network, Services};
use crate::docker::{Error, convert};

/// The states that a task may be meant for which is to run: of a service, and of a job.
const TO_RUN: [&str; 2] = ["running", "complete"];

impl Client {
    /// A network of a swarm, if it exists, and what the swarm says of it.
    pub async fn services(&self, id: &NetworkId) -> Result<Option<(Network, Services)>, Error> {
        let verbose = InspectNetworkOptions {
            verbose: true,
            ..Default::default()
        };
        let call = self.docker()?.inspect_network(id.as_str(), Some(verbose));
        let Some(mut inspect) = found(self.within(QUICK, call).await)? else {
            return Ok(None);
        };
        let services = inspect.services.take().unwrap_or_default();
        let Some(network) = convert::inspected_network(inspect) else {
            return Ok(None);
        };
        let wanted = TO_RUN.map(str::to_owned).to_vec();
        let options = ListTasksOptions {
            filters: Some([("desired-state".to_owned(), wanted)].into_iter().collect()),
        };
        let call = self.docker()?.list_tasks(Some(options));
        let tasks = match self.within(QUICK, call).await {
            Err(error) if error.is_no_manager() => None,
            answer => Some(answer?),
        };
        let services = convert::services(&network, services, tasks);
        Ok(Some((network, services)))
    }
}
