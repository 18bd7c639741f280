//! `Retry-After`: seconds, or a date. What is neither says nothing; what is longer than five minutes means five minutes.

use jiff::fmt::rfc2822;

use crate::units::{Millis, WallTime};

/// A server cannot keep us away for longer than this.
const AFTER_MAX: Millis = Millis::from_secs(300);

/// How long to stay away; `None` where the text says nothing.
pub(super) fn parse(text: &str, now: WallTime) -> Option<Millis> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are long enough.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Millis(seconds.saturating_mul(1000)).min(AFTER_MAX));
    }
    let date = rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    // A date that has passed: at once, as far as the server is concerned.
    let after = u64::try_from(date.saturating_sub(now.0)).unwrap_or(0);
    Some(Millis(after).min(AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const NOW: WallTime = WallTime(784_111_777_000);

    #[test]
    fn i5_seconds_and_dates_are_honoured_up_to_five_minutes_and_garbage_says_nothing() {
        for (text, after) in [
            ("7", Some(7_000)),
            (" 120 ", Some(120_000)),
            ("1000000000", Some(300_000)),
            ("99999999999999999999999999", Some(300_000)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10_000)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("Fri, 06 Nov 2054 08:49:27 GMT", Some(300_000)),
            ("-5", None),
            ("soon", None),
            ("", None),
            ("1.5", None),
        ] {
            assert_eq!(parse(text, NOW), after.map(Millis), "{text}");
        }
    }
}
