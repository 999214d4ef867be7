//! Rows `NAME TYPE EXPECTED`. Expected is `nodata`, `nxdomain`, `forward`, or what is found, then `by` and the
//! sources where they matter. Each row stands for something measured on an engine.

mod engines;
mod explanations;
mod hosts;
mod links;
mod networks;
mod passes;
mod reverse;
mod search;
mod swarm;
mod zone;

use super::*;
use crate::core::sample;

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::Aaaa;

/// A network with two containers that share an alias, and names of all kinds.
const PLAIN: &str = "
    net bridge default 172.17.0.0/16
    net n1 172.20.0.0/16
    run web  watched id=aa01 n1=172.20.0.9
    run alpha id=bb01 host=hostalpha n1=172.20.0.2 alias=n1:al1 alias=n1:shared
    run beta  id=bb02 n1=172.20.0.3 alias=n1:shared alias=n1:al.dot alias=n1:Under_Score alias=n1:UPPER
    run gamma_x.y id=bb03 host=gam.example.org n1=172.20.0.4 alias=n1:localhost alias=n1:dot. alias=n1:ünï alias=n1:it's
    stop gone id=bb04 host=gonehost";

/// What the merged view says.
fn merged(inventory: &str, rows: &str) {
    check(&sample::map(inventory), &Scope::Merged, rows);
}

/// What a container sees; it need not be there.
fn seen_from(container: &str, inventory: &str, rows: &str) {
    let map = sample::map(inventory);
    let known = map.containers().values();
    let mut named = known.filter(|k| k.container.name == container);
    let id = named.next().map(|k| k.container.id.clone());
    check(
        &map,
        &Scope::Container(id.unwrap_or_else(|| container.into())),
        rows,
    );
}

fn check(map: &NetworkMap, scope: &Scope, rows: &str) {
    for row in rows.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (name, rest) = row.split_once(' ').unwrap();
        let (wanted, expected) = rest.trim_start().split_once(' ').unwrap();
        let expected = expected.trim_start();
        let answer = match wanted {
            "A" => resolve(map, scope, name, A),
            "AAAA" => resolve(map, scope, name, AAAA),
            "MX" => resolve(map, scope, name, RecordType::Other),
            "PTR" => reverse(map, scope, name.parse().unwrap()),
            other => panic!("{other}: {row}"),
        };
        let found = answer.addresses.iter().map(ToString::to_string);
        let found: Vec<_> = found.chain(answer.names.iter().cloned()).collect();
        let shown = match answer.status {
            Status::Found => found.join(" "),
            Status::NoData => "nodata".to_owned(),
            Status::NotFound => "nxdomain".to_owned(),
            Status::Forward => "forward".to_owned(),
        };
        assert_eq!(answer.status == Status::Found, !found.is_empty(), "{row}");
        let sources: Vec<_> = answer.sources.iter().map(|s| s.as_str()).collect();
        let shown = if expected.contains(" by ") {
            format!("{shown} by {}", sources.join(" "))
        } else {
            shown
        };
        assert_eq!(shown, expected, "{scope:?}: {row}");
    }
}

#[test]
fn peers_on_a_network() {
    seen_from(
        "peer",
        &format!("{PLAIN}\nrun peer n1=172.20.0.8"),
        "
        alpha                 A     172.20.0.2 by container
        alpha.                A     172.20.0.2
        ALPHA                 A     172.20.0.2
        bb0100000000          A     172.20.0.2 by id
        bb010000000           A     nxdomain
        hostalpha             A     172.20.0.2 by hostname
        al1                   A     172.20.0.2 by alias
        shared                A     172.20.0.2 172.20.0.3 by alias
        al.dot                A     172.20.0.3
        UNDER_score           A     172.20.0.3
        upper                 A     172.20.0.3
        gamma_x.y             A     172.20.0.4
        gam.example.org       A     172.20.0.4 by hostname
        gam                   A     nxdomain
        peer                  A     172.20.0.8
        alpha.n1              A     172.20.0.2 by container
        al1.n1                A     172.20.0.2
        hostalpha.n1          A     172.20.0.2
        bb0100000000.n1       A     172.20.0.2
        gamma_x.y.n1          A     172.20.0.4
        ALPHA.n1              A     172.20.0.2
        alpha.N1              A     forward
        alpha.id-of-n1        A     forward
        alpha.n1.n1           A     forward
        alpha.example.com     A     forward
        dot                   A     nxdomain
        dot.                  A     nxdomain
        ünï                   A     nxdomain
        it's                  A     nxdomain
        gone                  A     nxdomain
        gonehost              A     nxdomain
        localhost             A     127.0.0.1 by hosts
        localhost             AAAA  ::1
        LocalHost             A     127.0.0.1
        alpha                 AAAA  nodata
        nosuch                AAAA  nxdomain
        alpha                 MX    nodata
        nosuch                MX    nxdomain
        example.com           MX    forward",
    );
}

#[test]
fn merged_has_every_name_of_watched_networks() {
    merged(
        &format!("{PLAIN}\nnet n2 172.21.0.0/16\nrun other n2=172.21.0.2"),
        "
        alpha                 A     172.20.0.2 by container
        ALPHA.N1.             A     172.20.0.2 by container
        bb0100000000          A     172.20.0.2 by id
        shared                A     172.20.0.2 172.20.0.3 by alias
        shared.n1             A     172.20.0.2 172.20.0.3
        gam.example.org.n1    A     172.20.0.4 by hostname
        web                   A     172.20.0.9
        web                   AAAA  nodata
        web                   MX    nodata
        other                 A     nxdomain
        other.n2              A     forward
        gone                  A     nxdomain
        example.com           A     forward
        localhost             A     127.0.0.1 by host
        localhost             AAAA  ::1
        localhost             MX    nodata
        app.LOCALHOST.        A     127.0.0.1",
    );
}

#[test]
fn names_of_the_machine() {
    let inventory = "
        net bridge default 172.17.0.0/16
        net a 172.20.0.0/16
        run web watched a=172.20.0.2
        run fake id=d1 a=172.20.0.3 alias=a:gateway.docker.internal";
    merged(
        inventory,
        "
        host.docker.internal       A     127.0.0.1 by host
        HOST.docker.internal.      A     127.0.0.1
        host.docker.internal       AAAA  nodata
        host.containers.internal   A     127.0.0.1
        gateway.docker.internal    A     172.20.0.3
        x.docker.internal          A     forward",
    );
    seen_from(
        "web",
        inventory,
        "
        host.docker.internal       A     forward
        host.docker.internal       AAAA  forward
        gateway.docker.internal    A     172.20.0.3",
    );
}
