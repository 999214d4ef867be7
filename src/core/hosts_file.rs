//! A container's `/etc/hosts` as it was read: what the C library looks at before it asks anybody.

use std::net::IpAddr;

/// What engines write at the beginning of every file (20.10 to 26), as it is kept here.
const USUAL: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\nfe00:: ip6-localnet\n\
                     ff00:: ip6-mcastprefix\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n";

/// The lines of the file: an address, and its names. Kept as text, because there is one for every container, and it is
/// rarely asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostsFile {
    /// Whether it begins with the usual lines.
    usual: bool,
    lines: Box<str>,
}

impl HostsFile {
    /// Reads the text of such a file. What is no address with names is passed over.
    pub fn parse(text: &str) -> Self {
        let mut lines = String::with_capacity(text.len());
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else {
                continue;
            };
            lines.push_str(&address.to_string());
            for name in words {
                lines.push(' ');
                lines.push_str(name);
            }
            lines.push('\n');
        }
        let others = lines.strip_prefix(USUAL);
        Self {
            usual: others.is_some(),
            lines: others.unwrap_or(&lines).into(),
        }
    }

    /// The addresses of `name`, whose capitals do not matter, in the order of the lines.
    pub fn addresses(&self, name: &str) -> impl Iterator<Item = IpAddr> {
        let usual = if self.usual { USUAL } else { "" };
        usual
            .lines()
            .chain(self.lines.lines())
            .filter_map(move |line| {
                let mut words = line.split(' ');
                let address = words.next()?;
                let has_name = words.any(|word| word.eq_ignore_ascii_case(name));
                has_name.then(|| address.parse().ok()).flatten()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_lines_are_kept_once() {
        let written = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
                       ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n192.0.2.1\tweb\n";
        let file = HostsFile::parse(written);
        assert_eq!(&*file.lines, "192.0.2.1 web\n");
        let found = |name| {
            file.addresses(name)
                .map(|a| a.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(found("web"), ["192.0.2.1"]);
        assert_eq!(found("LOCALHOST"), ["127.0.0.1", "::1"]);
        assert_eq!(found("ip6-allrouters"), ["ff02::2"]);
        assert!(!HostsFile::parse("192.0.2.1 web").usual);
    }

    #[test]
    fn lines_are_addresses_with_names() {
        let file = HostsFile::parse(
            "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # web\n\n#192.0.2.1 web\n\
             192.0.2.2 a WEB\nnonsense web\nfe80::1%lo0 web\n192.0.2.3\t web.\tweb#c\n2001:db8::1 Web\n",
        );
        let found = |name| {
            let addresses = file.addresses(name).map(|a| a.to_string());
            addresses.collect::<Vec<_>>().join(" ")
        };
        for (name, addresses) in [
            ("localhost", "127.0.0.1 ::1"),
            ("web", "192.0.2.2 192.0.2.3 2001:db8::1"),
            ("A", "192.0.2.2"),
            ("c", ""),
            ("", ""),
        ] {
            assert_eq!(found(name), addresses, "{name}");
        }
    }
}
