//! Explanations as people read them.

use super::{resolution, route};
use crate::core::map::NetworkMap;
use crate::core::resolve::{self, RecordType, Scope};
use crate::core::route::{Destination, Host, OwnAddresses, ThisHost};
use crate::core::sample::{self, id};

const WORLD: &str = "
    net blog 172.20.0.0/16
    net shop 172.21.0.0/16
    net zeta 172.22.0.0/16
    run web watched blog=172.20.0.2 shop=172.21.0.2 extra=pin:10.9.9.9 link=shop:zulu:zulu2
    run api1 blog=172.20.0.3 alias=blog:api alias=blog:zulu2
    run api2 shop=172.21.0.3 alias=shop:api
    run api3 watched zeta=172.22.0.3 alias=zeta:api
    run zulu shop=172.21.0.4 alias=shop:pin alias=shop:api.blog
    run l1 zeta=172.22.0.4 link=zeta:l1:lk
    run l2 zeta=172.22.0.5 link=zeta:l2:lk";

fn scope(from: &str) -> Scope {
    match from {
        "" => Scope::Merged,
        name => Scope::Container(id(name)),
    }
}

fn explained(map: &NetworkMap, from: &str, name: &str) -> (String, Option<String>) {
    let scope = scope(from);
    let explanation = resolve::explain(map, &scope, name, &[RecordType::A]);
    let answer = resolve::resolve(map, &scope, name, RecordType::A);
    let report = resolution(map, name, None, answer, Some(&explanation));
    assert_eq!(report.ambiguous, report.hint.is_some(), "{name}");
    (report.why.unwrap(), report.hint)
}

#[test]
fn say_which_rule_on_which_network_and_what_lost() {
    let map = sample::map(WORLD);
    for (from, name, why) in [
        (
            "web",
            "api",
            "name api on blog (first by network order); lost: name api on shop 172.21.0.3",
        ),
        (
            "web",
            "pin",
            "hosts file of web (the hosts file comes first); lost: name pin on shop 172.21.0.4",
        ),
        (
            "web",
            "zulu2",
            "link to zulu on shop (links come before names); lost: name zulu2 on blog 172.20.0.3",
        ),
        (
            "web",
            "api.blog",
            "name api.blog on shop (a name as it stands comes before NAME.NETWORK); lost: name api on blog 172.20.0.3",
        ),
        ("web", "api1", "name api1 on blog"),
        (
            "web",
            "nosuch",
            "seen from web: nothing has that name there",
        ),
        (
            "web",
            "example.com",
            "seen from web: not a name of this engine, so the world was asked",
        ),
        (
            "",
            "api",
            "name api on blog, name api on shop, name api on zeta",
        ),
        (
            "",
            "api.blog",
            "name api on blog (NAME.NETWORK comes first); lost: name api.blog on shop 172.21.0.4",
        ),
        (
            "",
            "zulu2",
            "name zulu2 on blog (names come before links); lost: link to zulu on shop 172.21.0.4",
        ),
        ("", "localhost", "this host"),
        ("", "dockline", "known, without an address of that type"),
        (
            "",
            "api.web.scope.dockline",
            "name api on blog (first by network order); lost: name api on shop 172.21.0.3",
        ),
    ] {
        assert_eq!(explained(&map, from, name).0, why, "{name} from {from:?}");
    }
    let explanation = resolve::explain(&map, &scope("web"), "api", &[RecordType::Aaaa]);
    let answer = resolve::resolve(&map, &scope("web"), "api", RecordType::Aaaa);
    let report = resolution(&map, "api", None, answer, Some(&explanation));
    assert_eq!(
        report.why.unwrap(),
        "seen from web: known on blog, without an address of that type"
    );
}

#[test]
fn say_how_to_pick_one_of_several() {
    let map = sample::map(WORLD);
    for (name, hint) in [
        (
            "API",
            Some(
                "API is ambiguous: it means different containers on blog, shop, zeta; pick one with API.NETWORK, \
                 such as API.blog, or with --from CONTAINER",
            ),
        ),
        (
            "lk",
            Some(
                "lk is ambiguous: containers on zeta mean different ones by it; pick one with --from CONTAINER",
            ),
        ),
        ("api.blog", None),
        ("web", None),
        ("nosuch", None),
    ] {
        assert_eq!(explained(&map, "", name).1.as_deref(), hint, "{name}");
    }
    let twins = sample::twins();
    let (why, hint) = explained(&twins, "", "web.a");
    assert_eq!(
        why,
        "name web on a (id-of-a) (first by id of the networks of that name); lost: name web on a (id-of-twin) 172.20.0.3"
    );
    assert_eq!(
        hint.unwrap(),
        "2 networks are called a, and the first by id was taken; --from CONTAINER picks another"
    );
    let (_, hint) = explained(&twins, "", "web");
    assert_eq!(
        hint.unwrap(),
        "web is ambiguous: it means different containers on 2 networks called a; pick one with --from CONTAINER"
    );
}

#[test]
fn a_route_tells_it_of_names_that_the_engine_has() {
    let map = sample::map(WORLD);
    for (host, why, ambiguous) in [
        (
            "api",
            Some("name api on blog, name api on shop, name api on zeta"),
            true,
        ),
        ("api.shop", Some("name api on shop"), false),
        ("nosuch", None, false),
        ("example.com", None, false),
        ("172.20.0.3", None, false),
    ] {
        let here = ThisHost {
            own: &OwnAddresses::new(),
            has_engine: false,
            internal_egress: false,
        };
        let destination = Destination {
            host: Host::from(host),
            port: 80,
        };
        let decision = crate::core::route::route(&map, &Scope::Merged, &destination, here);
        let types = [RecordType::A, RecordType::Aaaa];
        let explanation = resolve::explain(&map, &Scope::Merged, host, &types);
        let report = route(&map, host, None, &decision, Some(&explanation));
        assert_eq!(report.why.as_deref(), why, "{host}");
        assert_eq!(report.ambiguous, ambiguous, "{host}");
        assert_eq!(report.candidates.is_empty(), why.is_none(), "{host}");
    }
}
