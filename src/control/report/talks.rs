//! Who talks to whom, in the names that people know.

use std::net::IpAddr;
use std::sync::Arc;

use super::Sources;
use super::shape::{Talk as TalkReport, Traffic};
use super::words;
use crate::core::inventory::Known;
use crate::core::map::NetworkMap;
use crate::core::resolve::{self, ADDRESSES, Scope};
use crate::core::route::{Destination, Host, narrow};
use crate::traffic::Talk;

/// Pairs that are reported, those who spoke last first: a page shows no more.
const MOST: usize = 500;

impl Sources {
    /// Who talks to whom.
    pub fn traffic(&self) -> Traffic {
        let map = Arc::clone(&self.map.borrow());
        let mut talks = self.talks.list();
        talks.sort_by_cached_key(|talk| talk.idle());
        talks.truncate(MOST);
        Traffic {
            requests: self.counts.intercepted.get(),
            talks: talks.iter().map(|talk| report(&map, talk)).collect(),
        }
    }

    /// A number that is another one whenever anything has passed.
    pub(in crate::control) fn traffic_so_far(&self) -> u64 {
        let of = |talk: &Talk| {
            let counts = [
                &talk.connections,
                &talk.requests,
                &talk.sent,
                &talk.received,
            ];
            let passed = counts.into_iter().map(crate::counts::Count::get);
            // The two are read one after the other: one that is just being opened may be counted in the second alone.
            let closed = talk.connections.get().wrapping_sub(talk.open() as u64);
            passed.fold(closed, u64::wrapping_add)
        };
        let intercepted = self.counts.intercepted.get();
        let talks = self.talks.list();
        talks
            .iter()
            .map(|talk| of(talk))
            .fold(intercepted, u64::wrapping_add)
    }
}

fn report(map: &NetworkMap, talk: &Talk) -> TalkReport {
    let (from, from_id) = match &talk.pair.from {
        Scope::Container(id) => {
            let known = map.containers().get(id);
            let name = known.map_or_else(|| id.short().to_owned(), |k| k.container.name.clone());
            (name, Some(id.to_string()))
        }
        Scope::Network(id) => (format!("somebody on {}", words::network(map, id)), None),
        Scope::Merged => ("this host".to_owned(), None),
    };
    let to = container(map, &talk.pair.from, &talk.pair.to);
    TalkReport {
        from,
        from_id,
        to: talk.pair.to.to_string(),
        to_name: to.map(|known| known.container.name.clone()),
        to_id: to.map(|known| known.container.id.to_string()),
        via: talk.pair.via.to_owned(),
        open: talk.open(),
        connections: talk.connections.get(),
        requests: talk.requests.get(),
        sent: talk.sent.get(),
        received: talk.received.get(),
        idle_seconds: talk.idle().as_secs_f64(),
    }
}

/// Who is there now, as the caller sees it.
fn container<'m>(map: &'m NetworkMap, from: &Scope, to: &Destination) -> Option<&'m Known> {
    let narrowed = narrow(map, from, to);
    let (from, to) = match &narrowed {
        Some((from, to)) => (from, to),
        None => (from, to),
    };
    let at = |address: &IpAddr| map.container_at(*address);
    match &to.host {
        Host::Address(address) => at(address),
        Host::Name(name) => ADDRESSES.iter().find_map(|wanted| {
            let found = resolve::resolve(map, from, name, *wanted);
            found.addresses.iter().find_map(at)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sample::{self, id};

    #[test]
    fn callers_and_called_have_the_names_of_containers_as_the_caller_sees_them() {
        let map = sample::map(
            "
            net blog 172.20.0.0/16
            net shop 172.21.0.0/16
            run web watched shop=172.21.0.2
            run post watched blog=172.20.0.2
            run api1 watched blog=172.20.0.3 alias=blog:api
            run api2 watched shop=172.21.0.3 alias=shop:api",
        );
        let of = |name: &str| Scope::Container(id(name));
        let host = "this host";
        for (from, to, words) in [
            (of("web"), "api", ["web", "api:80", "api2"]),
            (of("post"), "api", ["post", "api:80", "api1"]),
            (of("web"), "172.21.0.3", ["web", "172.21.0.3:80", "api2"]),
            (Scope::Merged, "api.blog", [host, "api.blog:80", "api1"]),
            (Scope::Merged, "example.com", [host, "example.com:80", ""]),
            (
                of("gone"),
                "10.9.9.9",
                [id("gone").short(), "10.9.9.9:80", ""],
            ),
        ] {
            let traffic = crate::traffic::Traffic::default();
            let host = Host::from(to);
            let talk = traffic.between(&from, &Destination { host, port: 80 }, "tunnel");
            let said = report(&map, &talk);
            let name = said.to_name.unwrap_or_default();
            assert_eq!([said.from.as_str(), &said.to, &name], words);
            assert_eq!(said.from_id.is_some(), from != Scope::Merged, "{to}");
            assert_eq!(said.to_id.is_some(), !name.is_empty(), "{to}");
        }
    }
}
