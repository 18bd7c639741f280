//! One stage: its action, what must hold before, and what must be seen after.

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::node::At;
use crate::config::plant::Plant;
use crate::config::table::Table;
use crate::config::value;
use crate::field::options::LinkOptions;
use crate::safety::sequence::spec::{ATTEMPTS_MAX, Expect, OnFail, Stage, StageWhen};
use crate::safety::site::{Action, ActionId, DeviceId, OutputKind};
use crate::units::Millis;

use super::expect;

const WHEN: &[(&str, StageWhen)] =
    &[("always", StageWhen::Always), ("after_failure", StageWhen::AfterFailure)];

const ON_FAIL: &[(&str, OnFail)] = &[("next", OnFail::Next), ("hold", OnFail::Hold)];

/// How long a stage may wait for its turn or its permissives.
const WAIT_MS: std::ops::RangeInclusive<u64> = 0..=3_600_000;
/// How long feedback may take.
const VERIFY_MS: std::ops::RangeInclusive<u64> = 100..=600_000;
/// The oldest reading that may permit a command; the aim of R7 is 1 s.
const PERMISSIVE_AGE_MAX: Millis = Millis(5_000);
/// Periods of the feedback that verifying takes: one read may be under way when the command is given.
const VERIFY_POLLS_MIN: u64 = 2;

/// Reads one `[[sequence.stage]]`.
pub(super) fn read(desk: &mut Desk, mut table: Table, plant: &mut Plant) -> Option<Stage> {
    let name = table.need(desk, "name", value::filled);
    let action = table.need(desk, "action", value::text);
    let when = table.need(desk, "when", value::word(WHEN));
    let permissives = table.need(desk, "permissives", value::list(|d, k, n| expect::read(d, k, n, plant)));
    let age = table.need(desk, "permissive_age_max", value::duration(1..=3_600_000));
    let permissive_wait = table.need(desk, "permissive_wait", value::duration(WAIT_MS));
    let delay = table.need(desk, "delay", value::duration(WAIT_MS));
    let verify = table.need(desk, "verify", value::list(|d, k, n| expect::read(d, k, n, plant)));
    let verify_within = table.need(desk, "verify_within", value::duration(VERIFY_MS));
    let attempts = table.need(desk, "attempts", value::whole(1..=i64::from(ATTEMPTS_MAX)));
    let on_fail = table.need(desk, "on_fail", value::word(ON_FAIL));
    table.finish(desk);
    let found = action.as_ref().and_then(|action| find_action(desk, plant, action));
    if let (Some(age), Some(permissives)) = (&age, &permissives) {
        check_age(desk, plant, age, &permissives.value);
    }
    if let Some(verify) = &verify {
        check_feedback(desk, plant, verify, found.as_ref());
        if let Some(within) = &verify_within {
            check_verify_time(desk, plant, within, &verify.value);
        }
    }
    if let (Some(attempts), Some(found)) = (&attempts, &found)
        && found.output == OutputKind::Pulse
        && 1 < attempts.value
    {
        desk.say(Code::PulseTwice, attempts.at, "a pulse is never given twice by itself")
            .label("this action acts each time it is told")
            .help("write attempts = 1");
    }
    if let (Some(action), Some(found)) = (&action, &found) {
        check_link(desk, plant, action, found.device);
    }
    let expects = |list: At<Vec<(Place, Expect)>>| list.value.into_iter().map(|(_, expect)| expect).collect();
    Some(Stage {
        name: name?.value,
        action: enter(plant, action?.value, found?),
        when: when?,
        permissives: expects(permissives?),
        permissive_age_max: age?.value,
        permissive_wait: permissive_wait?.value,
        delay: delay?.value,
        verify: expects(verify?),
        verify_within: verify_within?.value,
        attempts: u8::try_from(attempts?.value).ok()?,
        on_fail: on_fail?,
    })
}

struct Found {
    device: usize,
    action: String,
    output: OutputKind,
    echoes: Vec<String>,
}

fn find_action(desk: &mut Desk, plant: &Plant, name: &At<String>) -> Option<Found> {
    let (device, view, rest) = plant.split(desk, name, "action")?;
    if let Some(action) = view.actions.iter().find(|action| action.name == rest.value) {
        return Some(Found {
            device,
            action: rest.value,
            output: action.output,
            echoes: action.echoes.clone(),
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

fn check_verify_time(desk: &mut Desk, plant: &Plant, within: &At<Millis>, verify: &[(Place, Expect)]) {
    for (at, expect) in verify {
        let needed = plant.site[expect.point].period.times(VERIFY_POLLS_MIN);
        if within.value < needed {
            desk.say(Code::VerifyTooShort, within.at, "too short for two reads of the feedback")
                .also(*at, format!("read every {}", plant.site[expect.point].period))
                .help(format!("write \"{needed}\" or more, or poll faster"));
        }
    }
}
