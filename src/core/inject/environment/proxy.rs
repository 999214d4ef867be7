//! Where the proxy is, and for what it is not used.

use super::{Injection, Variables};

/// What programs look for to find a proxy; they do not agree on the case.
const PROXIES: [&str; 14] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    // WebSocket clients.
    "WS_PROXY",
    "ws_proxy",
    "WSS_PROXY",
    "wss_proxy",
    // npm, Yarn, global-agent, and programs that mistrust HTTP_PROXY where it could come from a request.
    "npm_config_proxy",
    "npm_config_https_proxy",
    "YARN_HTTP_PROXY",
    "YARN_HTTPS_PROXY",
    "GLOBAL_AGENT_HTTP_PROXY",
    "CGI_HTTP_PROXY",
];

/// What they look for to find exceptions.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A container's own services are its own business.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Make programs heed the variables above: Node (22.21, 24.5 and later), Perl's LWP.
const HEED: [&str; 2] = ["NODE_USE_ENV_PROXY", "PERL_LWP_ENV_PROXY"];

/// Answers the exceptions.
pub(super) fn inject(variables: &mut Variables<'_>, injection: &Injection) -> Vec<String> {
    let url = injection.entry.url();
    for name in PROXIES {
        variables.set(name, &url);
    }
    let exceptions = exceptions(variables, injection);
    if !injection.intercept_loopback || !injection.no_proxy.is_empty() {
        let merged = exceptions.join(",");
        for name in EXCEPTIONS {
            variables.set(name, &merged);
        }
    }
    for name in HEED {
        if variables.effective(name).is_none() {
            variables.set(name, "1");
        }
    }
    exceptions
}

/// Those of both spellings, those of the label, and loopback.
fn exceptions(variables: &Variables<'_>, injection: &Injection) -> Vec<String> {
    let given = EXCEPTIONS
        .iter()
        .filter_map(|name| variables.effective(name))
        .chain([injection.no_proxy.as_str()])
        .flat_map(|list| list.split(','));
    let loopback = LOOPBACK.iter().filter(|_| !injection.intercept_loopback);
    let mut all: Vec<String> = Vec::new();
    for item in given.chain(loopback.copied()).map(str::trim) {
        if !item.is_empty() && !all.iter().any(|known| known == item) {
            all.push(item.to_owned());
        }
    }
    all
}
