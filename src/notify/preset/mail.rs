//! The text of a mail: plain, what, where, what to do. Its subject is the headline.

use crate::notify::telling::Telling;

pub(super) fn render(telling: &Telling<'_>) -> Vec<u8> {
    let mut text = format!("{}\n\n", telling.headline());
    for (label, value) in telling.details() {
        text.push_str(&format!("{label}: {value}\n"));
    }
    text.push_str(&footer(telling.data.gateway, telling.id));
    text.into_bytes()
}

pub(super) fn group(headline: &str, lines: &str, gateway: &str, id: &str) -> Vec<u8> {
    format!("{headline}\n\n{lines}\n{}", footer(gateway, id)).into_bytes()
}

fn footer(gateway: &str, id: &str) -> String {
    format!("\n-- \nemberwatch on {gateway}, {id}\n")
}
