//! What an operator sees: alarms that stand, are acknowledged, return, are latched and are put away.
//!
//! ```text
//! cause of a rule, device, sequence ──► chatter ──► states (B to F) ──► told
//!                                                     │    ▲
//!                          shelf, flood, maintenance ─┴────┘ (G, H, I: listed, not told)
//! ```
//! `states` holds the picture of ISA-18.2. Alarms read findings and sequences; nothing that judges or cuts reads
//! alarms, so nothing done to an alarm can stop or delay a cut. What is critical is never put away (A2).

mod agenda;
mod chatter;
mod flood;
mod metrics;
mod put_away;
mod records;
pub(super) mod requests;
mod restore;
pub mod settings;
mod states;
#[cfg(test)]
mod tests;

pub use metrics::AlarmFigures;
pub(crate) use records::Cause;
pub use records::{AlarmChange, AlarmEvent, AlarmRecord, Away, AwayHow};
pub use states::AlarmState;

use std::collections::BTreeMap;

use self::agenda::Agenda;
use self::chatter::Chatter;
use self::flood::Floods;
use self::metrics::Tally;
use self::settings::STALE_AFTER;
use crate::safety::fact::{Fact, Output};
use crate::safety::site::{AlarmId, AlarmSource, Priority, Site};
use crate::units::{Millis, Now, Uptime};

/// All alarms of the site.
#[derive(Clone, Debug)]
pub struct Alarms {
    records: Vec<AlarmRecord>,
    tracks: Vec<Track>,
    by_source: BTreeMap<AlarmSource, AlarmId>,
    /// Annunciated alarms of the plant, by room.
    plant_standing: Vec<u32>,
    floods: Floods,
    agenda: Agenda,
    tally: Tally,
    /// What silenced before a restart, and is forgotten.
    forgotten: Vec<(AlarmId, AlarmEvent)>,
    re_alarm: Millis,
    shelve_max: Millis,
    number: u64,
}

/// What is kept of an alarm besides what is told.
#[derive(Clone, Debug, Default)]
struct Track {
    cause: Chatter,
    /// When it was seen, in state C.
    seen: Uptime,
    /// Its cause has stood for more than a day.
    stale: bool,
    /// It stood before a restart, and its rule has not judged as badly since.
    from_before: bool,
    /// When it is believed that the cause is gone, if nothing speaks against it until then.
    clears_at: Option<Uptime>,
}

/// One scan: the plant, the moment, and where to say it.
struct Turn<'a> {
    site: &'a Site,
    now: Now,
    out: &'a mut Vec<Output>,
}

impl Alarms {
    /// How an alarm stands.
    #[must_use]
    pub fn record(&self, alarm: AlarmId) -> &AlarmRecord {
        &self.records[alarm.index()]
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The figures of the alarm system, now.
    pub(crate) fn figures(&mut self, now: Uptime) -> AlarmFigures {
        self.tally.figures(now, self.floods.standing())
    }

    /// Takes in whether a cause stands. A source without an alarm is no matter.
    pub(crate) fn cause(
        &mut self,
        site: &Site,
        source: AlarmSource,
        cause: Option<Cause>,
        now: Now,
        out: &mut Vec<Output>,
    ) {
        let Some(&alarm) = self.by_source.get(&source) else { return };
        let turn = &mut Turn { site, now, out };
        match cause {
            Some(cause) => self.came(alarm, cause, turn),
            None => self.went(alarm, turn),
        }
    }

    /// What the passing of time brings: shelves end, what was seen long ago is told anew, floods end.
    pub(crate) fn advance(&mut self, site: &Site, now: Now, out: &mut Vec<Output>) {
        let turn = &mut Turn { site, now, out };
        while let Some(alarm) = self.agenda.take_due(now.uptime) {
            self.look_again(alarm, turn);
        }
        while let Some(group) = self.floods.over(now.uptime) {
            self.end_flood(group, turn);
        }
        if let Some(figures) = self.tally.news(now.uptime, self.floods.standing()) {
            turn.out.push(Output::Fact(Fact::AlarmFigures(figures)));
        }
    }

    /// A rule does not know any more: what it said before may be held, not cleared (A3).
    pub(crate) fn doubt(&mut self, source: AlarmSource) {
        if let Some(alarm) = self.by_source.get(&source) {
            self.tracks[alarm.index()].clears_at = None;
        }
    }

    fn came(&mut self, alarm: AlarmId, cause: Cause, turn: &mut Turn<'_>) {
        let (track, record) = (&mut self.tracks[alarm.index()], &mut self.records[alarm.index()]);
        (track.from_before, track.clears_at) = (false, None);
        if !track.cause.stands {
            if track.cause.came(turn.now.uptime) {
                (record.chattering, record.flips) = (true, 0);
                self.tally.counts().chattering += 1;
            }
            record.flips += u32::from(record.chattering);
        }
        match (record.stands, record.state.is_away()) {
            (true, _) => self.worsen(alarm, cause, turn),
            (false, true) => self.stand_unseen(alarm, cause, turn),
            (false, false) => self.stand(alarm, cause, turn),
        }
    }

    fn went(&mut self, alarm: AlarmId, turn: &mut Turn<'_>) {
        let track = &mut self.tracks[alarm.index()];
        if track.from_before {
            // A rule begins anew after a restart: its delays have to pass first (A3).
            let delay = restore::settle(turn.site, turn.site[alarm].source);
            track.clears_at.get_or_insert(turn.now.uptime.plus(delay));
            self.plan(alarm);
            return;
        }
        if track.cause.stands {
            track.cause.went(turn.now.uptime);
            if track.cause.chatters {
                // Told when it is quiet.
                self.plan(alarm);
            } else {
                self.clear(alarm, turn);
            }
        }
    }

    /// A cause appeared, and somebody is to hear of it, unless a flood has called them already.
    fn stand(&mut self, alarm: AlarmId, cause: Cause, turn: &mut Turn<'_>) {
        let spec = &turn.site[alarm];
        let plant = spec.source.is_of_the_plant();
        if plant {
            self.count_for_flood(alarm, turn);
        }
        let first_out = plant && self.plant_standing.get(spec.room.index()) == Some(&0);
        let was = self.records[alarm.index()].state;
        self.renew(alarm, cause, turn.now);
        if let Some(group) = self.floods.group(spec.room).filter(|_| may_be_suppressed(spec, cause.priority))
            && was.put_away(AlarmState::Suppressed).is_some()
        {
            self.suppress(alarm, group, was == AlarmState::UnackReturned, turn);
            return;
        }
        self.records[alarm.index()].first_out = first_out;
        self.shift(alarm, was.after_cause(true, spec.latched), turn.site);
        self.say(alarm, AlarmEvent::Raised, turn);
    }

    /// A new occurrence; its state is the caller's.
    fn renew(&mut self, alarm: AlarmId, cause: Cause, now: Now) {
        let record = &mut self.records[alarm.index()];
        *record = AlarmRecord {
            state: record.state,
            stands: true,
            priority: Some(cause.priority),
            occurrence: record.occurrence + 1,
            revision: 0,
            since: now.wall,
            raised: now.uptime,
            level: cause.level,
            evidence: cause.evidence,
            first_out: false,
            acknowledged_by: None,
            away: None,
            chattering: record.chattering,
            flips: record.flips,
            origin: record.origin,
        };
    }

    /// A cause that stands already: only a worse one is news, and must be seen anew.
    fn worsen(&mut self, alarm: AlarmId, cause: Cause, turn: &mut Turn<'_>) {
        let record = &mut self.records[alarm.index()];
        if (Some(cause.priority), cause.level) <= (record.priority, record.level) {
            return;
        }
        (record.priority, record.level, record.evidence) =
            (Some(cause.priority), cause.level, cause.evidence);
        if record.state.is_away() {
            self.come_through_or_note(alarm, turn);
            return;
        }
        record.acknowledged_by = None;
        self.shift(alarm, AlarmState::UnackActive, turn.site);
        self.say(alarm, AlarmEvent::Escalated, turn);
    }

    /// The cause is known to be gone.
    fn clear(&mut self, alarm: AlarmId, turn: &mut Turn<'_>) {
        let record = &mut self.records[alarm.index()];
        if !record.stands {
            return;
        }
        record.stands = false;
        if std::mem::take(&mut self.tracks[alarm.index()].stale) {
            self.tally.counts().stale -= 1;
        }
        if record.state.is_away() {
            self.clear_unseen(alarm, turn);
            return;
        }
        let after = record.state.after_cause(false, turn.site[alarm].latched);
        self.shift(alarm, after, turn.site);
        let event = if after == AlarmState::Normal { AlarmEvent::Cleared } else { AlarmEvent::Returned };
        self.say(alarm, event, turn);
    }

    /// An alarm whose time has come, for one reason or several.
    fn look_again(&mut self, alarm: AlarmId, turn: &mut Turn<'_>) {
        let now = turn.now.uptime;
        let (track, record) = (&mut self.tracks[alarm.index()], &mut self.records[alarm.index()]);
        if record.stands && !track.stale && STALE_AFTER <= now.since(record.raised) {
            track.stale = true;
            self.tally.counts().stale += 1;
        }
        if track.cause.quiet_at().is_some_and(|at| at <= now) {
            track.cause.quiet();
            let gone = !track.cause.stands;
            record.chattering = false;
            self.tally.counts().chattering -= 1;
            if gone && record.stands {
                self.clear(alarm, turn);
            } else {
                self.say(alarm, AlarmEvent::Noted, turn);
            }
        }
        if self.tracks[alarm.index()].clears_at.is_some_and(|at| at <= now) {
            let track = &mut self.tracks[alarm.index()];
            (track.from_before, track.clears_at) = (false, None);
            self.went(alarm, turn);
        }
        let record = &self.records[alarm.index()];
        if record.shelved_until().is_some_and(|until| until <= now) {
            self.bring_back(alarm, None, turn);
        }
        let (track, record) = (&self.tracks[alarm.index()], &mut self.records[alarm.index()]);
        if let Some(after) = record.state.after_re_alarm()
            && track.seen.plus(self.re_alarm) <= now
        {
            record.acknowledged_by = None;
            self.shift(alarm, after, turn.site);
            self.say(alarm, AlarmEvent::ReAlarmed, turn);
        }
        self.plan(alarm);
    }

    /// When to look at it again if nothing happens.
    fn plan(&mut self, alarm: AlarmId) {
        let (track, record) = (&self.tracks[alarm.index()], &self.records[alarm.index()]);
        let stale = (record.stands && !track.stale).then(|| record.raised.plus(STALE_AFTER));
        let re_alarm = record.state.after_re_alarm().map(|_| track.seen.plus(self.re_alarm));
        let times = [stale, re_alarm, track.cause.quiet_at(), track.clears_at, record.shelved_until()];
        self.agenda.plan(alarm, times.into_iter().flatten().min());
    }

    /// Into another state, and into all counts.
    fn shift(&mut self, alarm: AlarmId, to: AlarmState, site: &Site) {
        let from = std::mem::replace(&mut self.records[alarm.index()].state, to);
        self.tally.shift(from, to);
        let spec = &site[alarm];
        if spec.source.is_of_the_plant()
            && let Some(count) = self.plant_standing.get_mut(spec.room.index())
        {
            *count = *count + u32::from(to.is_annunciated()) - u32::from(from.is_annunciated());
        }
    }

    fn say(&mut self, alarm: AlarmId, event: AlarmEvent, turn: &mut Turn<'_>) {
        self.number += 1;
        if event.is_call() {
            self.tally.call(turn.now.uptime);
        }
        let record = &mut self.records[alarm.index()];
        record.revision += 1;
        let change = AlarmChange { number: self.number, alarm, event, now: record.clone() };
        turn.out.push(Output::Fact(Fact::Alarm(change)));
        self.plan(alarm);
    }
}

impl AlarmRecord {
    /// When its shelf ends.
    #[must_use]
    pub fn shelved_until(&self) -> Option<Uptime> {
        match self.away.as_deref()?.how {
            AwayHow::Shelved { until, .. } => Some(until),
            AwayHow::Suppressed { .. } | AwayHow::OutOfService { .. } => None,
        }
    }
}

/// What a flood may keep back: nothing critical, and nothing that the site wants to be held until reset.
fn may_be_suppressed(spec: &crate::safety::site::Alarm, priority: Priority) -> bool {
    spec.source.is_of_the_plant() && !spec.latched && priority <= records::HELD_MAX
}

impl AlarmSource {
    /// Whether it speaks of the plant rather than of emberwatch: only such an alarm can be the first out.
    const fn is_of_the_plant(self) -> bool {
        match self {
            Self::Rule(_)
            | Self::Silent(_)
            | Self::Faulty(_)
            | Self::OpenedByOther(_)
            | Self::CurrentFlows(_) => true,
            Self::NotArmed(_)
            | Self::Unproven(_)
            | Self::Cutting(_)
            | Self::CutFailed(_)
            | Self::VoteWeakened(_)
            | Self::VoteBlind(_)
            | Self::Bypassed(_)
            | Self::Maintenance(_)
            | Self::System(_)
            | Self::Flood(_) => false,
        }
    }

    /// Whether it is about life safety, or stands for others, whatever its priority: never put away (A2).
    const fn is_protected(self) -> bool {
        match self {
            Self::NotArmed(_)
            | Self::Unproven(_)
            | Self::Cutting(_)
            | Self::CutFailed(_)
            | Self::VoteWeakened(_)
            | Self::VoteBlind(_)
            | Self::Bypassed(_)
            | Self::Maintenance(_)
            | Self::CurrentFlows(_)
            | Self::Flood(_) => true,
            // Who works on a switch may put its alarm away.
            Self::Rule(_) | Self::Silent(_) | Self::Faulty(_) | Self::OpenedByOther(_) | Self::System(_) => {
                false
            }
        }
    }
}
