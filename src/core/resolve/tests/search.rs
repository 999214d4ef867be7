//! Search domains and `ndots`: measured with glibc in containers on engines 20.10 and 26.1.

use super::{seen_from, *};

/// What is looked up for `name`, as `world, world… | known`.
fn looked_up(map: &NetworkMap, from: &str, name: &str) -> String {
    let known = map.containers().values();
    let mut named = known.filter(|k| k.container.name == from);
    let scope = named
        .next()
        .map_or(Scope::Merged, |k| Scope::Container(k.container.id.clone()));
    let Lookup { world, known } = lookup(map, &scope, name, ADDRESSES);
    format!("{} | {}", world.join(", "), known.unwrap_or_default())
}

const CORP: &str = "
    net bridge default 172.17.0.0/16
    net a 172.20.0.0/16
    run few watched a=172.20.0.2 search=corp.test search=b.test extra=pin:192.0.2.1 extra=x.corp.test:192.0.2.2
    run many watched a=172.20.0.3 search=corp.test search=b.test ndots=2 extra=pin:192.0.2.1
    run plain watched a=172.20.0.4
    run options watched a=172.20.0.8 ndots=1
    run zero watched a=172.20.0.9 ndots=0
    run old watched bridge=172.17.0.2 search=corp.test
    run oldest watched bridge=172.17.0.3 search=corp.test ndots=0
    run side watched mode=container:many
    run api id=d1 a=172.20.0.5
    run web id=d2 a=172.20.0.6 alias=a:web.b.test alias=a:two.b.test.corp.test
    net none driver=null
    net host driver=host
    run alone watched mode=none none= search=corp.test ndots=1
    run onhost watched mode=host host= search=corp.test";

#[test]
fn names_are_looked_for_in_domains_as_ndots_says() {
    let map = sample::map(CORP);
    for (from, name, expected) in [
        ("", "api", " | api"),
        ("", "nosuch", " | "),
        ("", "no.such", "no.such | "),
        ("plain", "nosuch", " | "),
        ("plain", "no.such", "no.such | "),
        // Docker's own `ndots:0`: as it stands first.
        ("few", "api", " | api"),
        ("few", "nosuch", "nosuch.corp.test, nosuch.b.test | "),
        (
            "few",
            "no.such",
            "no.such, no.such.corp.test, no.such.b.test | ",
        ),
        ("few", "web", " | web"),
        ("few", "nosuch.", " | "),
        ("few", "no.such.", "no.such | "),
        ("few", "api.", " | api"),
        // With `ndots:2`, names with fewer dots are looked for there first.
        ("many", "api", "api.corp.test, api.b.test | api"),
        ("many", "web", "web.corp.test | web.b.test"),
        ("many", "two.b.test", "two.b.test | two.b.test.corp.test"),
        ("side", "api", "api.corp.test, api.b.test | api"),
        (
            "many",
            "no.such",
            "no.such.corp.test, no.such.b.test, no.such | ",
        ),
        ("many", "nosuch", "nosuch.corp.test, nosuch.b.test | "),
        // The hosts file comes before all that, and has nothing of search domains.
        ("many", "pin", " | pin"),
        ("many", "localhost", " | localhost"),
        ("few", "x", "x.corp.test, x.b.test | "),
        ("few", "x.corp.test", " | x.corp.test"),
        // Without Docker's resolver, the C library's own `ndots:1`.
        ("old", "api", "api.corp.test | "),
        ("old", "no.such", "no.such, no.such.corp.test | "),
        ("oldest", "api", "api.corp.test | "),
        ("alone", "api", "api.corp.test | "),
        ("onhost", "api", "api.corp.test | "),
    ] {
        assert_eq!(looked_up(&map, from, name), expected, "{from}: {name}");
    }
}

#[test]
fn whoever_asks_for_one_type_is_told_of_that() {
    let map = sample::map(
        "net a 172.20.0.0/16
        run web watched a=172.20.0.2 search=corp.test extra=six.test:2001:db8::1
        run v4 id=d1 a=172.20.0.3",
    );
    let scope = Scope::Container(sample::id("web"));
    let world = |name, types| lookup(&map, &scope, name, types).world;
    assert!(world("six.test", &[AAAA]).is_empty());
    assert!(world("six.test", ADDRESSES).is_empty());
    assert_eq!(world("six.test", &[A]), ["six.test", "six.test.corp.test"]);
    // Docker's resolver knows it, without such an address: that ends it.
    assert!(world("v4", &[AAAA]).is_empty());
}

#[test]
fn with_ndots_set_dockers_resolver_keeps_single_labels() {
    seen_from(
        "many",
        CORP,
        "
        nosuch         A     nodata
        nosuch         AAAA  nodata
        nosuch.        A     nodata
        nosuch         MX    nxdomain
        no.such        A     forward
        api            A     172.20.0.5
        api            AAAA  nodata",
    );
    seen_from("side", CORP, "nosuch A nodata");
    seen_from("options", CORP, "nosuch A nodata");
    seen_from("zero", CORP, "nosuch A nodata");
    for other in ["few", "plain", "old", "oldest", "alone"] {
        seen_from(other, CORP, "nosuch A nxdomain");
    }
    merged(CORP, "nosuch A nxdomain");
}
