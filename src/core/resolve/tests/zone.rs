//! Names that say from where they are seen.

use super::{merged, seen_from};
use crate::core::resolve::{Scope, narrow};
use crate::core::sample;

const WORLD: &str = "
    net a 172.20.0.0/16
    net b 172.21.0.0/16
    net dockline 172.22.0.0/16
    run web watched id=aa01 a=172.20.0.2 b=172.21.0.2 extra=pin:10.9.9.9
    run db1 id=bb01 a=172.20.0.3 alias=a:db
    run db2 id=bb02 b=172.21.0.3 alias=b:db
    run other watched id=bb03 b=172.21.0.4 dockline=172.22.0.4
    run dotted.name id=bb04 a=172.20.0.5
    run Twin id=bb05 a=172.20.0.6
    run twin id=bb06 a=172.20.0.7
    run aa0200000000 id=bb07 a=172.20.0.8
    run late id=aa02 a=172.20.0.9
    stop gone id=bb09
    run tunnel tunnel id=bb10 a=172.20.255.254";

#[test]
fn a_name_may_say_from_where_it_is_seen() {
    merged(
        WORLD,
        "
        db                            A     172.20.0.3 172.21.0.3
        db.web.scope.dockline         A     172.20.0.3 by alias
        db.web.scope.dockline.        A     172.20.0.3
        DB.WEB.Scope.Dockline         A     172.20.0.3
        db.aa0100000000.scope.dockline  A   172.20.0.3
        db.AA0100000000.scope.dockline  A   172.20.0.3
        db.other.scope.dockline       A     172.21.0.3
        db.b.web.scope.dockline       A     172.21.0.3
        db.B.web.scope.dockline       A     forward
        db.web.scope.dockline         AAAA  nodata
        db.web.scope.dockline         MX    nodata
        pin.web.scope.dockline        A     10.9.9.9 by hosts
        pin.other.scope.dockline      A     nxdomain
        localhost.web.scope.dockline  A     127.0.0.1 by hosts
        example.com.web.scope.dockline  A   forward
        nosuch.web.scope.dockline     A     nxdomain
        db.aa01.scope.dockline        A     nxdomain
        db.a.scope.dockline           A     nxdomain
        db.dotted.name.scope.dockline A     nxdomain
        db.bb0400000000.scope.dockline  A   172.20.0.3
        db.twin.scope.dockline        A     nxdomain
        db.bb0500000000.scope.dockline  A   172.20.0.3
        db.aa0200000000.scope.dockline  A   nxdomain
        db.late.scope.dockline        A     172.20.0.3
        db.gone.scope.dockline        A     nxdomain
        db.tunnel.scope.dockline      A     nxdomain
        x.db.nosuch.scope.dockline    A     nxdomain",
    );
}

#[test]
fn what_is_no_name_there_is_never_asked_of_the_world() {
    merged(
        WORLD,
        "
        dockline                      A     nodata
        scope.dockline                A     nodata
        web.scope.dockline            A     nodata
        web.scope.dockline            MX    nodata
        nobody.scope.dockline         A     nxdomain
        .web.scope.dockline           A     nxdomain
        x.a\\.web.scope.dockline       A     nxdomain
        x.dockline                    A     nxdomain
        x.y.Dockline.                 A     nxdomain
        other.dockline                A     172.22.0.4
        scopes.dockline               A     nxdomain
        db.web.scopes.dockline        A     nxdomain
        db.web.xscope.dockline        A     nxdomain
        xdockline                     A     nxdomain
        web.scope.xdockline           A     forward
        2.0.20.172.in-addr.arpa.web.scope.dockline  A  nxdomain
        ünï.web.scope.dockline        A     nxdomain
        ü.scope.dockline              A     nxdomain",
    );
    // In a container, names are what they are to Docker, and still nobody else's.
    seen_from(
        "other",
        WORLD,
        "
        other.dockline                A     172.22.0.4
        db.web.scope.dockline         A     nxdomain
        scope.dockline                A     nxdomain
        dockline                      A     nxdomain",
    );
}

#[test]
fn what_is_forwarded_is_the_name_in_the_scope() {
    let map = sample::map(WORLD);
    let web = map.find_container("web").unwrap().container.id.clone();
    for (name, inner) in [
        (
            "Www.Example.com.web.scope.dockline.",
            Some("Www.Example.com"),
        ),
        ("db.web.scope.dockline", Some("db")),
        ("web.scope.dockline", None),
        ("db.nobody.scope.dockline", None),
        ("1.0.0.10.in-addr.arpa.web.scope.dockline", None),
        ("example.com", None),
        ("dockline", None),
        (".scope.dockline", None),
        ("", None),
    ] {
        let expected = inner.map(|inner| (Scope::Container(web.clone()), inner));
        assert_eq!(narrow(&map, &Scope::Merged, name), expected, "{name}");
        let scope = Scope::Container(web.clone());
        assert_eq!(narrow(&map, &scope, name), None, "{name}");
    }
}
