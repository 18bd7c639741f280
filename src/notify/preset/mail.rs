//! The text of a mail: plain, what, where, what to do. Its subject is the headline.

use crate::notify::telling::Telling;

pub(super) fn render(telling: &Telling<'_>) -> Vec<u8> {
    let details = telling.details().into_iter().map(|(label, text)| format!("{label}: {text}"));
    let details = details.collect::<Vec<_>>().join("\n");
    let footer = footer(telling.data.gateway, telling.id);
    format!("{}\n\n{details}\n{footer}", telling.headline()).into_bytes()
}

pub(super) fn group(headline: &str, lines: &str, gateway: &str, id: &str) -> Vec<u8> {
    format!("{headline}\n\n{lines}\n{}", footer(gateway, id)).into_bytes()
}

fn footer(gateway: &str, id: &str) -> String {
    format!("\n-- \nemberwatch on {gateway}, {id}\n")
}
