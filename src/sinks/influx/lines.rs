//! Line protocol, written so that no name or text can break out of its place.
//!
//! Tags and field names are escaped; line breaks in them become spaces, because not every server knows an
//! escape for those. A value that is not finite cannot be written: the field is left out.

use std::fmt::Write as _;

/// One line being put together. Tags first, in the order given, then fields.
#[derive(Debug)]
pub(super) struct LineBuilder {
    text: String,
    fields: usize,
}

impl LineBuilder {
    pub(super) fn new(measurement: &str) -> Self {
        let mut text = String::new();
        escape(&mut text, measurement, &[',', ' ']);
        Self { text, fields: 0 }
    }

    /// An empty tag value is not allowed by the protocol: such a tag is left out.
    pub(super) fn tag(&mut self, key: &str, value: &str) {
        assert!(self.fields == 0, "tags stand before fields");
        if !value.is_empty() {
            self.text.push(',');
            escape(&mut self.text, key, &[',', '=', ' ']);
            self.text.push('=');
            escape(&mut self.text, value, &[',', '=', ' ']);
        }
    }

    pub(super) fn float(&mut self, key: &str, value: f64) {
        if value.is_finite() {
            self.key(key);
            // A whole number without a point would still be a float to the protocol; said plainly all the same.
            let _ = if value.fract() == 0.0 && value.abs() < 1e15 {
                write!(self.text, "{value:.1}")
            } else {
                write!(self.text, "{value}")
            };
        }
    }

    pub(super) fn int(&mut self, key: &str, value: i64) {
        self.key(key);
        let _ = write!(self.text, "{value}i");
    }

    pub(super) fn string(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text.push('"');
        for character in value.chars() {
            match character {
                '"' | '\\' => self.text.extend(['\\', character]),
                control if control.is_control() => self.text.push(' '),
                plain => self.text.push(plain),
            }
        }
        self.text.push('"');
    }

    /// The line with its time, in the unit of its bucket; `None` without any field.
    pub(super) fn at(mut self, time: i64) -> Option<String> {
        let _ = writeln!(self.text, " {time}");
        (0 < self.fields).then_some(self.text)
    }

    fn key(&mut self, key: &str) {
        self.text.push(if self.fields == 0 { ' ' } else { ',' });
        escape(&mut self.text, key, &[',', '=', ' ']);
        self.text.push('=');
        self.fields += 1;
    }
}

fn escape(text: &mut String, raw: &str, special: &[char]) {
    for character in raw.chars() {
        match character {
            control if control.is_control() => text.push_str("\\ "),
            // A backslash before a special character or at the end would swallow what follows.
            '\\' => text.push('/'),
            one if special.contains(&one) => text.extend(['\\', one]),
            plain => text.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_texts_cannot_break_out() {
        let mut line = LineBuilder::new("ups, x");
        line.tag("room", "a b,c=d\ne\\");
        line.tag("empty", "");
        line.string("why", "say \"no\" \\ \n next=1");
        line.float("load pct", 2.0);
        line.float("nan", f64::NAN);
        line.int("q", 192);
        assert_eq!(
            line.at(5).unwrap(),
            "ups\\,\\ x,room=a\\ b\\,c\\=d\\ e/ why=\"say \\\"no\\\" \\\\   next=1\",load\\ pct=2.0,q=192i 5\n"
        );
    }

    #[test]
    fn a_line_without_fields_is_no_line() {
        assert_eq!(LineBuilder::new("ups").at(1), None);
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_whatever_it_says(tag in ".*", text in ".*", value in any::<f64>()) {
            let mut line = LineBuilder::new(&tag);
            line.tag(&tag, &text);
            line.string(&text, &tag);
            line.float("v", value);
            let line = line.at(1).unwrap();
            prop_assert_eq!(line.chars().filter(|&c| c.is_control()).count(), 1);
            prop_assert!(line.ends_with(" 1\n"));
        }

        #[test]
        fn a_float_reads_back_exactly(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let mut line = LineBuilder::new("m");
            line.float("v", value);
            let line = line.at(1).unwrap();
            let number = line.strip_prefix("m v=").unwrap().strip_suffix(" 1\n").unwrap();
            prop_assert_eq!(number.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
