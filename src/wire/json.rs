//! Writing JSON by hand, for the one document that is written thousands of times a second.
//!
//! Everything else goes through `serde_json`.

use std::fmt::Write as _;

/// Above this, and below its inverse, a number is written with an exponent: no message grows by 300 digits.
const PLAIN_MAX: f64 = 1e15;

/// Appends a finite number; anything else as `null`, because there is no such measurement.
pub fn number(out: &mut String, number: f64) {
    let size = number.abs();
    let written = if !number.is_finite() {
        out.write_str("null")
    } else if size == 0.0 {
        out.write_str("0")
    } else if (PLAIN_MAX.recip()..PLAIN_MAX).contains(&size) {
        write!(out, "{number}")
    } else {
        write!(out, "{number:e}")
    };
    written.expect("writing to a String cannot fail");
}

/// Appends a whole number.
pub fn whole(out: &mut String, number: u64) {
    write!(out, "{number}").expect("writing to a String cannot fail");
}

/// Appends a string with its quotes, escaped.
pub fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a String cannot fail"),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    fn written(n: f64) -> String {
        let mut out = String::new();
        super::number(&mut out, n);
        out
    }

    #[test]
    fn numbers_are_plain_short_and_finite() {
        assert_eq!(written(31.4), "31.4");
        assert_eq!(written(-0.0), "0");
        assert_eq!(written(3.0), "3");
        assert_eq!(written(f64::MAX), "1.7976931348623157e308");
        assert_eq!(written(f64::NAN), "null");
        assert_eq!(written(f64::NEG_INFINITY), "null");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_unchanged(n in proptest::num::f64::NORMAL, text in ".*") {
            let back: f64 = serde_json::from_str(&written(n)).unwrap();
            prop_assert!((back - n).abs() <= n.abs() * 1e-15);
            let mut out = String::new();
            super::string(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
