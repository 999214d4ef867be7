//! The proxy that a container had of its own. The tunnel's entry takes its place, and it becomes the container's way out.

use serde::{Deserialize, Serialize};

use super::{ENTRY_PORT, Entry, Undo};
use crate::core::label;
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;
use crate::core::route::Host;

/// As a container's variables say it, those of its image included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnProxy {
    /// The URL of the one for plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// The URL of the one for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<String>,
    /// What is reached without, as `NO_PROXY` has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub exceptions: String,
}

/// In the order in which programs heed them: curl, Python and Go prefer the small ones.
const HTTP: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
const HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// Those of both count: so does injection merge them.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

impl OwnProxy {
    /// Takes it from a container's variables before injection; nothing if it had none.
    pub fn had<'a>(
        variable: impl Fn(&'static str) -> Option<&'a str>,
        entry: &Entry,
    ) -> Option<Self> {
        let first = |names: &[&'static str]| {
            let given = names.iter().filter_map(|name| variable(name));
            given.map(str::trim).find(|value| !value.is_empty())
        };
        let proxy = |names| first(names).filter(|url| !is_entry(url, entry));
        let exceptions: Vec<_> = EXCEPTIONS.into_iter().filter_map(&variable).collect();
        let own = Self {
            http: proxy(&HTTP).map(str::to_owned),
            https: proxy(&HTTPS).map(str::to_owned),
            exceptions: exceptions.join(","),
        };
        (own.http.is_some() || own.https.is_some()).then_some(own)
    }

    /// The one that the container had which somebody in `scope` is.
    pub fn of(map: &NetworkMap, scope: &Scope) -> Option<Self> {
        let Scope::Container(id) = scope else {
            return None;
        };
        let known = map.containers().get(id)?;
        let undo = known.container.labels.get(label::UNDO)?;
        serde_json::from_str::<Undo>(undo).ok()?.proxy
    }
}

/// Whether a proxy is an entry, of this life or an earlier one: images that were made of injected containers
/// (`docker commit`) have its variables.
fn is_entry(url: &str, entry: &Entry) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.trim_end_matches('/');
    let Some((host, port)) = authority.rsplit_once(':') else {
        return false;
    };
    let known = host == entry.host() || host.starts_with("dockline-tunnel-");
    port.parse() == Ok(ENTRY_PORT) && (known || matches!(Host::from(host), Host::Address(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sample::{id, map, network_id};

    fn check(variables: &str, http: Option<&str>, https: Option<&str>, exceptions: &str) {
        let pairs: Vec<_> = variables.split_whitespace().collect();
        let variable = |name: &str| {
            let mut pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
            pairs.find_map(|(key, value)| (key == name).then_some(value))
        };
        let entry = Entry::Name("default".parse().unwrap());
        let found = OwnProxy::had(variable, &entry);
        let expected = OwnProxy {
            http: http.map(str::to_owned),
            https: https.map(str::to_owned),
            exceptions: exceptions.to_owned(),
        };
        let expected = (http.is_some() || https.is_some()).then_some(expected);
        assert_eq!(found, expected, "{variables}");
    }

    #[test]
    fn what_a_container_had() {
        let (a, b) = (Some("http://a:3128"), Some("http://b:3128"));
        check("", None, None, "");
        check("NO_PROXY=db", None, None, "");
        check("HTTP_PROXY=http://a:3128", a, None, "");
        check(
            "HTTPS_PROXY=http://b:3128 no_proxy=db NO_PROXY=.corp,api",
            None,
            b,
            ".corp,api,db",
        );
        // The small one counts; one without a value is none.
        check(
            "HTTP_PROXY=http://a:3128 http_proxy=http://b:3128",
            b,
            None,
            "",
        );
        check("HTTP_PROXY=http://a:3128 http_proxy=", a, None, "");
        check("http_proxy=", None, None, "");
        check(
            "ALL_PROXY=http://a:3128 https_proxy=http://b:3128",
            a,
            b,
            "",
        );
        // Without a scheme.
        check("http_proxy=a:3128", Some("a:3128"), None, "");
    }

    #[test]
    fn an_entry_is_nobodys_own() {
        for url in [
            "http://dockline-tunnel-default:8790",
            "http://dockline-tunnel-other:8790/",
            "http://172.17.0.4:8790",
            "http://[fd00::4]:8790",
        ] {
            check(
                &format!("HTTP_PROXY={url} HTTPS_PROXY={url}"),
                None,
                None,
                "",
            );
        }
        let other = "http://corp:8790";
        check(&format!("http_proxy={other}"), Some(other), None, "");
    }

    #[test]
    fn it_is_found_again_by_whose_scope_it_is() {
        let undo = r#"{"version":1,"env":{},"proxy":{"http":"http://a:3128","exceptions":"db"}}"#;
        let map = map(&format!(
            "net shop 10.1.0.0/24
             run web watched shop=10.1.0.2 label=dockline.undo={undo}
             run old watched shop=10.1.0.3 label=dockline.undo={{\"version\":1,\"env\":{{}}}}
             run odd watched shop=10.1.0.4 label=dockline.undo=[]
             run bare watched shop=10.1.0.5"
        ));
        let of = |name| OwnProxy::of(&map, &Scope::Container(id(name)));
        let web = of("web").unwrap();
        assert_eq!(web.http.as_deref(), Some("http://a:3128"));
        assert_eq!((web.https, web.exceptions.as_str()), (None, "db"));
        for name in ["old", "odd", "bare", "nobody"] {
            assert_eq!(of(name), None, "{name}");
        }
        for scope in [Scope::Merged, Scope::Network(network_id("shop"))] {
            assert_eq!(OwnProxy::of(&map, &scope), None);
        }
    }
}
