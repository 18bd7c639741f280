//! `sequence/{seq}` and `zone/{zone}/notice`.

use serde::Serialize;
use serde_json::{Value, json};

use super::document;
use crate::safety::fact::Operator;
use crate::safety::reading::Reading;
use crate::safety::sequence::spec::{Condition, Cuts, Expect, Sequence, Stage};
use crate::safety::sequence::{Cause, Notice, NoticeStage, Phase, Run, SequenceState, StageState, Step};
use crate::safety::site::{Labels, LoadGroup, PointId, SequenceId, Site};
use crate::units::Uptime;
use crate::wire::{Envelope, text, time};

/// What a sequence's document tells beyond its state.
#[derive(Clone, Copy, Debug, Default)]
pub struct SequenceExtras<'a> {
    /// Current readings by point, for permissives; unknown where there is none.
    pub readings: &'a [Reading],
    /// Who took the first step of a cut by hand.
    pub selected_by: Option<&'a str>,
    /// What waits for a second person.
    pub proposed: Option<&'a Proposed>,
}

/// The first half of what takes two persons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// Who was the first.
    pub by: Operator,
    /// What is asked for: `disarm` or `reset`.
    pub verb: &'static str,
    /// It is forgotten after this.
    pub until: Uptime,
}

/// The word of what a sequence does.
#[must_use]
pub const fn state_word(phase: &Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Run(run) => match run.step {
            Step::Countdown { .. } => "countdown",
            Step::Rereading { .. } => "rereading",
            Step::Waiting { .. } | Step::Ordered { .. } => "executing",
            Step::Verifying { .. } => "verifying",
            Step::Held { .. } => "held",
            Step::Done => "done",
            Step::Failed => "failed",
            Step::Aborted { .. } => "aborted",
        },
    }
}

/// All words of [`state_word`].
pub const STATE_WORDS: [&str; 9] =
    ["idle", "countdown", "rereading", "executing", "verifying", "held", "done", "failed", "aborted"];

/// True from the countdown until the run comes to an end; a run that is held is under way.
#[must_use]
pub const fn under_way(phase: &Phase) -> bool {
    match phase {
        Phase::Idle => false,
        Phase::Run(run) => !matches!(run.step, Step::Done | Step::Failed | Step::Aborted { .. }),
    }
}

/// One sequence as it stands. `remaining_ms` counts from `ts`.
#[must_use]
pub fn sequence(
    envelope: &Envelope,
    sequence: SequenceId,
    state: &SequenceState,
    extras: SequenceExtras,
) -> Value {
    let site = envelope.site;
    let spec = &site[sequence];
    let run = match &state.phase {
        Phase::Idle => None,
        Phase::Run(run) => Some(run),
    };
    let until = run.and_then(deadline);
    let current = run.and_then(|run| stage_index(&run.step));
    document(
        envelope,
        json!({
            "id": spec.name,
            "title": spec.title,
            "zone": site[spec.zone].name,
            "run": run.map(|run| envelope.run(run.id.0)),
            "mode": text::mode(state.mode),
            "drill": run.is_some_and(|run| run.cause.is_drill()),
            "shadow": run.is_some_and(|run| run.shadow),
            "state": state_word(&state.phase),
            "since": run.map(|run| time::rfc3339(run.since)),
            "deadline": until.map(|at| time::rfc3339(envelope.wall(at))),
            "remaining_ms": until.map(|at| at.since(envelope.now.uptime).0),
            "countdown_ms": spec.countdown.0,
            "trigger": run.map(|run| cause(site, sequence, &run.cause)),
            "abort": { "allowed": run.is_some_and(|run| !run.cause.is_by_hand() && abortable(&run.step, spec.no_return)) },
            "permissives": permissives(site, spec.stages.get(current.unwrap_or(0)), extras.readings),
            "step": { "n": current.map_or(0, |n| n + 1), "of": spec.stages.len() },
            "steps": steps(site, &spec.stages, run),
            "selected_by": extras.selected_by,
            "proposed": extras.proposed.map(|proposed| json!({
                "verb": proposed.verb, "by": &*proposed.by,
                "until": time::rfc3339(envelope.wall(proposed.until)),
                "remaining_ms": proposed.until.since(envelope.now.uptime).0,
            })),
        }),
    )
}

fn deadline(run: &Run) -> Option<Uptime> {
    match run.step {
        Step::Countdown { until }
        | Step::Rereading { until, .. }
        | Step::Waiting { until, .. }
        | Step::Verifying { until, .. } => Some(until),
        Step::Ordered { answer_by, .. } => Some(answer_by),
        Step::Held { until, .. } => until,
        Step::Done | Step::Failed | Step::Aborted { .. } => None,
    }
}

fn stage_index(step: &Step) -> Option<usize> {
    match *step {
        Step::Rereading { stage, .. }
        | Step::Waiting { stage, .. }
        | Step::Ordered { stage, .. }
        | Step::Verifying { stage, .. }
        | Step::Held { stage, .. } => Some(usize::from(stage)),
        Step::Countdown { .. } | Step::Done | Step::Failed | Step::Aborted { .. } => None,
    }
}

fn abortable(step: &Step, no_return: u8) -> bool {
    match *step {
        Step::Countdown { .. } => true,
        Step::Rereading { stage, .. }
        | Step::Waiting { stage, .. }
        | Step::Ordered { stage, .. }
        | Step::Verifying { stage, .. }
        | Step::Held { stage, .. } => stage < no_return,
        Step::Done | Step::Failed | Step::Aborted { .. } => false,
    }
}

fn cause(site: &Site, sequence: SequenceId, cause: &Cause) -> Value {
    let rule = site[sequence].trigger;
    match cause {
        Cause::Vote { voting, by_policy } => json!({
            "kind": "vote",
            "rule": site[rule].name,
            "voting": text::channels(site, Some(rule), *voting),
            "by_policy": by_policy,
            "text": text::cause(site, sequence, cause),
        }),
        Cause::Manual { by } => {
            json!({ "kind": "manual", "by": &**by, "text": text::cause(site, sequence, cause) })
        }
        Cause::Drill { by } => {
            json!({ "kind": "drill", "by": &**by, "text": text::cause(site, sequence, cause) })
        }
    }
}

fn steps(site: &Site, stages: &[Stage], run: Option<&Run>) -> Vec<Value> {
    let states = run.map_or(&[][..], |run| &run.stages);
    let state = |index: usize| states.get(index).copied().unwrap_or_default();
    let one = |(index, stage): (usize, &Stage)| {
        let (word, why) = stage_word(site, state(index));
        json!({
            "name": stage.name, "action": site[stage.action].name, "cuts": cuts(site, stage),
            "state": word, "why": why,
        })
    };
    stages.iter().enumerate().map(one).collect()
}

/// What goes without power by a stage: `[]`, `["battery"]`, or feeds.
fn cuts(site: &Site, stage: &Stage) -> Vec<String> {
    match &stage.cuts {
        Cuts::Nothing => Vec::new(),
        Cuts::Battery => vec!["battery".to_owned()],
        Cuts::Feeds(feeds) => feeds.iter().map(|feed| text::feed(site, *feed)).collect(),
    }
}

/// A feed that a sequence can take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Affected<'a> {
    /// Whose power it is.
    pub load_group: &'a str,
    /// The same for people.
    pub title: &'a str,
    /// Which of its feeds.
    pub feed: &'a str,
    /// The stage that takes it.
    pub stage: &'a str,
}

/// Whom a sequence can take power from, and with which stage.
#[must_use]
pub fn affected<'a>(site: &'a Site, spec: &'a Sequence) -> Vec<Affected<'a>> {
    let of_stage = |stage: &'a Stage| {
        stage.cuts.feeds().iter().map(|feed| {
            let LoadGroup { name, title } = &site[site[*feed].group];
            Affected { load_group: name, title, feed: &site[*feed].name, stage: &stage.name }
        })
    };
    spec.stages.iter().flat_map(of_stage).collect()
}

/// For how long the load can go on without a supply.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Autonomy<'a> {
    /// The number that the UPS gives.
    pub value: f64,
    /// Its unit: minutes or seconds.
    pub unit: &'a str,
}

impl<'a> Autonomy<'a> {
    /// As the notice has it; `None` where it is not known.
    #[must_use]
    pub fn of(site: &'a Site, spec: &Sequence, notice: &Notice) -> Option<Self> {
        let (point, value) = spec.autonomy.zip(notice.autonomy)?;
        Some(Self { value: value.get(), unit: site[point].unit.symbol() })
    }
}

fn stage_word(site: &Site, state: StageState) -> (&'static str, Option<String>) {
    match state {
        StageState::Pending => ("pending", None),
        StageState::Waiting => ("waiting", None),
        StageState::Ordered => ("ordered", None),
        StageState::Confirmed => ("confirmed", None),
        StageState::Verified => ("verified", None),
        StageState::Skipped => ("skipped", None),
        StageState::Failed(why) => ("failed", Some(text::stage_fault(site, &why))),
    }
}

/// The permissives of a stage as they stand; `ok` is `null` where nothing good is known.
fn permissives(site: &Site, stage: Option<&Stage>, readings: &[Reading]) -> Vec<Value> {
    let expects = stage.map_or(&[][..], |stage| &stage.permissives);
    let one = |expect: &Expect| {
        let reading = readings.get(expect.point.index()).and_then(Reading::good);
        json!({
            "id": text::point_key(site, expect.point),
            "want": condition(site, expect),
            "shown": reading.map(|(value, _)| shown(site, expect.point, value.get())),
            "ok": reading.and_then(|(value, _)| holds(expect.is, value.get())),
        })
    };
    expects.iter().map(one).collect()
}

/// What is read back of each stage, as it stands: `ok` is `null` where nothing good is known.
#[must_use]
pub fn feedback(site: &Site, sequence: SequenceId, readings: &[Reading], now: Uptime) -> Vec<Vec<Value>> {
    let one = |expect: &Expect| {
        let reading = readings.get(expect.point.index());
        let good = reading.and_then(Reading::good);
        let symbol = site[expect.point].unit.symbol();
        json!({
            "id": text::point_key(site, expect.point),
            "want": condition(site, expect),
            "value": good.map(|(value, _)| value.get()),
            "unit": symbol,
            "shown": good.map(|(value, _)| shown(site, expect.point, value.get())),
            "age_ms": good.map(|(_, taken)| now.since(taken).0),
            "ok": good.and_then(|(value, _)| holds(expect.is, value.get())),
        })
    };
    site[sequence].stages.iter().map(|stage| stage.verify.iter().map(one).collect()).collect()
}

/// What is wanted of a point, with the names of its states.
fn condition(site: &Site, expect: &Expect) -> String {
    let point = &site[expect.point];
    let quantity = |value| text::quantity(value, point.unit.symbol());
    let bit_name = |bit: u8| match &point.labels {
        Labels::Bits(names) => names.iter().find(|(known, _)| *known == bit).map(|(_, name)| name.clone()),
        Labels::Enum(_) | Labels::None => None,
    };
    let bit = |bit: u8| bit_name(bit).unwrap_or_else(|| format!("bit {bit}"));
    match expect.is {
        Condition::Is(number) => match &point.labels {
            Labels::Enum(names) if names.iter().any(|(known, _)| *known == number) => {
                let name = names.iter().find(|(known, _)| *known == number).map_or("?", |(_, name)| name);
                format!("= {name}")
            }
            Labels::Enum(_) | Labels::Bits(_) | Labels::None => format!("= {number}"),
        },
        Condition::AtLeast(limit) => format!(">= {}", quantity(limit)),
        Condition::AtMost(limit) => format!("<= {}", quantity(limit)),
        Condition::Within(low, high) => format!("{} .. {}", quantity(low), quantity(high)),
        Condition::BitSet(index) => format!("{} set", bit(index)),
        Condition::BitClear(index) => format!("{} clear", bit(index)),
    }
}

/// A good value as people read it: the name of a state, or the number with its unit.
fn shown(site: &Site, point: PointId, value: f64) -> String {
    match &site[point].labels {
        Labels::Enum(names) => {
            let known = names.iter().find(|(known, _)| (f64::from(*known) - value).abs() < 0.5);
            known.map_or_else(|| format!("{value}"), |(_, name)| name.clone())
        }
        Labels::Bits(_) | Labels::None => text::quantity(value, site[point].unit.symbol()),
    }
}

/// Only for display: what decides is judged in the core, with the age of the reading.
fn holds(is: Condition, value: f64) -> Option<bool> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range, as just checked"
    )]
    let whole =
        (value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value)).then_some(value as u32);
    let bit = |bit: u8| whole.and_then(|whole| whole.checked_shr(u32::from(bit))).map(|whole| whole & 1 == 1);
    match is {
        Condition::Is(number) => Some(whole == Some(number)),
        Condition::AtLeast(limit) => Some(value >= limit),
        Condition::AtMost(limit) => Some(value <= limit),
        Condition::Within(low, high) => Some((low..=high).contains(&value)),
        Condition::BitSet(n) => bit(n),
        Condition::BitClear(n) => bit(n).map(|set| !set),
    }
}

/// The word of what a notice announces.
#[must_use]
pub const fn notice_word(stage: NoticeStage) -> &'static str {
    match stage {
        NoticeStage::Prepare => "prepare",
        NoticeStage::Countdown { .. } => "countdown",
        NoticeStage::Cutting { .. } => "cutting",
        NoticeStage::Done => "done",
        NoticeStage::Failed => "failed",
        NoticeStage::Aborted => "aborted",
        NoticeStage::AllClear => "all-clear",
    }
}

/// What service owners get before power goes: what, when at the earliest, can it be aborted.
#[must_use]
pub fn notice(envelope: &Envelope, notice: &Notice) -> Value {
    let site = envelope.site;
    let spec = &site[notice.sequence];
    let (earliest, abortable) = notice.stage.times();
    let label = |span| time::rfc3339(envelope.wall(envelope.now.uptime.plus(span)));
    document(
        envelope,
        json!({
            "number": notice.number,
            "stage": notice_word(notice.stage),
            "room": site[site[notice.zone].room].name,
            "zone": site[notice.zone].name,
            "zone_title": site[notice.zone].title,
            "level": notice.level.word(),
            "sequence": spec.name,
            "run": notice.run.map(|run| envelope.run(run.0)),
            "earliest": earliest.map(label),
            "earliest_ms": earliest.map(|span| span.0),
            "abortable_until": abortable.map(label),
            "abortable_ms": abortable.map(|span| span.0),
            "next_stage": notice.next.and_then(|next| Some(json!({
                "n": u32::from(next) + 1, "of": spec.stages.len(),
                "name": spec.stages.get(usize::from(next))?.name,
            }))),
            "affected": affected(site, spec),
            "autonomy": Autonomy::of(site, spec, notice),
            "evidence": text::evidence(site, Some(spec.trigger), &notice.evidence),
            "previous": notice.previous,
            "shadow": notice.shadow,
            "drill": notice.drill,
            "text": text::notice(site, notice),
            "action": spec.notice,
            "contact": spec.contact,
        }),
    )
}
