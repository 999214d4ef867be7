//! What answers are chosen from. Rows `NAME TYPE CANDIDATES`: each `RULE:NAME@NETWORK=ADDRESS,…`, `*` before those
//! that are in the answer, `?` at the end if the name is ambiguous.

use super::networks::TWO;
use crate::core::map::NetworkMap;
use crate::core::resolve::explain::listen;
use crate::core::resolve::{
    Candidate, RecordType, Scope, Source, Status, ambiguous, explain, resolve,
};
use crate::core::sample;

fn shown(map: &NetworkMap, candidate: &Candidate) -> String {
    let rule = match candidate.sources.first() {
        Some(Source::Link) => "link",
        Some(Source::Hosts) => "hosts",
        Some(Source::Host) => "host",
        Some(Source::Name(_) | Source::Forwarded) | None => "name",
    };
    let network = candidate.network.as_ref().map(|id| {
        let at = if candidate.qualified { "@=" } else { "@" };
        format!("{at}{}", map.networks()[id].network().name)
    });
    let addresses: Vec<_> = candidate
        .addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    let won = if candidate.won { "*" } else { "" };
    format!(
        "{won}{rule}:{}{}={}",
        candidate.name,
        network.unwrap_or_default(),
        addresses.join(",")
    )
}

fn check(map: &NetworkMap, scope: &Scope, rows: &str) {
    for row in rows.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (name, rest) = row.split_once(' ').unwrap();
        let (wanted, expected) = rest
            .trim_start()
            .split_once(' ')
            .unwrap_or((rest.trim(), ""));
        let types: &[RecordType] = match wanted {
            "A" => &[RecordType::A],
            "AAAA" => &[RecordType::Aaaa],
            "both" => &[RecordType::A, RecordType::Aaaa],
            other => panic!("{other}: {row}"),
        };
        let explanation = explain(map, scope, name, types);
        let mut words: Vec<_> = explanation
            .candidates
            .iter()
            .map(|c| shown(map, c))
            .collect();
        words.extend(explanation.ambiguous.then(|| "?".to_owned()));
        assert_eq!(words.join(" "), expected.trim(), "{scope:?}: {row}");
        for &wanted in types {
            let (answer, _) = listen(map, scope, name, wanted);
            assert_eq!(answer, resolve(map, scope, name, wanted), "{row}");
        }
    }
}

fn merged(inventory: &str, rows: &str) {
    check(&sample::map(inventory), &Scope::Merged, rows);
}

fn seen_from(container: &str, inventory: &str, rows: &str) {
    let map = sample::map(inventory);
    let id = map.find_container(container).unwrap().container.id.clone();
    check(&map, &Scope::Container(id), rows);
}

#[test]
fn the_first_network_wins_and_the_others_lose() {
    seen_from(
        "web",
        TWO,
        "
        db      A     *name:db@a=172.20.0.3 name:db@b=172.21.0.3 name:db@b.c=172.22.0.3
        db      AAAA  name:db@a= name:db@b= name:db@b.c=
        db.b    A     *name:db@=b=172.21.0.3
        db.a    A     *name:db.a@b=172.21.0.3 name:db@=a=172.20.0.3
        nosuch  A
        x.test  A",
    );
    merged(
        TWO,
        "
        db      A     *name:db@a=172.20.0.3 *name:db@b=172.21.0.3 *name:db@b.c=172.22.0.3 ?
        both    A     *name:both@a=172.20.0.4 *name:both@b=172.21.0.4
        db.b    A     *name:db@=b=172.21.0.3
        db.a    A     *name:db@=a=172.20.0.3 name:db.a@b=172.21.0.3
        localhost  both  *host:=127.0.0.1,::1
        db.web.scope.dockline  A  *name:db@a=172.20.0.3 name:db@b=172.21.0.3 name:db@b.c=172.22.0.3",
    );
}

#[test]
fn files_and_links_come_before_names() {
    let inventory = "
        net a v6 172.20.0.0/16 fd00:a::/64
        net b 172.21.0.0/16
        run web watched a=172.20.0.2,fd00:a::2 b=172.21.0.2 extra=db:10.9.9.9 link=b:other:real
        run db id=d1 a=172.20.0.3,fd00:a::3
        run real id=d2 a=172.20.0.4,fd00:a::4 b=172.21.0.4
        run other id=d3 b=172.21.0.5";
    seen_from(
        "web",
        inventory,
        "
        db    A     *hosts:=10.9.9.9 name:db@a=172.20.0.3
        db    AAAA  *name:db@a=fd00:a::3
        db    both  *hosts:=10.9.9.9 *name:db@a=172.20.0.3,fd00:a::3
        real  A     *link:other@b=172.21.0.5 name:real@a=172.20.0.4",
    );
    merged(
        inventory,
        "
        real  A     *name:real@a=172.20.0.4 *name:real@b=172.21.0.4 link:other@b=172.21.0.5
        lk    A",
    );
}

#[test]
fn ambiguous_is_what_networks_differ_about() {
    let inventory = "
        net a 172.20.0.0/16
        net b 172.21.0.0/16
        net c 172.22.0.0/16
        net far 172.23.0.0/16
        run web watched id=c1 a=172.20.0.2 b=172.21.0.2 c=172.22.0.2
        run two1 id=d1 a=172.20.0.3 alias=a:shared alias=a:same alias=a:part
        run two2 id=d2 a=172.20.0.4 alias=a:shared alias=a:part
        run one id=d3 b=172.21.0.3 alias=b:part alias=b:db label=com.docker.compose.project=p label=com.docker.compose.service=db
        run replica id=d4 a=172.20.0.5 alias=a:db label=com.docker.compose.project=p label=com.docker.compose.service=db
        run same1 id=d5 a=172.20.0.6 c=172.22.0.6 alias=a:srv alias=c:srv
        run same2 id=d6 a=172.20.0.7 c=172.22.0.7 alias=a:srv alias=c:srv
        run half id=d7 a=172.20.0.8 b=172.21.0.8 alias=a:some alias=b:some
        run more id=d8 b=172.21.0.9 alias=b:some
        run away id=d9 far=172.23.0.2 alias=far:shared
        run l1 id=e1 a=172.20.0.20 link=a:two1:lk link=a:two1:ok
        run l2 id=e2 a=172.20.0.21 link=a:two2:lk";
    let map = sample::map(inventory);
    let found = ambiguous(&map).into_iter().map(|found| {
        let names = found
            .networks
            .iter()
            .map(|id| map.networks()[id].network().name.as_str());
        format!("{}:{}", found.name, names.collect::<Vec<_>>().join(","))
    });
    assert_eq!(found.collect::<Vec<_>>(), ["part:a,b", "some:a,b"]);
    for (name, expected) in [
        // Several on one network: Docker's own answer.
        ("shared", false),
        ("part", true),
        // Who is on one sees more than who is on the other.
        ("some", true),
        // One service, one container on several networks, and all of several replicas.
        ("db", false),
        ("web", false),
        ("srv", false),
        // Two containers on one network call different ones so.
        ("lk", true),
        ("ok", false),
        ("part.a", false),
        ("nosuch", false),
    ] {
        let types = [RecordType::A, RecordType::Aaaa];
        let explanation = explain(&map, &Scope::Merged, name, &types);
        assert_eq!(explanation.ambiguous, expected, "{name}");
        let scope = Scope::Container(map.find_container("web").unwrap().container.id.clone());
        assert!(!explain(&map, &scope, name, &types).ambiguous, "{name}");
    }
}

#[test]
fn of_two_networks_of_one_name_one_is_picked_and_the_other_lost() {
    let map = sample::twins();
    check(
        &map,
        &Scope::Merged,
        "web.a A *name:web@=a=172.20.0.2 name:web@=a=172.20.0.3 ?",
    );
    let answer = resolve(&map, &Scope::Merged, "web.a", RecordType::A);
    assert_eq!((answer.status, answer.networks.len()), (Status::Found, 1));
}
