//! A container's `/etc/hosts` as it was read: what the C library looks at before it asks anybody.

use std::net::IpAddr;

/// The lines of the file: an address, and its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostsFile {
    lines: Vec<(IpAddr, Vec<String>)>,
}

impl HostsFile {
    /// Reads the text of such a file. What is no address with names is passed over.
    pub fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            Some((address, words.map(str::to_owned).collect()))
        };
        Self {
            lines: text.lines().filter_map(line).collect(),
        }
    }

    /// The addresses of `name`, whose capitals do not matter, in the order of the lines.
    pub fn addresses(&self, name: &str) -> impl Iterator<Item = IpAddr> {
        let has = move |names: &[String]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        self.lines
            .iter()
            .filter(move |(_, names)| has(names))
            .map(|(address, _)| *address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
