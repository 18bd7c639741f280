//! What the core said, in words and in order: findings, levels, alarms, decisions.

use std::collections::BTreeMap;

use super::player::Moment;
use crate::safety::alarm::AlarmEvent;
use crate::safety::fact::{Fact, Output};
use crate::safety::risk::{Finding, Level};
use crate::safety::sequence::{Notice, NoticeStage};
use crate::safety::site::{Priority, SequenceId, Site};
use crate::units::Millis;
use crate::wire::{explain, text};

/// Entries that are kept; what comes after is only counted.
const ENTRIES_MAX: usize = 100_000;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A rule judges otherwise.
    Finding,
    /// A zone's level changed.
    Level,
    /// An alarm changed.
    Alarm,
    /// A sequence changed.
    Sequence,
    /// Service owners would be told.
    Notice,
    /// A vote came and went alone.
    Vote,
    /// A person's request.
    Request,
    /// An order that was given, to nobody.
    Order,
    /// The core was not scanned for too long.
    Gap,
}

impl Kind {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Level => "level",
            Self::Alarm => "alarm",
            Self::Sequence => "sequence",
            Self::Notice => "notice",
            Self::Vote => "vote",
            Self::Request => "request",
            Self::Order => "order",
            Self::Gap => "gap",
        }
    }
}

/// One thing that the core said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, since the origin of the replay.
    pub at: Millis,
    /// What it is about.
    pub kind: Kind,
    /// The zone, rule, alarm or sequence, by name.
    pub subject: String,
    /// How serious it is.
    pub level: Level,
    /// The event's word, where it has one.
    pub event: &'static str,
    /// For people.
    pub text: String,
}

/// All entries of a replay.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// In order.
    pub entries: Vec<Entry>,
    /// How many more there were.
    pub dropped: u64,
    noticed: BTreeMap<SequenceId, NoticeStage>,
}

impl Timeline {
    /// Takes in what one scan said.
    pub fn hear(&mut self, site: &Site, moment: Moment<'_>) {
        for output in moment.outputs {
            let entry = match output {
                Output::Fact(Fact::Reading { .. }) => continue,
                Output::Fact(Fact::Notice(notice)) if !self.is_news(notice) => continue,
                Output::Fact(fact) => of_fact(site, fact),
                Output::Order(order) => Some((
                    Kind::Order,
                    site[order.action].name.clone(),
                    Level::Danger,
                    "order",
                    format!("{}: {} would be commanded", site[order.sequence].name, site[order.action].name),
                )),
            };
            let Some((kind, subject, level, event, text)) = entry else { continue };
            if self.entries.len() < ENTRIES_MAX {
                self.entries.push(Entry { at: moment.at, kind, subject, level, event, text });
            } else {
                self.dropped += 1;
            }
        }
    }

    /// Notices are repeated while they hold; once is enough to read.
    fn is_news(&mut self, notice: &Notice) -> bool {
        let before = self.noticed.insert(notice.sequence, notice.stage);
        before.is_none_or(|before| std::mem::discriminant(&before) != std::mem::discriminant(&notice.stage))
    }
}

type Said = (Kind, String, Level, &'static str, String);

fn of_fact(site: &Site, fact: &Fact) -> Option<Said> {
    Some(match fact {
        Fact::Reading { .. } | Fact::Outlook(_) | Fact::AlarmFigures(_) => return None,
        Fact::Finding(finding) => {
            let name = site[finding.rule].name.clone();
            (Kind::Finding, name, finding.level, "finding", finding_text(site, finding))
        }
        Fact::Level(change) => {
            let name = site[change.zone].name.clone();
            (Kind::Level, name, change.level, "level", explain::level_change(site, change))
        }
        Fact::Alarm(change) => {
            let gone =
                matches!(change.event, AlarmEvent::Cleared | AlarmEvent::Reset { .. } | AlarmEvent::Returned);
            let level = match change.now.priority.filter(|_| !gone) {
                Some(Priority::Critical) => Level::Danger,
                Some(Priority::High) => Level::Warning,
                Some(Priority::Medium) => Level::Watch,
                Some(Priority::Low) | None => Level::Normal,
            };
            let name = site[change.alarm].name.clone();
            (Kind::Alarm, name, level, change.event.word(), text::alarm_change(site, change))
        }
        Fact::Sequence(change) => {
            let name = site[change.sequence].name.clone();
            let said = text::sequence_event(site, change.sequence, &change.now, &change.event);
            let level = if change.event.word() == "mode" { Level::Normal } else { Level::Danger };
            (Kind::Sequence, name, level, change.event.word(), said)
        }
        Fact::Notice(notice) => {
            let name = site[notice.sequence].name.clone();
            (Kind::Notice, name, notice.level, "notice", text::notice(site, notice))
        }
        Fact::LoneVote { rule, channel } => {
            let name = site[*rule].name.clone();
            (Kind::Vote, name, Level::Watch, "lone-vote", text::lone_vote(site, *rule, *channel))
        }
        Fact::Waiver(change) => {
            let name = change.what.key(site);
            (Kind::Request, name, Level::Normal, "waiver", text::waiver_change(site, change))
        }
        Fact::Gap { lasted } => {
            let said = format!("nothing was judged for {}: all data counts as stale", text::span(*lasted));
            (Kind::Gap, site.gateway.clone(), Level::Watch, "gap", said)
        }
        Fact::Commanded(it) => {
            let said = text::command(&it.by, &it.actor, &it.verb, &it.target, &it.rejected);
            (Kind::Request, it.by.to_string(), Level::Normal, "command", said)
        }
        Fact::ClockStepped { by_ms } => {
            (Kind::Gap, site.gateway.clone(), Level::Normal, "clock-stepped", text::clock_stepped(*by_ms))
        }
        Fact::Proposed { by, request, .. } => {
            let said = format!("{by} asked: {}", text::waits_for_second(site, request));
            (Kind::Request, by.to_string(), Level::Normal, "proposed", said)
        }
        Fact::Followed { by, request } => {
            let said = format!("{by} asked: {}", text::request(site, request));
            (Kind::Request, by.to_string(), Level::Normal, "followed", said)
        }
        Fact::Refused { by, request, why } => {
            let said = format!(
                "{by} asked: {}; refused: {}",
                text::request(site, request),
                text::refusal(site, *why)
            );
            (Kind::Request, by.to_string(), Level::Normal, "refused", said)
        }
    })
}

fn finding_text(site: &Site, finding: &Finding) -> String {
    let name = &site[finding.rule].name;
    let evidence = text::evidence(site, Some(finding.rule), &finding.evidence);
    let judges = match (finding.level == finding.was, finding.known) {
        (true, false) => "cannot judge".to_owned(),
        (true, true) => format!("judges: {}", finding.level.word()),
        (false, known) => {
            let doubt = if known { "" } else { " (cannot judge)" };
            format!("{} → {}{doubt}", finding.was.word(), finding.level.word())
        }
    };
    format!("{name}: {judges} ({evidence})")
}
