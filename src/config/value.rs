//! Reading one value: text, ids, words, numbers, durations and quantities with their unit.
//!
//! A unit is part of the value, so that 45 degC cannot be taken for 45 V or 45 s. The unit written must
//! be the unit of the point: nothing is converted, except rates per second to rates per minute.

use std::ops::RangeInclusive;

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::node::{At, Node};
use crate::config::suggest;
use crate::config::table::wrong_type;
use crate::units::{Millis, Unit};

/// The longest id.
const ID_CHARS_MAX: usize = 48;

/// Any text.
pub(super) fn text(desk: &mut Desk, key: &str, node: At<Node>) -> Option<At<String>> {
    if let Node::Text(value) = node.value {
        return Some(At { value, at: node.at });
    }
    wrong_type(desk, key, &node, "text").help(format!("write {key} = \"…\""));
    None
}

/// Text for people or for a protocol: not empty.
pub(super) fn filled(desk: &mut Desk, key: &str, node: At<Node>) -> Option<At<String>> {
    let text = text(desk, key, node)?;
    if !text.value.trim().is_empty() {
        return Some(text);
    }
    desk.say(Code::OutOfRange, text.at, format!("`{key}` is empty")).help("write it, or leave the key out");
    None
}

/// An id: `[a-z0-9][a-z0-9-]{0,47}`.
pub(super) fn id(desk: &mut Desk, key: &str, node: At<Node>) -> Option<At<String>> {
    let text = text(desk, key, node)?;
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let starts = text.value.bytes().next().is_some_and(|byte| byte != b'-');
    if starts && text.value.bytes().all(good) && text.value.len() <= ID_CHARS_MAX {
        return Some(text);
    }
    desk.say(Code::BadId, text.at, format!("`{}` cannot be an id", text.value))
        .label("ids are part of topics and file names")
        .help("use up to 48 of a-z, 0-9 and `-`, not beginning with `-`");
    None
}

/// True or false.
#[expect(clippy::needless_pass_by_value, reason = "all readers of values have one signature")]
pub(super) fn flag(desk: &mut Desk, key: &str, node: At<Node>) -> Option<bool> {
    if let Node::Flag(value) = node.value {
        return Some(value);
    }
    wrong_type(desk, key, &node, "true or false");
    None
}

/// A whole number within a range.
pub(super) fn whole(range: RangeInclusive<i64>) -> impl FnOnce(&mut Desk, &str, At<Node>) -> Option<At<i64>> {
    move |desk, key, node| {
        let Node::Whole(value) = node.value else {
            wrong_type(desk, key, &node, "a whole number");
            return None;
        };
        if range.contains(&value) {
            return Some(At { value, at: node.at });
        }
        let (low, high) = (range.start(), range.end());
        desk.say(Code::OutOfRange, node.at, format!("`{key}` = {value} is out of range"))
            .label(format!("from {low} to {high}"))
            .help(format!("write a whole number from {low} to {high}"));
        None
    }
}

/// One of some words.
pub(super) fn word<T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl Fn(&mut Desk, &str, At<Node>) -> Option<T> {
    move |desk, key, node| {
        let text = text(desk, key, node)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let known = words.iter().map(|(word, _)| *word);
        let all: Vec<&str> = known.clone().collect();
        desk.say(Code::BadWord, text.at, format!("`{}` is no value of `{key}`", text.value))
            .label(format!("one of: {}", all.join(", ")))
            .help(suggest::help(&text.value, known));
        None
    }
}

/// A list whose items are read one by one.
pub(super) fn list<T>(
    mut read: impl FnMut(&mut Desk, &str, At<Node>) -> Option<T>,
) -> impl FnOnce(&mut Desk, &str, At<Node>) -> Option<At<Vec<T>>> {
    move |desk, key, node| {
        let Node::List(items) = node.value else {
            wrong_type(desk, key, &node, "a list").help(format!("write {key} = [ … ]"));
            return None;
        };
        let count = items.len();
        let value: Vec<T> = items.into_iter().filter_map(|item| read(desk, key, item)).collect();
        (value.len() == count).then_some(At { value, at: node.at })
    }
}

/// A list with at least one item.
pub(super) fn filled_list<T>(
    read: impl FnMut(&mut Desk, &str, At<Node>) -> Option<T>,
) -> impl FnOnce(&mut Desk, &str, At<Node>) -> Option<At<Vec<T>>> {
    move |desk, key, node| {
        let items = list(read)(desk, key, node)?;
        if !items.value.is_empty() {
            return Some(items);
        }
        desk.say(Code::EmptyList, items.at, format!("`{key}` is empty"))
            .help("name at least one, or remove what it belongs to");
        None
    }
}

/// A duration such as `"500ms"`, `"1.5s"`, `"5min"` or `"8h"`, within a range of milliseconds.
pub(super) fn duration(
    range: RangeInclusive<u64>,
) -> impl FnOnce(&mut Desk, &str, At<Node>) -> Option<At<Millis>> {
    move |desk, key, node| {
        let at = node.at;
        let Node::Text(text) = node.value else {
            wrong_type(desk, key, &node, "a duration as text").help(format!("write {key} = \"5s\""));
            return None;
        };
        let Some(ms) = parse_duration(&text) else {
            desk.say(Code::BadDuration, at, format!("`{text}` is no duration"))
                .label("a number and ms, s, min or h")
                .help("write for instance \"500ms\", \"1s\", \"5min\" or \"8h\"");
            return None;
        };
        if range.contains(&ms) {
            return Some(At { value: Millis(ms), at });
        }
        let (low, high) = (Millis(*range.start()), Millis(*range.end()));
        desk.say(Code::OutOfRange, at, format!("`{key}` = {} is out of range", Millis(ms)))
            .label(format!("from {low} to {high}"))
            .help(format!("write a duration from {low} to {high}"));
        None
    }
}

fn parse_duration(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim_start() {
        "ms" => 1.0,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    let ms = number.parse::<f64>().ok()? * factor;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and small"
    )]
    let whole = (0.0..9e15).contains(&ms).then_some(ms.round() as u64)?;
    Some(whole)
}

/// A finite quantity in this unit: `"45 degC"`, or a bare number where the point has no unit.
pub(super) fn quantity(unit: Unit) -> impl Fn(&mut Desk, &str, At<Node>) -> Option<At<f64>> {
    move |desk, key, node| {
        let (number, written) = split_quantity(desk, key, &node, unit.name())?;
        if written == (if unit == Unit::None { "" } else { unit.name() }) {
            return finite(desk, key, At { value: number, at: node.at });
        }
        wrong_unit(desk, key, &node, &written, unit.name());
        None
    }
}

/// A finite rate in this unit per minute: `"3 degC/min"` or, sixty times as fast, `"3 degC/s"`.
pub(super) fn rate(unit: Unit) -> impl Fn(&mut Desk, &str, At<Node>) -> Option<At<f64>> {
    move |desk, key, node| {
        let name = if unit == Unit::None { "" } else { unit.name() };
        let expected = format!("{name}/min");
        let (number, written) = split_quantity(desk, key, &node, &expected)?;
        let value = if written == expected {
            number
        } else if written == format!("{name}/s") {
            number * 60.0
        } else {
            wrong_unit(desk, key, &node, &written, &expected);
            return None;
        };
        finite(desk, key, At { value, at: node.at })
    }
}

fn split_quantity(desk: &mut Desk, key: &str, node: &At<Node>, expected: &str) -> Option<(f64, String)> {
    let example = if expected == "none" { "5".to_owned() } else { format!("\"5 {expected}\"") };
    match &node.value {
        Node::Real(number) => Some((*number, String::new())),
        #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
        Node::Whole(number) => Some((*number as f64, String::new())),
        Node::Text(text) => {
            let text = text.trim();
            let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
            if let Ok(number) = number.parse() {
                return Some((number, unit.trim().to_owned()));
            }
            desk.say(Code::BadQuantity, node.at, format!("`{text}` is no quantity"))
                .label("a number, a space and a unit")
                .help(format!("write {key} = {example}"));
            None
        }
        _ => {
            wrong_type(desk, key, node, "a quantity").help(format!("write {key} = {example}"));
            None
        }
    }
}

fn wrong_unit(desk: &mut Desk, key: &str, node: &At<Node>, written: &str, expected: &str) {
    let sentence = if expected == "none" {
        format!("`{key}` is in {written}, but the point has no unit")
    } else if written.is_empty() {
        format!("`{key}` lacks its unit, {expected}")
    } else {
        format!("`{key}` is in {written}, but the point is in {expected}")
    };
    let help = if expected == "none" {
        "write the number alone".to_owned()
    } else {
        format!("write {key} = \"… {expected}\"")
    };
    desk.say(Code::WrongUnit, node.at, sentence).label(format!("expected {expected}")).help(help);
}

fn finite(desk: &mut Desk, key: &str, number: At<f64>) -> Option<At<f64>> {
    if number.value.is_finite() {
        return Some(number);
    }
    desk.say(Code::NotFinite, number.at, format!("`{key}` is not a finite number"))
        .help("a limit that no value can reach protects nothing: write a number");
    None
}
