//! Sentences for people: what was seen, what happened, what was refused.
//!
//! Plain, short, with names and units as the site gives them. Programs read the fields beside them.

mod alarms;

pub use alarms::alarm_change;

use crate::safety::fact::{DriveFault, Refusal, Request};
use crate::safety::sequence::spec::Mode;
use crate::safety::sequence::{Cause, Notice, NoticeStage, Phase, SequenceEvent, SequenceState, StageFault};
use crate::safety::site::{FeedId, Labels, PointId, RuleId, SequenceId, Site};
use crate::safety::waiver::{Waived, Waiver, WaiverChange};
use crate::units::{Millis, Value};

pub use crate::wire::evidence::{change, channels, evidence};

/// A number as people read it: at most three decimals, five below one.
#[must_use]
pub fn number(number: f64) -> String {
    let decimals = if number.abs() < 1.0 { 5 } else { 3 };
    let text = format!("{number:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A span of time as people read it.
#[must_use]
pub fn span(span: Millis) -> String {
    let seconds = span.0 / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) => format!("{} ms", span.0),
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// Something that was asked over a way that does not tell who speaks: `rejected` is why, or empty.
#[must_use]
pub fn command(by: &str, actor: &str, verb: &str, target: &str, rejected: &str) -> String {
    let claimed = if actor.is_empty() { String::new() } else { format!(" (says: {actor})") };
    let about = if target.is_empty() { String::new() } else { format!(" {target}") };
    let result = if rejected.is_empty() { "accepted".to_owned() } else { format!("rejected, {rejected}") };
    format!("{by}{claimed}: {verb}{about}: {result}")
}

/// What it means that the wall clock was set by so many milliseconds.
#[must_use]
pub fn clock_stepped(by_ms: i64) -> String {
    let way = if by_ms < 0 { "back" } else { "forward" };
    format!(
        "the wall clock was set {way} by {}: times before it are labelled otherwise",
        span(Millis(by_ms.unsigned_abs()))
    )
}

/// A quantity with its symbol.
#[must_use]
pub fn quantity(value: f64, symbol: &str) -> String {
    if symbol.is_empty() { number(value) } else { format!("{} {symbol}", number(value)) }
}

/// `cell-temp-max of bms-1`.
#[must_use]
pub fn point(site: &Site, point: PointId) -> String {
    format!("{} of {}", site[point].name, site[site[point].device].name)
}

/// `bms-1/cell-temp-max`, the key of a point in documents.
#[must_use]
pub fn point_key(site: &Site, point: PointId) -> String {
    format!("{}/{}", site[site[point].device].name, site[point].name)
}

/// What a whole number means at this point; `None` where it is only a number.
#[must_use]
pub fn label(site: &Site, point: PointId, value: Value) -> Option<String> {
    let labels = &site[point].labels;
    if matches!(labels, Labels::None) {
        return None;
    }
    let number = value.get();
    if number.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&number) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range, as just checked"
    )]
    let number = number as u32;
    match labels {
        Labels::None => None,
        Labels::Enum(names) => names.iter().find(|name| name.0 == number).map(|name| name.1.clone()),
        Labels::Bits(names) => {
            let set = names.iter().filter(|bit| bit.0 < 32 && number >> bit.0 & 1 == 1);
            let set: Vec<&str> = set.map(|bit| bit.1.as_str()).collect();
            Some(if set.is_empty() { "none".to_owned() } else { set.join(", ") })
        }
    }
}

/// What started a run of a sequence.
#[must_use]
pub fn cause(site: &Site, sequence: SequenceId, cause: &Cause) -> String {
    let rule = site[sequence].trigger;
    match cause {
        Cause::Vote { voting, by_policy } => {
            let voting = channels(site, Some(rule), *voting);
            let mut text = format!("started by {}", site[rule].name);
            if !voting.is_empty() {
                text = format!("{text}: {} voted", voting.join(" and "));
            }
            if *by_policy {
                text.push_str("; decided by the policy for lost channels");
            }
            text
        }
        Cause::Manual { by } => format!("started by hand by {by}"),
        Cause::Drill { by } => format!("DRILL by {by}: nothing is written"),
    }
}

/// Why a command was not carried out.
#[must_use]
pub fn drive_fault(fault: DriveFault) -> String {
    match fault {
        DriveFault::NotSent => "the command could not be sent".to_owned(),
        DriveFault::Exception(code) => format!("the device refused with Modbus exception {code}"),
        DriveFault::NoAnswer => "the device did not answer: nobody knows what happened".to_owned(),
        DriveFault::WrongEcho => "the device answered something else: nobody knows what happened".to_owned(),
        DriveFault::NotAllowed => "the command is not in the allow-list: nothing was sent".to_owned(),
    }
}

/// Why a stage failed.
#[must_use]
pub fn stage_fault(site: &Site, fault: &StageFault) -> String {
    match *fault {
        StageFault::Permissive(at) => format!("the permissive {} did not hold in time", point(site, at)),
        StageFault::Drive(why) => drive_fault(why),
        StageFault::NoEffect(at) => format!("confirmed, but {} did not follow", point(site, at)),
        StageFault::Requires(stage) => {
            format!("stage {} had to be verified before, and was not (interlock I2)", u32::from(stage) + 1)
        }
        StageFault::LastFeed(at) => format!(
            "it would take the last feed of {}: {} is not known to carry power (interlock I1); two persons can order it",
            site[site[at].group].title,
            feed(site, at)
        ),
        StageFault::Maintenance => {
            "somebody works on the zone: nothing is cut by itself (interlock I10); a person can order it"
                .to_owned()
        }
        StageFault::Budget => {
            "as much as may be cut by itself was cut already (interlock I3); a person can order it".to_owned()
        }
    }
}

/// A feed with its load group: "row-3/a".
#[must_use]
pub fn feed(site: &Site, feed: FeedId) -> String {
    format!("{}/{}", site[site[feed].group].name, site[feed].name)
}

/// The word of a mode.
#[must_use]
pub const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Disabled => "disabled",
        Mode::Shadow => "shadow",
        Mode::Armed => "armed",
    }
}

/// What happened to a sequence that stands as in `now`.
#[must_use]
pub fn sequence_event(
    site: &Site,
    sequence: SequenceId,
    now: &SequenceState,
    event: &SequenceEvent,
) -> String {
    let spec = &site[sequence];
    let stage = |index: u8| {
        let name = spec.stages.get(usize::from(index)).map_or("?", |stage| stage.name.as_str());
        format!("stage {} of {} ({name})", u32::from(index) + 1, spec.stages.len())
    };
    let what = match event {
        SequenceEvent::Mode { by: Some(by) } => format!("{by} set it to {}", mode(now.mode)),
        SequenceEvent::Mode { by: None } => format!("starts as {}", mode(now.mode)),
        SequenceEvent::Selected { by } => format!("{by} selected it"),
        SequenceEvent::Started => format!("the countdown of {} runs", span(spec.countdown)),
        SequenceEvent::Resumed => "resumed after a restart: devices are read first".to_owned(),
        SequenceEvent::StageBegun(n) => format!("{} waits for its permissives", stage(*n)),
        SequenceEvent::StageOrdered(n) => format!("{} is commanded", stage(*n)),
        SequenceEvent::StageConfirmed(n) => format!("{} is confirmed by the device", stage(*n)),
        SequenceEvent::StageVerified(n) => format!("{} is verified", stage(*n)),
        SequenceEvent::StageRetried(n) => format!("{} had no effect and is tried again", stage(*n)),
        SequenceEvent::StageSkipped(n) => format!("{} is not needed", stage(*n)),
        SequenceEvent::StageFailed(n, why) => format!("{} failed: {}", stage(*n), stage_fault(site, why)),
        SequenceEvent::Held(n) => format!("held at {}: a person must decide", stage(*n)),
        SequenceEvent::Told { by: [first, second], stage: n } if first == second => {
            format!("{first} told it to go on at {}", stage(*n))
        }
        SequenceEvent::Told { by: [first, second], stage: n } => {
            format!("{first} and {second} told it to go on at {}", stage(*n))
        }
        SequenceEvent::Done => "done and verified".to_owned(),
        SequenceEvent::Failed => format!("FAILED: {} is not isolated", site[spec.zone].name),
        SequenceEvent::Aborted { by } => format!("aborted by {by}"),
        SequenceEvent::Proven { by } => format!("proof test recorded by {by}"),
        SequenceEvent::Reset { by } => format!("reset by {by}"),
    };
    let is_drill = matches!(&now.phase, Phase::Run(run) if run.cause.is_drill());
    format!("{}{}: {what}", if is_drill { "DRILL, nothing is written: " } else { "" }, spec.name)
}

/// Why a request was not followed.
#[must_use]
pub fn refusal(site: &Site, why: Refusal) -> String {
    let why = match why {
        Refusal::NothingToDo => "there is nothing to do",
        Refusal::OutOfDate => "it was about an older occurrence or another run",
        Refusal::TooLate => "the run is past its point of no return",
        Refusal::NotNow => "it is not possible in this state",
        Refusal::CauseStands => "the cause is still there, or not known to be gone",
        Refusal::LifeSafety => {
            "it is about life safety, or stands for other alarms: it cannot be shelved or taken out of service"
        }
        Refusal::TooLong => "that is no time, or longer than this site allows",
        Refusal::Unproven => {
            "its proof test is missing, or of another configuration: try every stage at the plant, then let two persons record it"
        }
        Refusal::ByKey => "its key switch arms it, and nothing else",
        Refusal::ByHand => "somebody demanded this cut by hand: it is not taken back",
        Refusal::SecondPerson => "it takes two persons: one selects, another one starts",
        Refusal::NoReason => "that takes a reason: give it, in one line of at most 200 characters",
        Refusal::WouldBlind(vote) => {
            return format!(
                "{} could not be completed without it, and an armed sequence cuts by it: bring another channel back \
                 first, or disarm",
                site[vote].name
            );
        }
    };
    why.to_owned()
}

/// What a person asked for.
#[must_use]
pub fn request(site: &Site, request: &Request) -> String {
    match request {
        Request::Acknowledge { alarm, .. } => format!("acknowledge {}", site[*alarm].name),
        Request::ResetAlarm { alarm } => format!("reset {}", site[*alarm].name),
        Request::Shelve { alarm, lasting, one_shot, .. } => {
            let end = if *one_shot { ", at most until its cause goes" } else { "" };
            format!("shelve {} for {}{end}", site[*alarm].name, span(*lasting))
        }
        Request::Unshelve { alarm } => format!("unshelve {}", site[*alarm].name),
        Request::OutOfService { alarm, reason } => {
            format!("take {} out of service: {reason}", site[*alarm].name)
        }
        Request::InService { alarm } => format!("put {} back into service", site[*alarm].name),
        Request::Waive { alarm, lasting, reason } => {
            format!("begin {} for {}: {reason}", site[*alarm].name, span(*lasting))
        }
        Request::EndWaiver { alarm } => format!("end {}", site[*alarm].name),
        Request::Abort { sequence, .. } => format!("abort {}", site[*sequence].name),
        Request::Arm { sequence } => format!("arm {}", site[*sequence].name),
        Request::Disarm { sequence } => format!("disarm {}", site[*sequence].name),
        Request::Select { sequence } => format!("select {}", site[*sequence].name),
        Request::Start { sequence } => format!("start {}", site[*sequence].name),
        Request::ResetSequence { sequence } => format!("reset {}", site[*sequence].name),
        Request::ProofTested { sequence } => format!("record the proof test of {}", site[*sequence].name),
        Request::Drill { sequence } => format!("rehearse {}", site[*sequence].name),
    }
}

/// What was put aside, by whom and why; or that it is over.
#[must_use]
pub fn waiver_change(site: &Site, change: &WaiverChange) -> String {
    let what = match change.what {
        Waived::Channel(rule) => format!("{} is bypassed", site[rule].name),
        Waived::Zone(zone) => format!("{} is in maintenance", site[zone].title),
    };
    match (&change.now, &change.ended_by) {
        (Some(waiver), _) => format!("{what}: {}", self::waiver(waiver)),
        (None, Some(by)) => format!("{what} no longer: ended by {by}"),
        (None, None) => format!("{what} no longer: its time is over"),
    }
}

/// Who put something aside, and why.
#[must_use]
pub fn waiver(waiver: &Waiver) -> String {
    format!("by {} and {}: {}", waiver.by[0], waiver.by[1], waiver.reason)
}

/// What waits for the second of two persons.
#[must_use]
pub fn waits_for_second(site: &Site, request: &Request) -> String {
    format!("{} waits for a second person", self::request(site, request))
}

/// What service owners are told.
#[must_use]
pub fn notice(site: &Site, notice: &Notice) -> String {
    let zone = &site[notice.zone].title;
    let text = match notice.stage {
        NoticeStage::Prepare => format!("{zone} is at {}: fail over now", notice.level.word()),
        NoticeStage::Countdown { earliest, abortable } => {
            let mut text =
                format!("power of {zone} goes in {} at the earliest: fail over now", span(earliest));
            if abortable > Millis::ZERO {
                text = format!("{text}; can be aborted for {}", span(abortable));
            }
            text
        }
        NoticeStage::Cutting { earliest: None } => format!("power of {zone} is being cut"),
        NoticeStage::Cutting { earliest: Some(earliest) } => {
            format!("power of {zone} is being cut: more of it goes in {} at the earliest", span(earliest))
        }
        NoticeStage::Done => format!("{zone} is isolated"),
        NoticeStage::Failed => format!("{zone} could NOT be isolated"),
        NoticeStage::Aborted => format!("the cut of {zone} was aborted"),
        NoticeStage::AllClear => format!("all clear: {zone} is no longer at warning, nothing was cut"),
    };
    match (notice.drill, notice.shadow) {
        (true, _) => format!("DRILL, nothing is cut: {text}"),
        (false, true) => format!("{text} (only recorded: the sequence is not armed)"),
        (false, false) => text,
    }
}

/// A vote that nothing agreed with.
#[must_use]
pub fn lone_vote(site: &Site, rule: RuleId, channel: RuleId) -> String {
    format!("{} voted alone in {} and fell quiet: no cut", site[channel].name, site[rule].name)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::safety::sequence::spec::Mode;
    use crate::wire::testsite;

    fn value(number: f64) -> Value {
        Value::new(number).unwrap()
    }

    #[test]
    fn numbers_and_spans_are_short() {
        assert_eq!(number(45.0), "45");
        assert_eq!(number(3.312), "3.312");
        assert_eq!(number(0.000_25), "0.00025");
        assert_eq!(number(-0.000_000_1), "0");
        assert_eq!(number(100.0), "100");
        assert_eq!(span(Millis(250)), "250 ms");
        assert_eq!(span(Millis::from_secs(125)), "2 min 5 s");
        assert_eq!(span(Millis::from_secs(7_200)), "2 h");
    }

    #[test]
    fn a_failed_stage_says_what_did_not_follow() {
        let site = testsite::site();
        let event = SequenceEvent::StageFailed(0, StageFault::NoEffect(PointId(2)));
        assert_eq!(
            sequence_event(
                &site,
                SequenceId(0),
                &SequenceState { mode: Mode::Armed, phase: Phase::Idle, proven: None },
                &event
            ),
            "cut-rack-1: stage 1 of 1 (Open breaker) failed: confirmed, but position of brk-1 did not follow"
        );
    }

    #[test]
    fn bits_are_named() {
        let mut site = testsite::site();
        site.points[0].labels = Labels::Bits(vec![(0, "trip".into()), (2, "door".into())]);
        assert_eq!(label(&site, PointId(0), value(5.0)).as_deref(), Some("trip, door"));
        assert_eq!(label(&site, PointId(0), value(0.0)).as_deref(), Some("none"));
        assert_eq!(label(&site, PointId(0), value(1.5)), None);
        assert_eq!(label(&site, PointId(0), value(-1.0)), None);
    }
}
