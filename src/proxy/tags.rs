//! Who calls, told to an interceptor in the way that mockttp and HTTP Toolkit understand: the proxy's user name is `metadata`, its
//! password JSON with tags, which they show as `socket-metadata:TAG`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;
use serde_json::json;

use crate::core::who::Who;

/// Whether an interceptor is told who calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Introduction {
    /// It asks, if it wants to know. Many would send such a header on.
    #[default]
    None,
    /// By tags, in every CONNECT and every request in absolute form.
    Tags,
}

impl Introduction {
    /// `Proxy-Authorization` for a request of `who`.
    pub(crate) fn header(self, who: impl FnOnce() -> Who) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::Tags => {
                let metadata = json!({ "tags": tags(&who()) });
                let token = BASE64_STANDARD.encode(format!("metadata:{metadata}"));
                HeaderValue::try_from(format!("Basic {token}")).ok()
            }
        }
    }
}

fn tags(who: &Who) -> Vec<String> {
    let compose = who.project.as_ref().zip(who.service.as_ref());
    let compose = compose.map(|(project, service)| format!("compose:{project}/{service}"));
    let id = who.container.as_ref().map(|id| format!("id:{id}"));
    let name = format!("container:{}", who.name);
    [name].into_iter().chain(compose).chain(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::credentials;

    #[test]
    fn a_caller_is_introduced_by_its_tags() {
        let who = || Who {
            name: "shop-web-1".to_owned(),
            container: Some("abc".to_owned()),
            service: Some("web".to_owned()),
            project: Some("shop".to_owned()),
        };
        assert_eq!(Introduction::None.header(who), None);
        let header = Introduction::Tags.header(who).unwrap();
        let given = credentials::of(header.as_bytes()).unwrap();
        assert_eq!(given.user, "metadata");
        let told: serde_json::Value = serde_json::from_slice(&given.password).unwrap();
        let tags = ["container:shop-web-1", "compose:shop/web", "id:abc"];
        assert_eq!(told, json!({ "tags": tags }));
    }
}
