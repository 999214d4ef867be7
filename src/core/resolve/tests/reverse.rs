//! Names of addresses.

use super::*;

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
