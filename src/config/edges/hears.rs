//! What a target of messages hears: `zones`, `kinds`, `priority_min`, `escalate_after`.

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::table::Table;
use crate::config::value;
use crate::notify::options::{Hears, Kind};
use crate::safety::site::{Priority, ZoneId};

const PRIORITIES: &[(&str, Priority)] = &[
    ("low", Priority::Low),
    ("medium", Priority::Medium),
    ("high", Priority::High),
    ("critical", Priority::Critical),
];

const KINDS: &[(&str, Kind)] =
    &[("alarm", Kind::Alarm), ("sequence", Kind::Sequence), ("notice", Kind::Notice)];

/// From "nobody sat at the screen" to "nobody came in this shift".
const ESCALATE_MS: std::ops::RangeInclusive<u64> = 1_000..=86_400_000;

/// Reads the keys of a target. `alarms_only`: the receiver understands nothing else.
pub(super) fn read(desk: &mut Desk, table: &mut Table, zones: &Names, alarms_only: bool) -> Hears {
    let named = table.may(desk, "zones", value::filled_list(value::text));
    let zones = named.map(|names| {
        let found = names.value.iter().filter_map(|name| zones.find(desk, name));
        found.map(ZoneId::at).collect()
    });
    let kinds = table.may(desk, "kinds", value::filled_list(value::word(KINDS)));
    let priority_min = table.may(desk, "priority_min", value::word(PRIORITIES));
    let escalate_after = table.may(desk, "escalate_after", value::duration(ESCALATE_MS));
    if let Some(kinds) = &kinds
        && kinds.value != [Kind::Alarm]
        && (alarms_only || escalate_after.is_some())
    {
        let why =
            if alarms_only { "an Alertmanager takes alarms" } else { "`escalate_after` waits for alarms" };
        desk.say(Code::TargetHears, kinds.at, format!("{why} and nothing else"))
            .label("more than alarms")
            .help("leave `kinds` out, and give notices and sequences a target of their own");
    }
    Hears {
        zones,
        kinds: if alarms_only { Some(vec![Kind::Alarm]) } else { kinds.map(|kinds| kinds.value) },
        priority_min: Some(priority_min.unwrap_or(Priority::High)),
        escalate_after: escalate_after.map(|span| span.value),
    }
}

/// Complains if there are targets, and none of them hears of emberwatch itself.
pub(super) fn check_all<'a>(
    desk: &mut Desk,
    at: crate::config::complaint::Place,
    all: impl Iterator<Item = &'a Hears>,
) {
    let mut all = all.peekable();
    let hears_all = |hears: &Hears| {
        let alarms = hears.kinds.as_ref().is_none_or(|kinds| kinds.contains(&Kind::Alarm));
        alarms && hears.zones.is_none() && hears.escalate_after.is_none()
    };
    if all.peek().is_some() && !all.any(hears_all) {
        desk.say(Code::NobodyHears, at, "no target hears of what is about no zone")
            .label("disk full, broker down, clock wrong: nobody would be told")
            .help("give one target the alarms without `zones` and without `escalate_after`");
    }
}
