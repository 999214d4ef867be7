//! What a swarm says, written as text.
//!
//! `task SERVICE.SLOT.ID NET=ADDRESS` is a task of that service, `task NAME NET=ADDRESS` a container that is none. Words:
//! `vip=ADDRESS`, `alias=NAME` of the service, `id=HEX` and `host=NAME` of the container, `leaving` (it is to run no more).

use super::{endpoint_id, id_of, network_id};
use crate::core::inventory::{Inventory, ServiceEndpoint, Services, Task};

/// What a manager says: with the tasks that are to run.
pub(super) fn by_manager<'a>(
    inventory: &mut Inventory,
    name: &str,
    words: impl Iterator<Item = &'a str> + Clone,
) {
    let network = words.clone().find_map(|word| word.split_once('='));
    let network = network_id(network.unwrap().0);
    let task = add(inventory, name, words);
    let mut services = (**inventory.services(&network).unwrap()).clone();
    let tasks = services.tasks.get_or_insert_default();
    let id = name.rsplit('.').next().unwrap().to_owned();
    tasks.extend(task.map(|task| (id, task)));
    inventory.put_services(&network, services);
}

/// Adds the endpoint, and answers its task, if that is to run.
pub(super) fn add<'a>(
    inventory: &mut Inventory,
    name: &str,
    mut words: impl Iterator<Item = &'a str>,
) -> Option<Task> {
    let (network, address) = words.next()?.split_once('=')?;
    let id = network_id(network);
    let told = inventory.services(&id);
    let mut services = told.map_or_else(Services::default, |told| (**told).clone());
    let service = name.rsplitn(3, '.').nth(2).map(str::to_owned);
    let (mut vip, mut stays) = (None, service.is_some());
    let mut task = Task::default();
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("vip", address) => vip = Some(address.parse().ok()?),
            ("alias", alias) => task.aliases.push(alias.to_owned()),
            ("id", hex) => task.container = Some(id_of(hex)),
            ("host", name) => task.hostname = Some(name.to_owned()),
            ("leaving", _) => stays = false,
            _ => panic!("{word}"),
        }
    }
    services.endpoints.push(ServiceEndpoint {
        id: endpoint_id(name, network),
        name: name.to_owned(),
        service,
        vip,
        address: address.parse().ok()?,
    });
    services.endpoints.sort_by(|a, b| a.id.cmp(&b.id));
    inventory.put_services(&id, services);
    stays.then_some(task)
}
