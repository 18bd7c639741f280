//! One stage: its action, what must hold before, and what must be seen after.

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::node::At;
use crate::config::plant::Plant;
use crate::config::table::Table;
use crate::config::value;
use crate::field::options::LinkOptions;
use crate::safety::sequence::spec::{ATTEMPTS_MAX, Cuts, Expect, Stage, StageWhen};
use crate::safety::site::{Action, ActionId, DeviceId, OutputKind};
use crate::units::Millis;

use super::{clauses, expect};

const WHEN: &[(&str, StageWhen)] = &[
    ("always", StageWhen::Always),
    ("after_failure", StageWhen::AfterFailure),
    ("by_person", StageWhen::ByPersons(1)),
    ("by_two_persons", StageWhen::ByPersons(2)),
];

/// How long a stage may wait for its turn or its permissives.
const WAIT_MS: std::ops::RangeInclusive<u64> = 0..=3_600_000;
/// How long feedback may take.
const VERIFY_MS: std::ops::RangeInclusive<u64> = 100..=600_000;
/// The oldest reading that may permit a command; the aim of R7 is 1 s.
const PERMISSIVE_AGE_MAX: Millis = Millis(5_000);
/// Periods of the feedback that verifying takes: one read may be under way when the command is given.
const VERIFY_POLLS_MIN: u64 = 2;

/// Reads every `[[sequence.stage]]` of a sequence, and what they say of each other.
pub(super) fn read_all(
    desk: &mut Desk,
    tables: Vec<Table>,
    plant: &mut Plant,
    no_return: Option<&At<i64>>,
) -> Vec<Option<Stage>> {
    let mut names: Vec<String> = Vec::new();
    let mut stages = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let at = table.at;
        let Read { stage, name, irrevocable } = read(desk, table, plant, &names);
        names.push(name);
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        if let (true, Some(no_return)) = (irrevocable, no_return)
            && index < no_return.value
        {
            desk.say(
                Code::CannotAbort,
                no_return.at,
                "the cut could still be aborted when this cannot be taken back",
            )
            .label(format!("no_return is {}", no_return.value))
            .also(at, "the command of this stage cannot be taken back")
            .help(format!("write no_return = {index} or less"));
        }
        stages.push(stage);
    }
    stages
}

/// One stage, as far as it could be read.
struct Read {
    stage: Option<Stage>,
    name: String,
    irrevocable: bool,
}

/// Reads one `[[sequence.stage]]` that follows those of these names.
fn read(desk: &mut Desk, mut table: Table, plant: &mut Plant, before: &[String]) -> Read {
    let name = table.need(desk, "name", value::filled);
    let action = table.need(desk, "action", value::text);
    let cuts = table.need(desk, "cuts", |d, k, n| clauses::cuts(d, k, n, plant));
    let when = table.need(desk, "when", value::word(WHEN));
    let (requires, life_safety) = clauses::requires(desk, &mut table, before);
    let permissives = table.need(desk, "permissives", value::list(|d, k, n| expect::read(d, k, n, plant)));
    let age = table.need(desk, "permissive_age_max", value::duration(1..=3_600_000));
    let permissive_wait = table.need(desk, "permissive_wait", value::duration(WAIT_MS));
    let delay = table.need(desk, "delay", value::duration(WAIT_MS));
    let wait_for_logins =
        table.may(desk, "wait_for_logins", |d, k, n| clauses::wait_for_logins(d, k, n, plant));
    let verify = table.need(desk, "verify", value::list(|d, k, n| expect::read(d, k, n, plant)));
    let verify_within = table.need(desk, "verify_within", value::duration(VERIFY_MS));
    let attempts = table.need(desk, "attempts", value::whole(1..=i64::from(ATTEMPTS_MAX)));
    let on_fail = table.need(desk, "on_fail", clauses::on_fail);
    table.finish(desk);
    let found = action.as_ref().and_then(|action| find_action(desk, plant, action));
    if let (Some(age), Some(permissives)) = (&age, &permissives) {
        check_age(desk, plant, age, &permissives.value);
    }
    if let Some(verify) = &verify {
        // A siren has no contact that shows it; what cuts nothing may be verified by its own command.
        let proof = found.as_ref().filter(|_| cuts.as_ref().is_none_or(Cuts::something));
        check_feedback(desk, plant, verify, proof);
        if let Some(within) = &verify_within {
            let travel = found.as_ref().map_or(Millis::ZERO, |found| found.travel);
            check_verify_time(desk, plant, within, &verify.value, travel);
        }
    }
    if let (Some(action), Some(found)) = (&action, &found) {
        check_attempts(desk, attempts.as_ref(), found);
        check_link(desk, plant, action, found.device);
    }
    let irrevocable = found.as_ref().is_some_and(|found| found.irrevocable);
    let expects = |list: At<Vec<(Place, Expect)>>| list.value.into_iter().map(|(_, expect)| expect).collect();
    let name_text = name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
    let stage = || {
        Some(Stage {
            name: name?.value,
            action: enter(plant, action?.value, found?),
            cuts: cuts?,
            when: when?,
            requires: requires?,
            life_safety,
            permissives: expects(permissives?),
            permissive_age_max: age?.value,
            permissive_wait: permissive_wait?.value,
            delay: delay?.value,
            wait_for_logins,
            verify: expects(verify?),
            verify_within: verify_within?.value,
            attempts: u8::try_from(attempts?.value).ok()?,
            on_fail: on_fail?,
        })
    };
    Read { stage: stage(), name: name_text, irrevocable }
}

struct Found {
    device: usize,
    action: String,
    output: OutputKind,
    echoes: Vec<String>,
    /// How long the switch takes to move.
    travel: Millis,
    /// The device goes on by itself once it was told.
    irrevocable: bool,
}

fn find_action(desk: &mut Desk, plant: &Plant, name: &At<String>) -> Option<Found> {
    let (device, view, rest) = plant.split(desk, name, "action")?;
    if let Some(action) = view.actions.iter().find(|action| action.name == rest.value) {
        return Some(Found {
            device,
            action: rest.value,
            output: action.output,
            echoes: action.echoes.clone(),
            travel: action.travel,
            irrevocable: action.irrevocable,
        });
    }
    let known = view.actions.iter().map(|action| action.name.as_str());
    let help = crate::config::suggest::help(&rest.value, known);
    desk.say(Code::NoSuchAction, name.at, format!("profile `{}` has no action `{}`", view.id, rest.value))
        .label("no such action")
        .help(help);
    None
}

/// No order goes where its answer could not be believed.
fn check_link(desk: &mut Desk, plant: &Plant, action: &At<String>, device: usize) {
    let device = DeviceId::at(device);
    let of_device = |link: &&LinkOptions| link.devices.iter().any(|options| options.device == device);
    if let Some(link) = plant.links.iter().find(of_device)
        && link.ignore_transaction_ids
    {
        let text = format!("link `{}` ignores transaction ids: nothing may be written on it", link.name);
        desk.say(Code::IdsIgnored, action.at, text)
            .label("an order")
            .help("take `ignore_transaction_ids` out, or command the device over a link of its own");
    }
}

/// The id of the action, entered where it is used first.
fn enter(plant: &mut Plant, name: String, found: Found) -> ActionId {
    if let Some(index) = plant.site.actions.iter().position(|action| action.name == name) {
        return ActionId::at(index);
    }
    let id = ActionId::at(plant.site.actions.len());
    let device = DeviceId::at(found.device);
    plant.site.actions.push(Action { name, device, output: found.output });
    plant.site.devices[found.device].switches = true;
    let mut devices = plant.links.iter_mut().flat_map(|link| &mut link.devices);
    if let Some(options) = devices.find(|options| options.device == device) {
        options.actions.push((id, found.action));
    }
    id
}

fn check_age(desk: &mut Desk, plant: &Plant, age: &At<Millis>, permissives: &[(Place, Expect)]) {
    if PERMISSIVE_AGE_MAX < age.value {
        desk.say(Code::PermissiveAge, age.at, format!("readings of {} may not permit a command", age.value))
            .label(format!("at most {PERMISSIVE_AGE_MAX}"))
            .help("write \"1s\", or what the polling allows, up to 5 s");
    }
    for (at, expect) in permissives {
        let period = plant.site[expect.point].period;
        if age.value < period {
            desk.say(Code::PermissiveAge, age.at, "this permissive could hardly ever be met")
                .label("younger than the polling allows")
                .also(*at, format!("read every {period}"))
                .help(format!("write \"{period}\" or more, or poll faster"));
        }
    }
}

fn check_feedback(desk: &mut Desk, plant: &Plant, verify: &At<Vec<(Place, Expect)>>, found: Option<&Found>) {
    if verify.value.is_empty() {
        desk.say(Code::NoFeedback, verify.at, "this stage verifies nothing")
            .label("a command is not an effect")
            .help("read back the position of the breaker, and current or voltage where there is one");
        return;
    }
    let Some(found) = found else { return };
    let is_echo = |expect: &Expect| {
        let point = &plant.site[expect.point];
        point.device.index() == found.device && found.echoes.contains(&point.name)
    };
    if verify.value.iter().all(|(_, expect)| is_echo(expect)) {
        desk.say(Code::NotIndependent, verify.at, "this stage verifies only its own command")
            .label("the coil that was written")
            .help("add the auxiliary contact of what is switched, or its current");
    }
}

/// A pulse is told once.
fn check_attempts(desk: &mut Desk, attempts: Option<&At<i64>>, found: &Found) {
    if let Some(attempts) = attempts
        && found.output == OutputKind::Pulse
        && 1 < attempts.value
    {
        desk.say(Code::PulseTwice, attempts.at, "a pulse is never given twice by itself")
            .label("this action acts each time it is told")
            .help("write attempts = 1");
    }
}

fn check_verify_time(
    desk: &mut Desk,
    plant: &Plant,
    within: &At<Millis>,
    verify: &[(Place, Expect)],
    travel: Millis,
) {
    for (at, expect) in verify {
        let needed = travel.plus(plant.site[expect.point].period.times(VERIFY_POLLS_MIN));
        if within.value < needed {
            let moves = if travel == Millis::ZERO {
                String::new()
            } else {
                format!("the switch moves for {travel}, and ")
            };
            desk.say(Code::VerifyTooShort, within.at, "too short for two reads of the feedback")
                .also(*at, format!("{moves}read every {}", plant.site[expect.point].period))
                .help(format!("write \"{needed}\" or more, or poll faster"));
        }
    }
}
