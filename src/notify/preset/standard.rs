//! The project's own messages: `type`, `timestamp`, `data`, signed by the Standard Webhooks scheme.

use crate::notify::telling::Telling;

pub(super) fn render(telling: &Telling<'_>) -> Option<Vec<u8>> {
    serde_json::to_vec(telling).ok()
}
