//! What is expected of a replay: `[[expect]]`, one subject each, with its times.

use super::found;
use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::suggest;
use crate::config::table::Table;
use crate::config::value;
use crate::replay::options::{Expectation, SEQUENCE_EVENTS, What};
use crate::safety::risk::Level;
use crate::safety::site::{AlarmId, RuleId, SequenceId, Site, ZoneId};

/// A year: longer than any recording.
const TIME_MAX_MS: u64 = 366 * 86_400_000;

const LEVELS: [(&str, Level); 3] =
    [("watch", Level::Watch), ("warning", Level::Warning), ("danger", Level::Danger)];

const SUBJECTS: [&str; 4] = ["zone", "rule", "alarm", "sequence"];

/// Reads the whole file.
pub(super) fn read(desk: &mut Desk, mut root: Table, site: &Site) -> Vec<Expectation> {
    let at = root.at;
    let tables = root.tables(desk, "expect");
    if tables.is_empty() {
        desk.say(Code::EmptyList, at, "nothing is expected")
            .help("write an [[expect]] with `zone`, `level` and `not_after`, for instance");
    }
    let expectations = tables.into_iter().filter_map(|table| expectation(desk, table, site)).collect();
    root.finish(desk);
    expectations
}

fn expectation(desk: &mut Desk, mut table: Table, site: &Site) -> Option<Expectation> {
    let at = table.at;
    let line = desk.complaints.locate(at).map_or(0, |(_, line, _)| line);
    let what = subject(desk, &mut table, site);
    let not_before = table.may(desk, "not_before", value::duration(0..=TIME_MAX_MS));
    let not_after = table.may(desk, "not_after", value::duration(0..=TIME_MAX_MS));
    let never = table.may(desk, "never", value::flag).unwrap_or(false);
    table.finish(desk);
    if let (Some(low), Some(high)) = (&not_before, &not_after)
        && high.value < low.value
    {
        desk.say(Code::OutOfRange, high.at, "`not_after` lies before `not_before`")
            .help("nothing can happen in between: correct one of the two");
        return None;
    }
    let (not_before, not_after) = (not_before.map(|at| at.value), not_after.map(|at| at.value));
    Some(Expectation { what: what?, not_before, not_after, never, line })
}

fn subject(desk: &mut Desk, table: &mut Table, site: &Site) -> Option<What> {
    let given: Vec<&str> = SUBJECTS.into_iter().filter(|key| table.has(key)).collect();
    let at = table.at;
    let mut name = |desk: &mut Desk, key: &'static str| table.may(desk, key, value::filled);
    let names = [name(desk, "zone"), name(desk, "rule"), name(desk, "alarm"), name(desk, "sequence")];
    let level = table.may(desk, "level", value::word(&LEVELS));
    let event = table.may(desk, "event", value::filled);
    let stage = table.may(desk, "stage", value::filled);
    let [only] = given[..] else {
        desk.say(Code::KindCount, at, "an expectation has exactly one subject")
            .help(format!("write one of: {}", SUBJECTS.join(", ")));
        return None;
    };
    let of =
        |all: Vec<String>, desk: &mut Desk, index: usize| found(desk, only, names[index].as_ref()?, &all);
    if matches!(only, "zone" | "rule") && level.is_none() {
        desk.say(Code::MissingKey, at, format!("what should `{only}` come to?"))
            .help("write level = \"watch\", \"warning\" or \"danger\"");
    }
    match only {
        "zone" => {
            let zone = of(site.zones.iter().map(|zone| zone.name.clone()).collect(), desk, 0)?;
            Some(What::Zone(ZoneId::at(zone), level?))
        }
        "rule" => {
            let rule = of(site.rules.iter().map(|rule| rule.name.clone()).collect(), desk, 1)?;
            Some(What::Rule(RuleId::at(rule), level?))
        }
        "alarm" => {
            let alarm = of(site.alarms.iter().map(|alarm| alarm.name.clone()).collect(), desk, 2)?;
            Some(What::Alarm(AlarmId::at(alarm)))
        }
        _ => {
            let sequence = of(site.sequences.iter().map(|known| known.name.clone()).collect(), desk, 3)?;
            let id = SequenceId::at(sequence);
            let stages: Vec<String> = site[id].stages.iter().map(|stage| stage.name.clone()).collect();
            let stage = match stage {
                Some(name) => u8::try_from(found(desk, "stage", &name, &stages)?).ok(),
                None => None,
            };
            let Some(event) = event else {
                let word = if stage.is_some() { "stage-ordered" } else { "countdown" };
                return Some(What::Sequence(id, word, stage));
            };
            let Some(word) = SEQUENCE_EVENTS.into_iter().find(|word| *word == event.value) else {
                desk.say(Code::BadWord, event.at, format!("`{}` is no event of a sequence", event.value))
                    .label(format!("one of: {}", SEQUENCE_EVENTS.join(", ")))
                    .help(suggest::help(&event.value, SEQUENCE_EVENTS));
                return None;
            };
            Some(What::Sequence(id, word, stage))
        }
    }
}
