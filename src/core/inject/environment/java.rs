//! Java's properties, which it takes from a variable of its own.

use super::{Injection, Variables};
use crate::core::inject::{ENTRY_PORT, Entry, FOLDER};
use crate::core::trust::STORE_FILE;
use crate::core::trust::variables::JAVA_OPTIONS;

/// What Java takes exception to if it is told nothing.
const LOOPBACK: [&str; 3] = ["localhost", "127.*", "[::1]"];

pub(super) fn inject(variables: &mut Variables<'_>, injection: &Injection, exceptions: &[String]) {
    let mut options = vec![proxies(&injection.entry)];
    if let Some(hosts) = non_proxy_hosts(exceptions, injection.intercept_loopback) {
        options.push(format!("-Dhttp.nonProxyHosts={hosts}"));
    }
    if injection.authority.is_some() {
        options.push(format!(
            "-Djavax.net.ssl.trustStore={FOLDER}/{STORE_FILE} -Djavax.net.ssl.trustStoreType=PKCS12"
        ));
    }
    variables.append(JAVA_OPTIONS, &options.join(" "));
}

fn proxies(entry: &Entry) -> String {
    let host = entry.host();
    let of = |scheme| format!("-D{scheme}.proxyHost={host} -D{scheme}.proxyPort={ENTRY_PORT}");
    format!("{} {}", of("http"), of("https"))
}

/// The exceptions as Java writes them; nothing if there are no others than it has by itself.
fn non_proxy_hosts(exceptions: &[String], intercept_loopback: bool) -> Option<String> {
    let known = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "::1");
    let mut hosts: Vec<String> = Vec::new();
    for exception in exceptions.iter().filter(|host| !known(host)) {
        hosts.extend(patterns(exception));
    }
    if intercept_loopback {
        // Java adds loopback to every list but an empty one.
        return Some(hosts.join("|"));
    }
    if hosts.is_empty() {
        return None;
    }
    let loopback = LOOPBACK.map(str::to_owned).into_iter();
    Some(loopback.chain(hosts).collect::<Vec<_>>().join("|"))
}

/// Java knows wildcards at either end, and no ports.
fn patterns(exception: &str) -> Vec<String> {
    let range = exception.parse::<ipnet::Ipv4Net>();
    if let Ok(range) = range.as_ref()
        && matches!(range.prefix_len(), 8 | 16 | 24)
    {
        let address = range.network().to_string();
        let kept = usize::from(range.prefix_len() / 8);
        let digits: Vec<&str> = address.split('.').take(kept).collect();
        return vec![format!("{}.*", digits.join("."))];
    }
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    match exception.trim_start_matches('*') {
        "" => vec!["*".to_owned()],
        name if !name.chars().all(fits) => Vec::new(),
        name => match name.strip_prefix('.') {
            Some(domain) => vec![format!("*.{domain}")],
            None => vec![name.to_owned(), format!("*.{name}")],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::non_proxy_hosts;

    #[test]
    fn exceptions_as_java_writes_them() {
        let loopback = "localhost,127.0.0.1,::1";
        for (exceptions, intercept_loopback, hosts) in [
            (loopback, false, None),
            (
                "db,.corp.test,localhost,127.0.0.1,::1",
                false,
                Some("localhost|127.*|[::1]|db|*.db|*.corp.test"),
            ),
            (
                "10.0.0.0/8,192.168.4.0/24",
                false,
                Some("localhost|127.*|[::1]|10.*|192.168.4.*"),
            ),
            ("172.16.0.0/12,db:80,x|y", false, None),
            ("*", false, Some("localhost|127.*|[::1]|*")),
            ("", true, Some("")),
            ("db", true, Some("db|*.db")),
        ] {
            let list = exceptions.split(',').filter(|item| !item.is_empty());
            let list: Vec<_> = list.map(str::to_owned).collect();
            let found = non_proxy_hosts(&list, intercept_loopback);
            assert_eq!(found.as_deref(), hosts, "{exceptions}");
        }
    }
}
