//! Which call of the Docker Engine API a request is, as far as dockline has something to say about it.
//!
//! <https://docs.docker.com/reference/api/engine/>: each path stands with or without a version (`/v1.45/…`).

#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// A call, with what its path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiCall {
    /// `GET|HEAD /_ping`
    Ping,
    /// `POST /containers/create`
    CreateContainer,
    /// `POST /dockline/containers/create`, dockline's own: what would become of that call, without making it.
    PreviewContainer,
    /// `POST /commit`
    Commit,
    /// `POST /containers/{id}/start` and `…/restart`
    StartContainer(String),
    /// `POST /containers/{id}/stop` and `…/kill`
    StopContainer(String),
    /// `GET /containers/json`
    ListContainers,
    /// `GET /containers/{id}/json`
    InspectContainer(String),
    /// `GET /networks/{id}`
    InspectNetwork(String),
    /// `DELETE /networks/{id}`
    RemoveNetwork(String),
    /// `POST /networks/prune`
    PruneNetworks,
    /// `POST /grpc`: the connection becomes one of HTTP/2, on which builds are asked for.
    BuildKit,
    /// `POST /build`: the classic builder's, with the context as its body.
    Build,
    /// A call whose connection becomes a stream of bytes in both directions: `attach`, `exec`, `session`.
    Hijack,
    /// `POST /exec/{id}/start`: what becomes a stream of a program's.
    Exec(String),
    /// Any other: none of dockline's business.
    Other,
}

impl ApiCall {
    /// The word for it in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::PreviewContainer => "container_preview",
            Self::StopContainer(_) => "container_stop",
            Self::CreateContainer => "container_create",
            Self::Commit => "commit",
            Self::StartContainer(_) => "container_start",
            Self::ListContainers => "container_list",
            Self::InspectContainer(_) => "container_inspect",
            Self::InspectNetwork(_) => "network_inspect",
            Self::RemoveNetwork(_) => "network_remove",
            Self::PruneNetworks => "network_prune",
            Self::BuildKit => "buildkit",
            Self::Build => "build",
            Self::Hijack | Self::Exec(_) => "hijack",
            Self::Other => "other",
        }
    }

    /// Whether its body is a configuration, of some kilobytes, that is read before the call goes on.
    pub fn has_short_body(&self) -> bool {
        matches!(
            self,
            Self::CreateContainer | Self::PreviewContainer | Self::Commit
        )
    }

    /// The call that a request's method and target make.
    pub fn of(method: &str, target: &str) -> Self {
        let Some(path) = path(target) else {
            return Self::Other;
        };
        let segments: Vec<_> = path.split('/').filter(|s| !s.is_empty()).collect();
        match (method, segments.as_slice()) {
            ("GET" | "HEAD", ["_ping"]) => Self::Ping,
            ("POST", ["containers", "create"]) => Self::CreateContainer,
            ("POST", ["dockline", "containers", "create"]) => Self::PreviewContainer,
            ("POST", ["commit"]) => Self::Commit,
            ("POST", ["containers", id, "start" | "restart"]) => Self::StartContainer(decoded(id)),
            ("POST", ["containers", id, "stop" | "kill"]) => Self::StopContainer(decoded(id)),
            ("GET", ["containers", "json"]) => Self::ListContainers,
            ("GET", ["containers", id, "json"]) => Self::InspectContainer(decoded(id)),
            ("GET", ["networks", id]) => Self::InspectNetwork(decoded(id)),
            ("DELETE", ["networks", id]) => Self::RemoveNetwork(decoded(id)),
            ("POST", ["networks", "prune"]) => Self::PruneNetworks,
            ("POST", ["grpc"]) => Self::BuildKit,
            ("POST", ["build"]) => Self::Build,
            ("POST", ["exec", id, "start"]) => Self::Exec(decoded(id)),
            ("POST", ["containers", _, "attach"] | ["session"])
            | ("GET", ["containers", _, "attach", "ws"]) => Self::Hijack,
            _ => Self::Other,
        }
    }
}

/// The value of a parameter in a request's query, the first one.
pub fn parameter(target: &str, name: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    pairs
        .into_iter()
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The target with another value of that parameter; nothing if its query is malformed.
pub fn with_parameter(target: &str, name: &str, value: &str) -> Option<String> {
    let (path, query) = target.split_once('?')?;
    let mut pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    let (_, found) = pairs.iter_mut().find(|(key, _)| key == name)?;
    value.clone_into(found);
    Some(format!(
        "{path}?{}",
        serde_urlencoded::to_string(pairs).ok()?
    ))
}

/// The path of a target, without query and version; clients of HTTP may also send a whole URL.
fn path(target: &str) -> Option<&str> {
    let target = match target.split_once("://") {
        // A query may have one as well.
        Some((scheme, rest)) if !scheme.contains('/') => &rest[rest.find('/')?..],
        _ => target,
    };
    let path = target.split('?').next()?.trim_start_matches('/');
    Some(match path.split_once('/') {
        Some((version, rest)) if is_version(version) => rest,
        _ => path,
    })
}

fn is_version(segment: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    segment
        .strip_prefix('v')
        .and_then(|version| version.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// Names and ids seldom need it; what is malformed stands as it came, and is nobody's name.
fn decoded(segment: &str) -> String {
    let pair = format!("={}", segment.replace('+', "%2B"));
    match serde_urlencoded::from_str::<Vec<(Cow<'_, str>, String)>>(&pair) {
        Ok(mut pairs) if pairs.len() == 1 => pairs.remove(0).1,
        _ => segment.to_owned(),
    }
}
