//! What is in a container's `/etc/hosts`, and who has no network of their own.

use super::{merged, seen_from};

#[test]
fn the_hosts_file_comes_first() {
    let inventory = "
        net bridge default 172.17.0.0/16
        net a v6 172.20.0.0/16 fd00:a::/64
        net b 172.21.0.0/16
        run web watched host=gam.example.org a=172.20.0.2,fd00:a::2 b=172.21.0.2 extra=db:10.9.9.9 extra=DB:10.9.9.10 extra=h6:2001:db8::1 extra=br:[2001:db8::2] extra=gw.test:host-gateway extra=bad extra=worse:x
        run db id=d1 a=172.20.0.3,fd00:a::3
        run peer id=d2 a=172.20.0.4";
    seen_from(
        "web",
        inventory,
        "
        db               A     10.9.9.9 10.9.9.10 by hosts
        db               AAAA  fd00:a::3 by container
        db.a             A     172.20.0.3
        h6               AAAA  2001:db8::1
        h6               A     nxdomain
        br               AAAA  2001:db8::2
        gw.test          A     172.17.0.1
        gw.test          AAAA  forward
        gam.example.org  A     172.20.0.2 172.21.0.2 by hosts
        gam.example.org  AAAA  fd00:a::2
        gam              A     172.20.0.2 172.21.0.2 by hosts
        worse            A     nxdomain
        bad              A     nxdomain",
    );
    seen_from(
        "peer",
        inventory,
        "gw.test A forward\ndb A 172.20.0.3\nh6 AAAA nxdomain",
    );
    merged(
        inventory,
        "gw.test A forward\ndb A 172.20.0.3\nh6 AAAA nxdomain",
    );
}

#[test]
fn modes_without_a_network_of_their_own() {
    let inventory = "
        net host
        net none
        net a 172.20.0.0/16
        run db id=d1 a=172.20.0.3 extra=pin:10.0.0.1
        run side watched mode=container:lender
        run lender a=172.20.0.2 extra=pin:10.0.0.2
        run onhost watched mode=host host=machine host= extra=pin:10.0.0.3
        run alone mode=none none=
        run orphan watched mode=container:dead
        stop dead
        stop late mode=container:lender";
    // Exactly the lender's view; the borrower's own name is unknown.
    seen_from(
        "side",
        inventory,
        "
        db          A    172.20.0.3
        pin         A    10.0.0.2
        lender      A    172.20.0.2
        side        A    nxdomain
        172.20.0.3  PTR  db.a",
    );
    seen_from(
        "onhost",
        inventory,
        "
        db          A    nxdomain
        pin         A    10.0.0.3
        machine     A    nxdomain
        onhost      A    nxdomain
        localhost   A    127.0.0.1
        example.com A    forward",
    );
    seen_from("alone", inventory, "alone A nxdomain\nlocalhost AAAA ::1");
    // Its lender has stopped, and what is left is the file.
    seen_from(
        "orphan",
        inventory,
        "
        db           A    nxdomain
        dead         A    nxdomain
        localhost    A    127.0.0.1
        172.20.0.3   PTR  forward",
    );
    for nobody in ["dead", "late", "nosuch"] {
        seen_from(
            nobody,
            inventory,
            "
            db           A    nxdomain
            localhost    A    nxdomain
            example.com  A    forward
            172.20.0.3   PTR  forward",
        );
    }
    // A lender's network is watched if the borrower is.
    merged(
        inventory,
        "
        db          A    172.20.0.3
        side        A    nxdomain
        onhost      A    nxdomain
        pin         A    nxdomain",
    );
}

#[test]
fn who_is_left_behind_by_its_lender_has_files_and_no_networks() {
    let inventory = "
        net a 172.20.0.0/16
        run lender started=3 a=172.20.0.2 extra=pin:10.0.0.2
        run db id=d1 a=172.20.0.3
        run side watched started=2 mode=container:lender
        run late watched id=d2 started=4 mode=container:lender";
    seen_from(
        "side",
        inventory,
        "
        db          A    nxdomain
        pin         A    10.0.0.2
        localhost   A    127.0.0.1
        db.a        A    forward
        172.20.0.3  PTR  forward",
    );
    seen_from("late", inventory, "db A 172.20.0.3\npin A 10.0.0.2");
}

#[test]
fn a_file_that_was_read_is_believed_and_not_what_it_should_say() {
    let inventory = "
        net bridge default 172.17.0.0/16
        net a 172.20.0.0/16
        run web watched host=www extra=pin:10.0.0.1 a=172.20.0.2 file=10.0.0.2,pin file=10.0.0.3,PIN,other
        run db id=d1 a=172.20.0.3
        run side watched mode=container:web";
    for who in ["web", "side"] {
        seen_from(
            who,
            inventory,
            "
            pin         A     10.0.0.2 10.0.0.3 by hosts
            other.      A     10.0.0.3 by hosts
            pin         AAAA  nxdomain
            www         A     172.20.0.2 by hostname
            localhost   A     127.0.0.1
            db          A     172.20.0.3 by container",
        );
    }
}

#[test]
fn a_rename_gives_names_on_the_default_bridge_to_who_has_a_resolver() {
    let inventory = "
        net bridge default 172.17.0.0/16
        net a 172.20.0.0/16
        run web watched bridge=172.17.0.2 a=172.20.0.2 link=bridge:nosuch:new
        run alone watched id=d2 bridge=172.17.0.3
        run kept watched asks-docker id=d3 bridge=172.17.0.5
        run new renamed id=d1 bridge=172.17.0.4";
    seen_from(
        "web",
        inventory,
        "
        new         A    172.17.0.4 by container
        new.bridge  A    172.17.0.4
        alone       A    nxdomain
        172.17.0.4  PTR  new.bridge
        172.17.0.3  PTR  forward",
    );
    seen_from("alone", inventory, "new A nxdomain\n172.17.0.4 PTR forward");
    seen_from(
        "kept",
        inventory,
        "new A 172.17.0.4 by container\n172.17.0.4 PTR new.bridge\nweb A nxdomain",
    );
}

#[test]
fn a_domain_is_a_part_of_the_own_names_alone() {
    let inventory = "
        net a 172.20.0.0/16
        run web watched host=www domain=dom.test a=172.20.0.2
        run peer id=d1 a=172.20.0.3";
    seen_from(
        "web",
        inventory,
        "
        www           A  172.20.0.2 by hosts
        www.dom.test  A  172.20.0.2 by hosts",
    );
    seen_from(
        "peer",
        inventory,
        "www.dom.test A forward\nwww A 172.20.0.2",
    );
}

#[test]
fn the_default_bridge_has_links_and_no_names() {
    let inventory = "
        net bridge default 172.17.0.0/16
        run d1 id=d1 host=first bridge=172.17.0.2
        run d2 watched host=second bridge=172.17.0.3 link=bridge:d1:dbalias link=bridge:nosuch:lost
        run d3 id=d3 bridge=172.17.0.4 alias=bridge:never";
    seen_from(
        "d2",
        inventory,
        "
        dbalias      A    172.17.0.2 by hosts
        DBALIAS      A    172.17.0.2
        first        A    172.17.0.2
        d1           A    172.17.0.2
        second       A    172.17.0.3
        d2           A    nxdomain
        d3           A    nxdomain
        lost         A    nxdomain
        never        A    nxdomain
        d1.bridge    A    forward
        172.17.0.2   PTR  forward",
    );
    merged(
        inventory,
        "
        d1           A    nxdomain
        dbalias      A    nxdomain
        d1.bridge    A    forward
        172.17.0.2   PTR  nxdomain",
    );
}
