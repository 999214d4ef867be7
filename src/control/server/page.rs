//! The page for people: a few files, nothing from anywhere else, and nothing that changes anything.

use axum::http::header::{self, HeaderName};
use axum::response::{IntoResponse, Response};

/// Nothing but what comes from here; no script or style in the page itself, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) async fn html() -> Response {
    file(
        "text/html; charset=utf-8",
        include_str!("../page/index.html"),
    )
}

pub(super) async fn script() -> Response {
    file(JAVASCRIPT, include_str!("../page/app.js"))
}

pub(super) async fn picture() -> Response {
    file(JAVASCRIPT, include_str!("../page/picture.js"))
}

pub(super) async fn dom() -> Response {
    file(JAVASCRIPT, include_str!("../page/dom.js"))
}

pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("../page/app.css"))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 6] = [
        (header::CONTENT_TYPE, kind),
        // Another version may run next time.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    /// What a page may weigh, all files together.
    const MOST: usize = 150 * 1024;

    #[test]
    fn the_page_is_small_and_brings_everything_along() {
        let files = [
            include_str!("../page/index.html"),
            include_str!("../page/app.js"),
            include_str!("../page/picture.js"),
            include_str!("../page/dom.js"),
            include_str!("../page/app.css"),
        ];
        let size: usize = files.iter().map(|file| file.len()).sum();
        assert!(size <= MOST, "{size}");
        for file in files {
            let elsewhere = ["https://", "//cdn", "@import", "innerHTML", "eval("];
            for word in elsewhere {
                assert!(!file.contains(word), "{word}");
            }
        }
        // The policy forbids them.
        assert!(!files[0].contains("<style") && !files[0].contains(" style="));
        assert!(!files[0].contains(" onclick=") && !files[0].contains("<script>"));
    }
}
