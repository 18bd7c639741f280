//! The steps `watch`, `warning` and `danger` of limits and rates: their order, deadband and reach.

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::node::{At, Node};
use crate::config::plant::as_table;
use crate::config::table::Table;
use crate::config::value;
use crate::safety::rules::limit::{Side, Step};

use super::DELAY_MS;

const WORDS: [&str; 3] = ["watch", "warning", "danger"];

/// What the steps are checked against.
pub(super) struct Frame<R> {
    /// Reads a limit in its unit.
    pub(super) read: R,
    pub(super) side: Side,
    /// Between these limits can be reached.
    pub(super) range: Option<(f64, f64)>,
}

/// Reads the three steps and the deadband. `None` if anything is wrong with them.
pub(super) fn read<R>(
    desk: &mut Desk,
    table: &mut Table,
    frame: &Frame<R>,
) -> Option<(f64, [Option<Step>; 3])>
where
    R: Fn(&mut Desk, &str, At<Node>) -> Option<At<f64>>,
{
    let deadband = table.need(desk, "deadband", &frame.read);
    let mut steps: [Option<(At<f64>, Step)>; 3] = [None, None, None];
    let mut whole = true;
    for (slot, word) in steps.iter_mut().zip(WORDS) {
        let Some(node) = table.take(word) else { continue };
        *slot = as_table(desk, word, node).and_then(|body| step(desk, body, frame));
        whole &= slot.is_some();
    }
    if steps.iter().all(Option::is_none) && whole {
        desk.say(Code::NoLimit, table.at, "this rule has no limit")
            .label("needs watch, warning or danger")
            .help("add for instance warning = { limit = \"…\", on_delay = \"10s\", off_delay = \"60s\" }");
        return None;
    }
    if !whole {
        return None;
    }
    order(desk, frame.side, &steps);
    let deadband = deadband?;
    check_deadband(desk, frame.side, frame.range, &deadband, &steps);
    Some((deadband.value, steps.map(|step| step.map(|(_, step)| step))))
}

fn step<R>(desk: &mut Desk, mut body: Table, frame: &Frame<R>) -> Option<(At<f64>, Step)>
where
    R: Fn(&mut Desk, &str, At<Node>) -> Option<At<f64>>,
{
    let limit = body.need(desk, "limit", &frame.read);
    let on_delay = body.need(desk, "on_delay", value::duration(DELAY_MS));
    let off_delay = body.need(desk, "off_delay", value::duration(DELAY_MS));
    let has_extreme = body.has("extreme");
    let extreme = body.may(desk, "extreme", &frame.read);
    body.finish(desk);
    let limit = limit?;
    for number in [Some(&limit), extreme.as_ref()].into_iter().flatten() {
        if let Some((low, high)) = frame.range
            && !(low <= number.value && number.value <= high)
        {
            desk.say(Code::Unreachable, number.at, format!("{} can never be reached", number.value))
                .label(if high.is_finite() {
                    format!("the point reads from {low} to {high}")
                } else {
                    format!("must be more than {low}")
                })
                .help("write a limit that a believable reading can reach");
        }
    }
    if let Some(extreme) = &extreme
        && beyond(frame.side, extreme.value, limit.value) < 0.0
    {
        desk.say(Code::Extreme, extreme.at, "the extreme value lies before its limit")
            .label("skips the delay")
            .also(limit.at, "the limit")
            .help("write a value at the limit or further out");
    }
    if has_extreme && extreme.is_none() {
        return None;
    }
    let (value, extreme) = (limit.value, extreme.map(|extreme| extreme.value));
    Some((limit, Step { limit: value, on_delay: on_delay?.value, off_delay: off_delay?.value, extreme }))
}

/// How much further out on the dangerous side `a` lies than `b`.
fn beyond(side: Side, a: f64, b: f64) -> f64 {
    match side {
        Side::Above => a - b,
        Side::Below => b - a,
    }
}

/// Each step at least as far out as the one before.
fn order(desk: &mut Desk, side: Side, steps: &[Option<(At<f64>, Step)>; 3]) {
    let given: Vec<_> =
        steps.iter().zip(WORDS).filter_map(|(step, word)| Some((step.as_ref()?, word))).collect();
    for pair in given.windows(2) {
        let ((calm, _), calm_word) = pair[0];
        let ((worse, _), worse_word) = pair[1];
        if beyond(side, worse.value, calm.value) < 0.0 {
            let relation = match side {
                Side::Above => "below",
                Side::Below => "above",
            };
            desk.say(
                Code::LimitOrder,
                worse.at,
                format!(
                    "the limit of {worse_word}, {}, lies {relation} that of {calm_word}, {}",
                    worse.value, calm.value
                ),
            )
            .label(worse_word)
            .also(calm.at, calm_word)
            .help("watch, warning and danger must lie further and further out");
        }
    }
}

fn check_deadband(
    desk: &mut Desk,
    side: Side,
    range: Option<(f64, f64)>,
    deadband: &At<f64>,
    steps: &[Option<(At<f64>, Step)>; 3],
) {
    if deadband.value < 0.0 {
        desk.say(Code::Deadband, deadband.at, "the deadband is negative")
            .help("write how far a value must come back, zero or more");
        return;
    }
    let given: Vec<f64> = steps.iter().flatten().map(|(limit, _)| limit.value).collect();
    for pair in given.windows(2) {
        let gap = beyond(side, pair[1], pair[0]);
        if 0.0 < gap && gap < deadband.value {
            desk.say(Code::Deadband, deadband.at, format!("the deadband crosses the limit {}", pair[0]))
                .label(format!("{} is {gap} from the next limit", pair[1]))
                .help(format!("write {gap} or less"));
            return;
        }
    }
    let end = range.map(|(low, high)| if side == Side::Above { low } else { high });
    if let (Some(first), Some(end)) = (given.first(), end)
        && (0.0..=deadband.value).contains(&beyond(side, *first, end))
    {
        desk.say(Code::Deadband, deadband.at, "the deadband leaves the range of the point")
            .label(format!("the level of {first} could never be left"))
            .help("write a smaller deadband");
    }
}
