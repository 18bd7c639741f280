//! The page itself, inside the binary: there is no path from a request to a file.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// One file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    /// Where it is served.
    pub(super) path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// All of them.
pub(super) static ALL: [Asset; 8] = [
    Asset { path: "/", kind: "text/html; charset=utf-8", bytes: include_bytes!("assets/index.html") },
    Asset { path: "/style.css", kind: "text/css; charset=utf-8", bytes: include_bytes!("assets/style.css") },
    Asset { path: "/icon.svg", kind: "image/svg+xml", bytes: include_bytes!("assets/icon.svg") },
    Asset { path: "/app.js", kind: SCRIPT, bytes: include_bytes!("assets/app.js") },
    Asset { path: "/act.js", kind: SCRIPT, bytes: include_bytes!("assets/act.js") },
    Asset { path: "/alarms.js", kind: SCRIPT, bytes: include_bytes!("assets/alarms.js") },
    Asset { path: "/view.js", kind: SCRIPT, bytes: include_bytes!("assets/view.js") },
    Asset { path: "/values.js", kind: SCRIPT, bytes: include_bytes!("assets/values.js") },
];

impl Asset {
    /// The file, or that the client has it already.
    pub(super) fn reply(&self, headers: &HeaderMap) -> Response {
        let tag = format!("\"{:08x}-{}\"", crc32fast::hash(self.bytes), self.bytes.len());
        let known =
            headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
        // Asked for anew each time: after an upgrade an old script must not read new messages.
        let common = [(header::CACHE_CONTROL, "no-cache".to_owned()), (header::ETAG, tag)];
        if known {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        (common, [(header::CONTENT_TYPE, self.kind)], self.bytes).into_response()
    }
}
