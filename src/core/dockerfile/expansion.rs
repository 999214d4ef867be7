//! Variables of a proxy that instructions write into the image (`ENV http_proxy=$http_proxy`): what they mean is what the
//! user, the base image or the engine says of them, in an order of its own, and never ours.

/// The variables that the builder knows by itself, of those that are set.
pub const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Whether variables in it are expanded when it is built, and not by a shell or in an image made of this one.
pub(super) fn expands(keyword: &str) -> bool {
    !matches!(
        keyword,
        "RUN" | "CMD" | "ENTRYPOINT" | "SHELL" | "HEALTHCHECK" | "MAINTAINER" | "ONBUILD"
    )
}

/// Whether a text may have a reference to that variable, `$NAME` or `${NAME…}`; quotes do not count.
pub(super) fn refers(text: &str, name: &str) -> bool {
    text.split('$').skip(1).any(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())] == name
    })
}
