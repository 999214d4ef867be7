//! Rows `NAME TYPE EXPECTED`. Expected is `nodata`, `nxdomain`, `forward`, or what is found, then `by` and the
//! sources where they matter. Each row stands for something measured on an engine.

mod engines;
mod explanations;
mod hosts;
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

const TWO: &str = "
    net a 172.20.0.0/16
    net b 172.21.0.0/16
    net b.c 172.22.0.0/16
    run web watched a=172.20.0.2 b=172.21.0.2 b.c=172.22.0.2
    run db1 id=d1 a=172.20.0.3 alias=a:db
    run db2 id=d2 b=172.21.0.3 alias=b:db alias=b:db.a
    run both id=d3 a=172.20.0.4 b=172.21.0.4
    run only id=d4 b.c=172.22.0.3 alias=b.c:db";

#[test]
fn the_first_network_wins_in_a_scope_and_all_do_without() {
    seen_from(
        "web",
        TWO,
        "
        db            A   172.20.0.3
        db.b          A   172.21.0.3
        both          A   172.20.0.4
        both.b        A   172.21.0.4
        web           A   172.20.0.2
        only.b        A   forward
        both.c        A   forward",
    );
    merged(
        TWO,
        "
        db            A   172.20.0.3 172.21.0.3 172.22.0.3 by alias
        both          A   172.20.0.4 172.21.0.4
        both.B        A   172.21.0.4
        only          A   172.22.0.3",
    );
}

#[test]
fn dots_are_split_from_the_right_and_a_dotted_alias_comes_first() {
    // `db.a` is an alias on b, and also the name `db` on a.
    seen_from(
        "web",
        TWO,
        "
        db.a          A   172.21.0.3
        db.a.b        A   172.21.0.3
        db.b.c        A   172.22.0.3
        db2.b         A   172.21.0.3",
    );
    // Without a scope there must be a way to pick a network, whatever aliases there are.
    merged(
        TWO,
        "
        db.a          A   172.20.0.3
        db.a.b        A   172.21.0.3
        DB.B.C        A   172.22.0.3
        db.b          A   172.21.0.3",
    );
    // `x.b` on network c is read before `x` on network b.c.
    let nested = "
        net c 172.23.0.0/16
        net b.c 172.22.0.0/16
        run web watched c=172.23.0.2 b.c=172.22.0.2
        run one c=172.23.0.3 alias=c:x.b
        run two b.c=172.22.0.3 alias=b.c:x";
    seen_from("web", nested, "x.b.c A 172.23.0.3");
    merged(nested, "x.b.c A 172.23.0.3");
}

#[test]
fn networks_are_asked_by_egress_then_gateways_then_bytes() {
    let on = |networks: [&str; 2], expected: &str| {
        let [first, second] = networks;
        let inventory = format!(
            "net {first}\nnet {second}\nnet aa 172.30.0.0/16
            run web watched {f}=172.20.0.2{six} {s}=172.21.0.2 aa=172.30.0.2
            run db {f}=172.20.0.3{six} {s}=172.21.0.3",
            six = if first.contains("v6") { ",fd00::2" } else { "" },
            f = first.split(' ').next().unwrap(),
            s = second.split(' ').next().unwrap(),
        );
        let inventory = inventory
            .replacen("db ", "db id=db ", 1)
            .replace("3,fd00::2", "3,fd00::3");
        seen_from("web", &inventory, &format!("db A {expected}"));
    };
    on(["z", "y"], "172.21.0.3");
    on(["z", "y internal"], "172.20.0.3");
    on(["z v6", "y"], "172.20.0.3");
    on(["z v6 internal", "y"], "172.21.0.3");
    on(["B", "a"], "172.20.0.3");
    on(["n_", "n-"], "172.21.0.3");
    on(["n0", "nA"], "172.20.0.3");
}

#[test]
fn aaaa_without_data_ends_unknown_but_not_the_search() {
    let inventory = "
        net a 172.20.0.0/16
        net b v6 172.21.0.0/16 fd00:b::/64
        run web watched a=172.20.0.2 b=172.21.0.2,fd00:b::2
        run db id=d1 a=172.20.0.3 b=172.21.0.3,fd00:b::3
        run v4 id=d2 a=172.20.0.4
        run v6 id=d3 b=172.21.0.5,fd00:b::5";
    seen_from(
        "web",
        inventory,
        "
        db     AAAA  fd00:b::3
        db.a   AAAA  nodata
        db     A     172.21.0.3
        v4     AAAA  nodata
        v6     AAAA  fd00:b::5",
    );
    merged(
        inventory,
        "
        db     AAAA  fd00:b::3
        db.a   AAAA  nodata
        v4     AAAA  nodata
        db     A     172.20.0.3 172.21.0.3",
    );
}

#[test]
fn links_are_the_linking_containers_own_and_shadow_names() {
    let inventory = "
        net a 172.20.0.0/16
        net b 172.21.0.0/16
        run web watched a=172.20.0.2 b=172.21.0.2 link=a:db:lk link=a:DB:Mixed link=a:nosuch:real link=a:shared:all link=a:x:two link=a:db:two link=b:other:lk2
        run db id=d1 a=172.20.0.3 alias=a:shared
        run db2 id=d2 a=172.20.0.4 alias=a:shared
        run real id=d3 a=172.20.0.5 b=172.21.0.5
        run other id=d4 b=172.21.0.6
        run peer id=d5 a=172.20.0.7";
    seen_from(
        "web",
        inventory,
        "
        lk          A     172.20.0.3 by link
        lk          AAAA  nodata
        LK          A     nxdomain
        lk.a        A     172.20.0.3
        lk.b        A     forward
        Mixed       A     172.20.0.3
        mixed       A     nxdomain
        all         A     172.20.0.3 172.20.0.4
        two         A     172.20.0.3
        lk2         A     172.21.0.6
        real        A     172.21.0.5
        real.a      A     forward
        REAL        A     172.20.0.5
        db          A     172.20.0.3 by container",
    );
    seen_from(
        "peer",
        inventory,
        "
        lk          A     nxdomain
        real        A     172.20.0.5",
    );
    // Without a scope: whatever anybody calls it, unless it is a name.
    merged(
        inventory,
        "
        LK          A     172.20.0.3 by link
        lk.a        A     172.20.0.3 by link
        lk.b        A     forward
        real        A     172.20.0.5 172.21.0.5 by container",
    );
}

#[test]
fn hostnames_merge_with_names() {
    let inventory = "
        net a 172.20.0.0/16
        run web watched host=db a=172.20.0.2
        run db id=d1 a=172.20.0.3
        run twin id=d2 host=web a=172.20.0.4";
    merged(
        inventory,
        "
        db   A  172.20.0.3 172.20.0.2 by container hostname
        web  A  172.20.0.4 172.20.0.2",
    );
    // Its own hostname is in its hosts file, which comes first.
    seen_from(
        "web",
        inventory,
        "
        db   A  172.20.0.2 by hosts
        web  A  172.20.0.4 172.20.0.2",
    );
}

#[test]
fn addresses_have_names() {
    let inventory = "
        net a 172.20.0.0/16 fd00:a::/64
        net b 8.8.0.0/24
        net lan 192.168.7.0/24
        run web watched a=172.20.0.2 b=8.8.0.2
        run db id=d1 host=h a=172.20.0.3,fd00:a::3 alias=a:x
        run away id=d2 lan=192.168.7.2
        run me tunnel a=172.20.255.254";
    let both = "
        172.20.0.3        PTR  db.a by container
        fd00:a::3         PTR  db.a
        8.8.0.2           PTR  web.b
        127.0.0.1         PTR  localhost
        ::1               PTR  localhost
        8.8.8.8           PTR  forward
        2606:4700::1111   PTR  forward";
    merged(inventory, both);
    seen_from("web", inventory, both);
    // Docker sends on what it does not know. Without a scope, what is local never leaves the machine.
    let unknown = [
        "172.20.0.1",
        "172.20.9.9",
        "172.20.255.254",
        "192.168.7.2",
        "8.8.0.9",
        "10.1.1.1",
        "127.0.0.11",
        "fe80::1",
    ];
    for address in unknown {
        merged(inventory, &format!("{address} PTR nxdomain"));
        seen_from("web", inventory, &format!("{address} PTR forward"));
    }
    let map = sample::map(inventory);
    for (range, local) in [
        ("172.16.0.0/12", true),
        ("172.20.0.0/16", true),
        ("8.8.0.0/24", true),
        ("172.0.0.0/8", false),
        ("0.0.0.0/0", false),
        ("fd00::/8", true),
        ("::/4", false),
    ] {
        assert_eq!(
            is_local_range(&map, range.parse().unwrap()),
            local,
            "{range}"
        );
    }
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

#[test]
fn networks_of_one_name_are_told_apart_by_order_alone() {
    // Names of networks may repeat (engine 20.10); only ids do not. The first that has the name is the one.
    check(
        &sample::twins(),
        &Scope::Merged,
        "web.a A 172.20.0.2\nweb A 172.20.0.2 172.20.0.3",
    );
}

/// Counts the passes it is led through.
struct Counting(usize);

impl Visitor for Counting {
    fn said(&mut self, answer: Option<Answer>) -> Option<Answer> {
        answer
    }

    fn pass<'a>(
        &mut self,
        _: places::Rule,
        places: impl Iterator<Item = places::Place<'a>>,
    ) -> Option<Answer> {
        self.0 += 1;
        // As far as any visitor goes.
        places.for_each(|_| {});
        None
    }
}

#[test]
fn a_name_of_many_labels_is_read_as_often_as_there_are_networks() {
    let map = sample::map(&format!("{PLAIN}\nrun peer id=cc01 n1=172.20.0.8"));
    let known = map.find_container("peer").unwrap();
    let peer = Scope::Container(known.container.id.clone());
    for (end, passes) in [("a", 2), ("n1", 4)] {
        let name = "a.".repeat(1_000) + end;
        let mut counting = Counting(0);
        assert!(walk(&map, &peer, &name, A, &mut counting).is_none());
        assert_eq!(counting.0, passes, "{end}");
    }
}
