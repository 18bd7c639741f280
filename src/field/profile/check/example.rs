//! One `[[example]]`: what it names must be there.

use toml::Spanned;

use super::super::example::{Example, Expected, Frames, RawBlock};
use super::super::{ActionSpec, PointSpec, TextSpec, raw};
use super::{Faults, Names};
use crate::safety::reading::ReadFault;

pub(super) fn example(
    raw: Spanned<raw::Example>,
    points: &[PointSpec],
    actions: &[ActionSpec],
    texts: &[TextSpec],
    faults: &mut Faults<'_>,
) -> Example {
    let span = raw.span();
    let raw = raw.into_inner();
    let points: Names = points.iter().enumerate().map(|(at, spec)| (spec.name.clone(), at)).collect();
    let point = |name: &Spanned<String>, faults: &mut Faults<'_>| {
        let found = points.get(name.get_ref()).copied();
        if found.is_none() {
            faults.no_point(name.get_ref(), name.span());
        }
        found
    };
    let mut expected = Vec::new();
    for (name, value) in &raw.values {
        expected.extend(point(name, faults).map(|at| Expected::Value(at, Ok(*value), name.span())));
    }
    for (name, reason) in &raw.reasons {
        let fault = Err(self::reason(*reason));
        expected.extend(point(name, faults).map(|at| Expected::Value(at, fault, name.span())));
    }
    for name in &raw.absent {
        expected.extend(point(name, faults).map(|at| Expected::Absent(at, name.span())));
    }
    for (name, text) in raw.texts {
        match texts.iter().position(|spec| spec.name == *name.get_ref()) {
            Some(at) => expected.push(Expected::Text(at, text, name.span())),
            None => faults.add(name.span(), format!("there is no text \"{}\"", name.get_ref()), ""),
        }
    }
    let block = |raw: raw::Block| RawBlock { table: raw.table, address: raw.address, words: raw.words };
    Example {
        name: raw.name,
        span,
        raw: raw.raw.into_iter().map(block).collect(),
        expected,
        frames: frames(raw.action, raw.frames, actions, faults),
    }
}

const fn reason(reason: raw::Reason) -> ReadFault {
    match reason {
        raw::Reason::Sentinel => ReadFault::Sentinel,
        raw::Reason::NotANumber => ReadFault::NotANumber,
        raw::Reason::NotInService => ReadFault::NotInService,
        raw::Reason::Malformed => ReadFault::Malformed,
    }
}

fn frames(
    action: Option<Spanned<String>>,
    frames: Option<Spanned<Vec<String>>>,
    actions: &[ActionSpec],
    faults: &mut Faults<'_>,
) -> Option<Frames> {
    let (action, frames) = match (action, frames) {
        (Some(action), Some(frames)) => (action, frames),
        (Some(lone), None) => {
            faults.add(lone.span(), "frames and action belong together", "give both or none");
            return None;
        }
        (None, Some(lone)) => {
            faults.add(lone.span(), "frames and action belong together", "give both or none");
            return None;
        }
        (None, None) => return None,
    };
    let found = actions.iter().position(|spec| spec.name == *action.get_ref());
    if found.is_none() {
        faults.add(action.span(), format!("there is no action \"{}\"", action.get_ref()), "");
    }
    let span = frames.span();
    let mut pdus = Vec::new();
    for frame in frames.get_ref() {
        match hexadecimal(frame) {
            Some(pdu) => pdus.push(pdu),
            None => faults.add(
                span.clone(),
                format!("\"{frame}\" is no row of bytes"),
                "two hexadecimal digits each, as in \"05 00 00 FF 00\"",
            ),
        }
    }
    Some(Frames { action: found?, pdus, span })
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let byte = |digits: &str| {
        let whole = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        whole.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
    };
    text.split_ascii_whitespace().map(byte).collect()
}
