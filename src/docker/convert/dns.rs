//! `--dns`, `--dns-search` and `--dns-option`.

use crate::core::inventory::DnsSettings;

/// Of `HostConfig`: `Dns`, `DnsSearch` and `DnsOptions`.
pub(super) fn settings(
    servers: Option<Vec<String>>,
    search: Option<Vec<String>>,
    options: Option<Vec<String>>,
) -> DnsSettings {
    let servers = servers.unwrap_or_default();
    let search = search.unwrap_or_default();
    // A dot alone stands for no domain at all.
    let domains = search.iter().map(|domain| domain.trim_matches('.'));
    let options = options.unwrap_or_default();
    let mut ndots = options.iter().filter_map(|o| o.strip_prefix("ndots:"));
    DnsSettings {
        servers: servers.iter().filter_map(|s| s.parse().ok()).collect(),
        search: domains
            .filter(|domain| !domain.is_empty())
            .map(str::to_owned)
            .collect(),
        ndots: ndots.next_back().and_then(|number| number.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write() {
        let words = |text: &str| Some(text.split_whitespace().map(str::to_owned).collect());
        let shown = |servers, search, options| {
            let DnsSettings {
                servers,
                search,
                ndots,
            } = settings(words(servers), words(search), words(options));
            format!("{servers:?} {search:?} {ndots:?}")
        };
        for (servers, search, options, expected) in [
            ("", "", "", "[] [] None"),
            (
                "10.0.0.5 fd00::5",
                "corp.example .b.test.",
                "timeout:3 ndots:2",
                r#"[10.0.0.5, fd00::5] ["corp.example", "b.test"] Some(2)"#,
            ),
            ("fe80::1%eth0 x", ".", "ndots:0 ndots:5", "[] [] Some(5)"),
            ("", "", "ndots: ndots:-1", "[] [] None"),
            ("", "", "ndots use-vc", "[] [] None"),
        ] {
            assert_eq!(shown(servers, search, options), expected);
        }
        assert_eq!(settings(None, None, None), DnsSettings::default());
    }
}
