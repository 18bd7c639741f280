//! What the core said, in plain words with times: what expectations look at and people read.

use std::fmt;

use emberwatch::safety::alarm::AlarmFigures;
use emberwatch::safety::fact::{Fact, Output, Request};
use emberwatch::safety::reading::{Loss, Reading};
use emberwatch::safety::sequence::{NoticeStage, SequenceChange, SequenceEvent};

use crate::mirror::Plant;
use crate::words::plain;

/// One thing that happened or was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) ms: u64,
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) says: String,
}

impl Entry {
    pub(crate) fn new(
        ms: u64,
        kind: &'static str,
        subject: impl Into<String>,
        says: impl Into<String>,
    ) -> Self {
        Self { ms, kind, subject: subject.into(), says: says.into() }
    }

    #[expect(clippy::cast_precision_loss, reason = "scenarios last hours at most")]
    pub(crate) fn seconds(&self) -> f64 {
        self.ms as f64 / 1000.0
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.1} s  {:<9} {:<34} {}", self.seconds(), self.kind, self.subject, self.says)
    }
}

/// Puts one output into words. Readings are told only when their quality changes: see `quality`.
pub(crate) fn entry(plant: &Plant, ms: u64, output: &Output) -> Option<Entry> {
    let site = &plant.site;
    let of = |kind, subject: String, says: String| Some(Entry { ms, kind, subject, says });
    let fact = match output {
        Output::Order(order) => {
            let says = format!("sent, try {} (run {})", order.attempt, order.run.0);
            return of("order", site[order.action].name.clone(), says);
        }
        Output::Fact(fact) => fact,
    };
    match fact {
        Fact::Reading { point, reading } => of("point", plant.point_name(*point), quality(reading)),
        Fact::Finding(finding) => {
            let doubt = if finding.known { "" } else { ", unknown" };
            of("rule", site[finding.rule].name.clone(), format!("{}{doubt}", finding.level.word()))
        }
        Fact::Outlook(change) => {
            let ahead = change.outlook.map_or("nothing ahead".into(), |outlook| {
                format!("{} in {}", outlook.level.word(), outlook.likely)
            });
            of("outlook", site[change.rule].name.clone(), ahead)
        }
        Fact::Level(change) => of("level", site[change.zone].name.clone(), change.level.word().to_owned()),
        Fact::Alarm(change) => {
            let says = format!(
                "{} ({})",
                change.event.word(),
                change.now.priority.map_or("none".into(), |p| plain(&p))
            );
            of("alarm", site[change.alarm].name.clone(), says)
        }
        Fact::AlarmFigures(figures) => of("figures", "alarms".into(), figures_words(figures)),
        Fact::Sequence(change) => Some(sequence_entry(plant, ms, change)),
        Fact::LoneVote { rule, channel } => {
            of("vote", site[*rule].name.clone(), format!("lone vote of {}", site[*channel].name))
        }
        Fact::Notice(notice) => of("notice", site[notice.sequence].name.clone(), notice_words(&notice.stage)),
        Fact::Waiver(change) => {
            let says = match (&change.now, &change.ended_by) {
                (Some(waiver), _) => format!("begun by {} and {}", waiver.by[0], waiver.by[1]),
                (None, Some(by)) => format!("ended by {by}"),
                (None, None) => "over".into(),
            };
            of("waiver", change.what.key(site), says)
        }
        Fact::Gap { lasted } => of("loop", "gap".into(), format!("held up for {lasted}")),
        Fact::Commanded(it) => of("command", it.verb.to_string(), format!("{}, {}", it.by, it.rejected)),
        Fact::ClockStepped { by_ms } => of("loop", "clock".into(), format!("stepped by {by_ms} ms")),
        Fact::Proposed { by, request, .. } => {
            of("request", request_words(request).into(), format!("proposed, {by}"))
        }
        Fact::Followed { by, request } => {
            of("request", request_words(request).into(), format!("followed, {by}"))
        }
        Fact::Refused { by, request, why } => {
            of("request", request_words(request).into(), format!("refused, {}, {by}", plain(why)))
        }
    }
}

/// What is not zero: `floods 1, suppressed 290`.
fn figures_words(figures: &AlarmFigures) -> String {
    let wanted = ["floods", "suppressed", "shelved", "out_of_service", "chattering"];
    let named = figures.named();
    let of = |name: &str| named.iter().find(|(known, _)| *known == name).map_or(0, |(_, figure)| *figure);
    let some = wanted.iter().filter(|name| 0 < of(name)).map(|name| format!("{name} {}", of(name)));
    some.collect::<Vec<_>>().join(", ")
}

fn sequence_entry(plant: &Plant, ms: u64, change: &SequenceChange) -> Entry {
    let spec = &plant.site[change.sequence];
    let stage = |index: &u8, says: String| {
        let subject = format!("{}/{}", spec.name, spec.stages[usize::from(*index)].name);
        Entry { ms, kind: "stage", subject, says }
    };
    match &change.event {
        SequenceEvent::StageBegun(index) => stage(index, "begun".into()),
        SequenceEvent::StageOrdered(index) => stage(index, "ordered".into()),
        SequenceEvent::StageConfirmed(index) => stage(index, "confirmed".into()),
        SequenceEvent::StageVerified(index) => stage(index, "verified".into()),
        SequenceEvent::StageRetried(index) => stage(index, "retried".into()),
        SequenceEvent::StageSkipped(index) => stage(index, "skipped".into()),
        SequenceEvent::StageFailed(index, why) => stage(index, format!("failed, {}", plain(why))),
        SequenceEvent::Held(index) => {
            let says = format!("held at {}", spec.stages[usize::from(*index)].name);
            Entry { ms, kind: "sequence", subject: spec.name.clone(), says }
        }
        SequenceEvent::Told { by: [first, second], stage: index } => {
            stage(index, format!("told to go on by {first} and {second}"))
        }
        SequenceEvent::Mode { .. } => {
            let says = format!("mode {}", plain(&change.now.mode));
            Entry { ms, kind: "sequence", subject: spec.name.clone(), says }
        }
        event @ (SequenceEvent::Selected { .. }
        | SequenceEvent::Started
        | SequenceEvent::Resumed
        | SequenceEvent::Done
        | SequenceEvent::Failed
        | SequenceEvent::Aborted { .. }
        | SequenceEvent::Proven { .. }
        | SequenceEvent::Reset { .. }) => {
            Entry { ms, kind: "sequence", subject: spec.name.clone(), says: plain(event) }
        }
    }
}

fn quality(reading: &Reading) -> String {
    match reading {
        Reading::NeverSeen => "never seen".into(),
        Reading::Good { .. } => "good".into(),
        Reading::Uncertain { why, .. } => format!("uncertain, {}", plain(why)),
        Reading::Bad { why: Loss::Fault(fault), .. } => format!("bad, {}", plain(fault)),
        Reading::Bad { why, .. } => format!("bad, {}", plain(why)),
    }
}

fn notice_words(stage: &NoticeStage) -> String {
    match stage {
        NoticeStage::Countdown { earliest, .. } => format!("countdown, {earliest}"),
        NoticeStage::Cutting { earliest: Some(earliest) } => format!("cutting, {earliest}"),
        NoticeStage::Cutting { earliest: None } => "cutting".into(),
        NoticeStage::Prepare
        | NoticeStage::Done
        | NoticeStage::Failed
        | NoticeStage::Aborted
        | NoticeStage::AllClear => plain(stage),
    }
}

fn request_words(request: &Request) -> &'static str {
    match request {
        Request::Acknowledge { .. } => "acknowledge",
        Request::ResetAlarm { .. } => "reset-alarm",
        Request::Shelve { .. } => "shelve",
        Request::Unshelve { .. } => "unshelve",
        Request::OutOfService { .. } => "out-of-service",
        Request::Waive { .. } => "begin",
        Request::EndWaiver { .. } => "end",
        Request::InService { .. } => "in-service",
        Request::Abort { .. } => "abort",
        Request::Arm { .. } => "arm",
        Request::Disarm { .. } => "disarm",
        Request::Select { .. } => "select",
        Request::Start { .. } => "start",
        Request::ResetSequence { .. } => "reset-sequence",
        Request::ProofTested { .. } => "proof-tested",
        Request::Drill { .. } => "drill",
    }
}
