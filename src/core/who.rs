//! How a caller is called in what people read of its requests.

use super::caller::{Caller, is_build};
use super::label;
use super::map::NetworkMap;
use super::resolve::Scope;

/// Somebody who sends requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The container's name; of somebody unknown on a network `ADDRESS@NETWORK`, but `build` for a
    /// step of a build; `host` for who is none of these.
    pub name: String,
    /// The container's id.
    pub container: Option<String>,
    /// The compose service that it belongs to.
    pub service: Option<String>,
    /// The compose project.
    pub project: Option<String>,
}

/// Names a caller.
pub fn who(map: &NetworkMap, caller: &Caller) -> Who {
    match &caller.scope {
        Scope::Container(id) => {
            let known = map.containers().get(id).map(|known| &known.container);
            let labelled = |key| known.and_then(|c| c.labels.get(key)).cloned();
            Who {
                name: known.map_or_else(|| id.short().to_owned(), |c| c.name.clone()),
                container: Some(id.as_str().to_owned()),
                service: labelled(label::COMPOSE_SERVICE),
                project: labelled(label::COMPOSE_PROJECT),
            }
        }
        scope if is_build(map, scope) => Who {
            name: "build".to_owned(),
            ..Who::default()
        },
        Scope::Network(id) => {
            let view = map.networks().get(id);
            let network = view.map_or_else(|| id.short(), |view| &view.network().name);
            Who {
                name: format!("{}@{network}", caller.address.ip()),
                ..Who::default()
            }
        }
        Scope::Merged => Who {
            name: "host".to_owned(),
            ..Who::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sample::{id, map, network_id};

    #[test]
    fn callers_are_called_by_what_people_know() {
        let map = map("
            net shop 10.1.0.0/24
            net bridge default 172.17.0.0/16
            run tunnel tunnel shop=
            run web watched shop=10.1.0.2
        ");
        let name = |scope| {
            let address = "10.1.0.9:4000".parse().unwrap();
            who(&map, &Caller { address, scope }).name
        };
        assert_eq!(name(Scope::Container(id("web"))), "web");
        assert_eq!(name(Scope::Container(id("gone"))), id("gone").short());
        assert_eq!(name(Scope::Network(network_id("shop"))), "10.1.0.9@shop");
        assert_eq!(name(Scope::Network(network_id("bridge"))), "build");
        assert_eq!(name(Scope::Merged), "host");
    }
}
