//! A small world for all tests.

use crate::core::map::NetworkMap;
use crate::core::sample;

/// Where the tunnel is once it has settled.
const SETTLED: [&str; 3] = ["shop", "back", "cell"];

/// Containers on several networks and on an internal one, and a network that nobody watched is on.
const WORLD: &str = "
    net shop v6 10.231.1.0/24 fd00:231::/64
    net back 10.231.2.0/24
    net foreign 10.231.3.0/24
    net cell internal 10.231.4.0/24
    run web watched shop=10.231.1.2,fd00:231::2 back=10.231.2.2
    run db watched back=10.231.2.3 shop=10.231.1.3,fd00:231::3
    run cell watched cell=10.231.4.2
    run stranger foreign=10.231.3.2
";

/// The map when all is well.
pub(in crate::gateway) fn map() -> NetworkMap {
    joined(&SETTLED)
}

/// The map while the tunnel is on these networks.
pub(super) fn joined(networks: &[&str]) -> NetworkMap {
    with_tunnel(WORLD, networks)
}

/// The map after `web` has gone.
pub(super) fn without_web() -> NetworkMap {
    let others = WORLD.lines().filter(|line| !line.contains("run web "));
    with_tunnel(&others.collect::<Vec<_>>().join("\n"), &SETTLED)
}

/// The map where `web` trusts the authority with that hash.
pub(super) fn where_web_trusts(ca: &str) -> NetworkMap {
    let label = format!("run web label=dockline.ca={ca} ");
    with_tunnel(&WORLD.replace("run web ", &label), &SETTLED)
}

/// The map with a container that has a DNS server and a search domain of its own.
pub(super) fn with_own_servers() -> NetworkMap {
    let own = "run own watched shop=10.231.1.4 dns=10.231.1.53 search=corp.test
    run first watched shop=10.231.1.5 dns=10.231.1.53 search=corp.test ndots=1
    run searching watched shop=10.231.1.6 search=lan.test";
    with_tunnel(&format!("{WORLD}\n{own}"), &SETTLED)
}

/// The map with containers that had proxies of their own: `proxied` one on its network, `far` one on a network that it is
/// not on, `looping` one that is the interceptor, on port `port` of the engine's machine.
pub(super) fn with_own_proxies(port: u16) -> NetworkMap {
    let had = |name: &str, address: &str, url: &str| {
        let proxy =
            format!("{{\"http\":\"{url}\",\"https\":\"{url}\",\"exceptions\":\"without.test\"}}");
        let undo = format!("{{\"version\":1,\"env\":{{}},\"proxy\":{proxy}}}");
        format!("run {name} watched shop={address} label=dockline.undo={undo}")
    };
    let containers = [
        had("proxied", "10.231.1.4", "http://me:s3cr%21t@db:3128"),
        had("far", "10.231.1.5", "http://10.231.4.2:3128"),
        had(
            "looping",
            "10.231.1.6",
            &format!("http://10.231.1.1:{port}"),
        ),
    ];
    with_tunnel(&format!("{WORLD}\n{}", containers.join("\n")), &SETTLED)
}

fn with_tunnel(world: &str, networks: &[&str]) -> NetworkMap {
    let places: Vec<_> = networks.iter().map(|n| format!("{n}=")).collect();
    let tunnel = format!("run dockline-tunnel-default tunnel {}", places.join(" "));
    sample::map(&format!("{world}\n{tunnel}"))
}
