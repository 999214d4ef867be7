//! Several networks: which is asked first, and how a name says which is meant.

use super::*;

pub(super) const TWO: &str = "
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
fn networks_of_one_name_are_told_apart_by_order_alone() {
    // Names of networks may repeat (engine 20.10); only ids do not. The first that has the name is the one.
    check(
        &sample::twins(),
        &Scope::Merged,
        "web.a A 172.20.0.2\nweb A 172.20.0.2 172.20.0.3",
    );
}
