//! A proxy auto-configuration file: which hosts a browser on this host is to ask the gateway for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use ipnet::IpNet;
use serde_json::json;

use super::map::NetworkMap;

/// The rules: names and addresses on watched networks go by the gateway, all else as before. Browsers keep what they have
/// read, so names of containers that come later are known by the network's: `NAME.NETWORK`.
const RULES: &str = r#"
function FindProxyForURL(url, host) {
  host = host.toLowerCase();
  if (names.hasOwnProperty(host)) return gateway;
  for (var i = 0; i < networks.length; i++) {
    if (dnsDomainIs(host, "." + networks[i])) return gateway;
  }
  if (/^[0-9]+(\.[0-9]+){3}$/.test(host)) {
    for (var j = 0; j < ranges.length; j++) {
      if (isInNet(host, ranges[j][0], ranges[j][1])) return gateway;
    }
  }
  return "DIRECT";
}
"#;

/// The file for browsers that reach the gateway at `gateway`.
pub fn pac(map: &NetworkMap, gateway: SocketAddr) -> String {
    let mut names = BTreeMap::new();
    let mut networks = BTreeSet::new();
    let mut ranges = BTreeSet::new();
    for view in map.watched_networks() {
        names.extend(view.names().map(|(name, _)| (name.to_lowercase(), 1)));
        networks.insert(view.lower_case_name());
        for subnet in &view.network().subnets {
            if let IpNet::V4(net) = subnet.net {
                ranges.insert([net.network().to_string(), net.netmask().to_string()]);
            }
        }
    }
    // A browser means itself by it.
    names.remove("localhost");
    format!(
        "var gateway = {};\nvar names = {};\nvar networks = {};\nvar ranges = {};\n{}",
        json!(format!("PROXY {gateway}")),
        json!(names),
        json!(networks),
        json!(ranges),
        RULES.trim_start()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sample::map;

    #[test]
    fn names_and_ranges_of_watched_networks_go_by_the_gateway() {
        let map = map("
            net Shop v6 10.1.0.0/24 fd00:1::/64
            net other 10.2.0.0/24
            run web watched Shop=10.1.0.2,fd00:1::2 alias=Shop:API
            run away other=10.2.0.2
        ");
        let text = pac(&map, "127.0.0.1:1090".parse().unwrap());
        for part in [
            r#"var gateway = "PROXY 127.0.0.1:1090";"#,
            r#""api":1"#,
            r#""web":1"#,
            r#"var networks = ["shop"];"#,
            r#"var ranges = [["10.1.0.0","255.255.255.0"]];"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("away"), "{text}");
    }
}
