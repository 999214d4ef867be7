//! The variables of an injected container: what its user and its image say, and where its proxy is.
//!
//! Nothing that the container had is lost: lists are extended, options appended, and what is replaced is noted.

use super::{ENTRY_PORT, Entry, FOLDER, Injection, OwnProxy, Undo};

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

/// Makes Node (22.21, 24.5 and later) heed the variables above.
const NODE_HEEDS: &str = "NODE_USE_ENV_PROXY";

/// Read by every Java virtual machine; Java heeds no variable about proxies.
const JAVA: &str = "JAVA_TOOL_OPTIONS";

/// Name files whose certificates are trusted besides the usual ones: Node, Deno.
const ADDED_TRUST: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

/// Adds to the variables `own`, that the container is to get besides those of its `image`; notes what it replaces.
pub fn inject(
    own: &[String],
    image: &[String],
    injection: &Injection,
    undo: &mut Undo,
) -> Vec<String> {
    let mut variables = Variables {
        own: own.to_vec(),
        image,
        undo,
    };
    let proxy = OwnProxy::had(|name| variables.effective(name), &injection.entry);
    variables.undo.proxy = proxy;
    let url = injection.entry.url();
    for name in PROXIES {
        variables.set(name, &url);
    }
    if !injection.intercept_loopback {
        let merged = exceptions(&variables);
        for name in EXCEPTIONS {
            variables.set(name, &merged);
        }
    }
    if variables.effective(NODE_HEEDS).is_none() {
        variables.set(NODE_HEEDS, "1");
    }
    let options = java_options(&injection.entry);
    let options = match variables.effective(JAVA).filter(|given| !given.is_empty()) {
        Some(given) => format!("{given} {options}"),
        None => options,
    };
    variables.set(JAVA, &options);
    if injection.authority.is_some() {
        for name in ADDED_TRUST {
            if variables.effective(name).is_none() {
                variables.set(name, &format!("{FOLDER}/ca.pem"));
            }
        }
    }
    variables.own
}

struct Variables<'a> {
    own: Vec<String>,
    image: &'a [String],
    undo: &'a mut Undo,
}

impl Variables<'_> {
    /// What the container would see.
    fn effective(&self, name: &str) -> Option<&str> {
        let of = |list: &'_ [String]| list.iter().rposition(|pair| key(pair) == name);
        let pair = match (of(&self.own), of(self.image)) {
            (Some(at), _) => &self.own[at],
            (None, Some(at)) => &self.image[at],
            (None, None) => return None,
        };
        // A name alone takes the image's variable away.
        Some(pair.split_once('=')?.1)
    }

    fn set(&mut self, name: &str, value: &str) {
        let pair = format!("{name}={value}");
        let at = self.own.iter().rposition(|pair| key(pair) == name);
        let before = at.map(|at| std::mem::replace(&mut self.own[at], pair.clone()));
        if before.is_none() {
            self.own.push(pair);
        }
        let before = before.and_then(|pair| Some(pair.split_once('=')?.1.to_owned()));
        self.undo.env.entry(name.to_owned()).or_insert(before);
    }
}

fn key(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default()
}

/// Exceptions of both spellings, and loopback.
fn exceptions(variables: &Variables<'_>) -> String {
    let given = EXCEPTIONS
        .iter()
        .filter_map(|name| variables.effective(name))
        .flat_map(|list| list.split(','));
    let mut all: Vec<&str> = Vec::new();
    for item in given.chain(LOOPBACK).map(str::trim) {
        if !item.is_empty() && !all.contains(&item) {
            all.push(item);
        }
    }
    all.join(",")
}

/// Java's own exceptions are loopback already.
fn java_options(entry: &Entry) -> String {
    let host = entry.host();
    let of = |scheme| format!("-D{scheme}.proxyHost={host} -D{scheme}.proxyPort={ENTRY_PORT}");
    format!("{} {}", of("http"), of("https"))
}
