//! Names that are one container's own: links and hostnames.

use super::*;

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
