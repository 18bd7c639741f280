//! Actions: what they write, what they wait for, and where they may not write at all.

use std::ops::Range;

use toml::Spanned;

use super::super::{
    ActionSpec, Await, COILS_PER_WRITE_MAX, Limits, PointSpec, REGISTERS_PER_WRITE_MAX, STEPS_MAX, StateSpec,
    Step, Table, Write, raw,
};
use super::limits::{beyond, duration};
use super::map::Place;
use super::{Faults, Names};
use crate::safety::site::OutputKind;
use crate::units::Millis;

/// The longest that an action may wait for its device in one step.
const WITHIN_MAX: Millis = Millis::from_secs(60);

/// The pause between two questions where none is given, and the shortest.
const EVERY: (Millis, Millis) = (Millis(100), Millis(10));

/// The words by which a coil is switched on and off: a profile says `coil` for these.
const COIL_WORDS: [u16; 2] = [0xFF00, 0];

/// What actions refer to.
pub(super) struct Known<'a> {
    pub(super) points: &'a [PointSpec],
    pub(super) names: &'a Names,
    pub(super) limits: &'a Limits,
}

/// One copy of an action.
pub(super) fn action(
    raw: &raw::Action,
    place: Place,
    name: String,
    known: &Known<'_>,
    faults: &mut Faults<'_>,
) -> Option<ActionSpec> {
    let steps = steps(raw, place, faults)?;
    let output = match raw.output {
        raw::Output::Level => OutputKind::Level,
        raw::Output::Pulse => OutputKind::Pulse,
    };
    if steps.len() > STEPS_MAX {
        faults.add(raw.name.span(), format!("an action has at most {STEPS_MAX} steps"), "");
    }
    let travel = raw.travel.as_ref().and_then(|travel| duration(travel, faults)).unwrap_or(Millis::ZERO);
    if let (Some(given), true) = (&raw.travel, WITHIN_MAX < travel) {
        faults.add(given.span(), format!("nothing moves for longer than {WITHIN_MAX}"), "");
    }
    let mut spec = ActionSpec {
        name,
        steps,
        output,
        state: None,
        travel,
        irrevocable: raw.irrevocable,
        model: place.model,
        model_index: place.index,
    };
    if spec.writes().next().is_none() {
        faults.add(raw.name.span(), "an action writes something", "give a step with `write`");
    }
    for write in spec.writes() {
        if matches!(write, Write::CoilWord { .. }) && raw.output == raw::Output::Level {
            let help = "output = \"pulse\": nobody can say that telling it twice is harmless";
            faults.add(raw.name.span(), "a maker's own word is no level", help);
        }
        if place.model.is_none() && known.limits.unwritable.iter().any(|range| write.touches(range)) {
            let help = "see `unwritable` in [limits]";
            faults.add(raw.name.span(), "it writes where the profile says that nothing may be written", help);
        }
    }
    spec.state = state(raw, place, &spec, known, faults);
    Some(spec)
}

fn steps(raw: &raw::Action, place: Place, faults: &mut Faults<'_>) -> Option<Vec<Step>> {
    match (&raw.table, &raw.address) {
        (None, None) if !raw.step.is_empty() => {
            let lone = [raw.value.as_ref().map(Spanned::span), raw.values.as_ref().map(Spanned::span)];
            for span in lone.into_iter().flatten() {
                faults.add(span, "what is written stands in the steps", "move it into a step's `write`");
            }
            raw.step.iter().map(|step| self::step(step, place, faults)).collect()
        }
        (Some(table), Some(address)) if raw.step.is_empty() => {
            let (value, values) = (raw.value.clone(), raw.values.clone());
            let short = raw::Write { table: *table, address: address.clone(), value, values };
            Some(vec![Step::Write(write(&short, raw.name.span(), place, faults)?)])
        }
        _ => {
            let help = "table and address with value or values; or [[action.step]], and none of these";
            faults.add(raw.name.span(), "an action is one write, or a list of steps", help);
            None
        }
    }
}

fn step(raw: &Spanned<raw::Step>, place: Place, faults: &mut Faults<'_>) -> Option<Step> {
    match (&raw.get_ref().write, &raw.get_ref().status) {
        (Some(given), None) => Some(Step::Write(write(given.get_ref(), given.span(), place, faults)?)),
        (None, Some(given)) => Some(Step::Await(status(given, place, faults)?)),
        (Some(_), Some(_)) | (None, None) => {
            faults.add(raw.span(), "a step either writes or waits", "give one of `write` and `await`");
            None
        }
    }
}

fn write(raw: &raw::Write, span: Range<usize>, place: Place, faults: &mut Faults<'_>) -> Option<Write> {
    let address = shifted(&raw.address, place, faults)?;
    let write = match (raw.table, &raw.value, &raw.values) {
        (raw::WriteTable::Coil, Some(value), None) => {
            if 1 < *value.get_ref() {
                faults.add(value.span(), "a coil is 0 or 1", "");
            }
            Write::Coil { address, on: *value.get_ref() == 1 }
        }
        (raw::WriteTable::CoilWord, Some(value), None) => {
            if COIL_WORDS.contains(value.get_ref()) {
                faults.add(value.span(), "this word switches a coil", "table = \"coil\" with value 1 or 0");
            }
            Write::CoilWord { address, word: *value.get_ref() }
        }
        (raw::WriteTable::Coils, None, Some(values)) => {
            if values.get_ref().iter().any(|bit| 1 < *bit) {
                faults.add(values.span(), "a coil is 0 or 1", "");
            }
            list(address, values, COILS_PER_WRITE_MAX, "coils", faults);
            Write::Coils { address, bits: values.get_ref().iter().map(|bit| *bit == 1).collect() }
        }
        (raw::WriteTable::Holding, Some(value), None) => Write::Register { address, word: *value.get_ref() },
        (raw::WriteTable::HoldingMultiple, None, Some(values)) => {
            list(address, values, REGISTERS_PER_WRITE_MAX, "registers", faults);
            Write::Registers { address, words: values.get_ref().clone() }
        }
        (raw::WriteTable::Coil | raw::WriteTable::CoilWord | raw::WriteTable::Holding, ..) => {
            faults.add(span, "this action needs one value", "give `value` and no `values`");
            return None;
        }
        (raw::WriteTable::Coils | raw::WriteTable::HoldingMultiple, ..) => {
            faults.add(span, "this action needs a list of values", "give `values` and no `value`");
            return None;
        }
    };
    Some(write)
}

fn list(address: u16, values: &Spanned<Vec<u16>>, most: usize, what: &str, faults: &mut Faults<'_>) {
    let count = values.get_ref().len();
    if !(1..=most).contains(&count) {
        faults.add(values.span(), format!("one request writes 1 to {most} {what}"), "");
    } else if 0x1_0000 < usize::from(address) + count {
        faults.add(values.span(), "its last address is beyond 65535", "");
    }
}

fn shifted(address: &Spanned<u16>, place: Place, faults: &mut Faults<'_>) -> Option<u16> {
    let first = place.shift.saturating_add(u32::from(*address.get_ref()));
    if beyond(first, 1, address.span(), faults) { None } else { u16::try_from(first).ok() }
}

fn status(given: &Spanned<raw::Await>, place: Place, faults: &mut Faults<'_>) -> Option<Await> {
    let raw = given.get_ref();
    let mask = raw.mask.as_ref().map_or(u16::MAX, |mask| *mask.get_ref());
    let done = raw.done.get_ref();
    if done.is_empty() {
        faults.add(raw.done.span(), "no word would end the waiting", "give the words that mean success");
    }
    if done.iter().any(|word| word & !mask != 0) {
        faults.add(raw.done.span(), "the mask hides a bit of these words", "give them as masked");
    }
    for busy in &raw.busy {
        if done.contains(busy.get_ref()) || busy.get_ref() & !mask != 0 {
            faults.add(busy.span(), "a word is busy or done, and as masked", "");
        }
    }
    let every = raw.every.as_ref().map_or(Some(EVERY.0), |every| duration(every, faults))?;
    let within = duration(&raw.within, faults)?;
    if every < EVERY.1 || within < every || WITHIN_MAX < within {
        let help = format!("{} ≤ every ≤ within ≤ {WITHIN_MAX}", EVERY.1);
        faults.add(raw.within.span(), "these times do not fit", &help);
    }
    Some(Await {
        table: raw.table,
        address: shifted(&raw.address, place, faults)?,
        mask,
        busy: raw.busy.iter().map(|word| *word.get_ref()).collect(),
        done: done.clone(),
        every,
        within,
    })
}

fn state(
    raw: &raw::Action,
    place: Place,
    spec: &ActionSpec,
    known: &Known<'_>,
    faults: &mut Faults<'_>,
) -> Option<StateSpec> {
    let Some(given) = &raw.state else {
        if let Some(read_back) = &raw.read_back {
            faults.add(read_back.span(), "read_back needs a state to read", "give `state`");
        }
        return None;
    };
    let (table, address, count) = match given.get_ref() {
        raw::State::Address(raw::Address { table, address }) => {
            let first = place.shift.saturating_add(u32::from(*address));
            beyond(first, 1, given.span(), faults);
            (*table, u16::try_from(first).ok()?, 1)
        }
        raw::State::Point(pattern) => {
            let name = place.name(pattern);
            let Some(at) = known.names.get(&name) else {
                faults.no_point(&name, given.span());
                return None;
            };
            let point = &known.points[*at];
            if (point.model, point.model_index) != (place.model, place.index) {
                let help = "its addresses and those of the action count from one model";
                faults.add(given.span(), format!("\"{name}\" lies in another model"), help);
            }
            (point.table, point.address, point.words())
        }
    };
    let read_back = raw.read_back.as_ref().map(|word| *word.get_ref());
    let read_back =
        read_back.or_else(|| spec.writes().filter_map(|write| written(write, table, address)).last());
    Some(StateSpec { table, address, count, read_back })
}

/// The word that this write leaves at the beginning of what it writes, if that is here.
fn written(write: &Write, table: Table, address: u16) -> Option<u16> {
    let (its_table, its_address, _) = write.place();
    let word = match write {
        Write::Coil { on, .. } => u16::from(*on),
        Write::CoilWord { .. } => return None,
        Write::Coils { bits, .. } => u16::from(*bits.first()?),
        Write::Register { word, .. } => *word,
        Write::Registers { words, .. } => *words.first()?,
    };
    ((its_table, its_address) == (table, address)).then_some(word)
}
