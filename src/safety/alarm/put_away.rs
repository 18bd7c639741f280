//! Alarms that are put away: by a shelf, by a flood, for maintenance. They go on following their cause, and
//! what matters more than may be held comes through at once.

use super::records::AwayHow;
use super::settings::BURST_WITHIN;
use super::{AlarmEvent, AlarmState, Alarms, Away, Cause, Turn, may_be_suppressed};
use crate::safety::fact::Operator;
use crate::safety::site::{AlarmId, AlarmSource, Priority};

impl Alarms {
    /// Puts it away; the state must allow it.
    pub(super) fn put_away(&mut self, alarm: AlarmId, how: AwayHow, told: bool, turn: &mut Turn<'_>) {
        let (state, event) = match &how {
            AwayHow::Shelved { by, .. } => (AlarmState::Shelved, AlarmEvent::Shelved { by: by.clone() }),
            AwayHow::Suppressed { .. } => (AlarmState::Suppressed, AlarmEvent::Suppressed),
            AwayHow::OutOfService { by, .. } => {
                (AlarmState::OutOfService, AlarmEvent::TakenOut { by: by.clone() })
            }
        };
        if let AwayHow::Suppressed { .. } = how {
            self.floods.suppressed(turn.site[alarm].room, 1);
        }
        let record = &mut self.records[alarm.index()];
        record.away = Some(Box::new(Away { how, told }));
        record.acknowledged_by = None;
        self.shift(alarm, state, turn.site);
        self.say(alarm, event, turn);
    }

    /// Brings it back: to B if the cause stands, as a new occurrence, else to A.
    pub(super) fn bring_back(&mut self, alarm: AlarmId, by: Option<Operator>, turn: &mut Turn<'_>) {
        let spec = &turn.site[alarm];
        let first_out =
            spec.source.is_of_the_plant() && self.plant_standing.get(spec.room.index()) == Some(&0);
        let record = &mut self.records[alarm.index()];
        let (Some(away), Some(to)) = (record.away.take(), record.state.brought_back(record.stands)) else {
            return;
        };
        if record.stands {
            (record.occurrence, record.revision) = (record.occurrence + 1, 0);
            record.first_out = first_out;
        }
        let event = match away.how {
            AwayHow::Shelved { .. } => AlarmEvent::Unshelved { by },
            AwayHow::OutOfService { .. } => AlarmEvent::PutBack { by },
            AwayHow::Suppressed { .. } => {
                self.floods.suppressed(spec.room, -1);
                AlarmEvent::Unsuppressed
            }
        };
        self.shift(alarm, to, turn.site);
        self.say(alarm, event, turn);
        if to == AlarmState::UnackActive {
            self.say(alarm, AlarmEvent::Raised, turn);
        } else if away.told {
            self.say(alarm, AlarmEvent::Cleared, turn);
        }
    }

    /// The cause appeared while it is put away.
    pub(super) fn stand_unseen(&mut self, alarm: AlarmId, cause: Cause, turn: &mut Turn<'_>) {
        let record = &mut self.records[alarm.index()];
        record.stands = true;
        (record.since, record.raised) = (turn.now.wall, turn.now.uptime);
        (record.priority, record.level, record.evidence) =
            (Some(cause.priority), cause.level, cause.evidence);
        self.come_through_or_note(alarm, turn);
    }

    /// What it is put away with does not hold everything (A2).
    pub(super) fn come_through_or_note(&mut self, alarm: AlarmId, turn: &mut Turn<'_>) {
        let record = &self.records[alarm.index()];
        let holds = record.away.as_deref().map(|away| away.how.holds());
        if holds < record.priority {
            self.bring_back(alarm, None, turn);
        } else {
            self.say(alarm, AlarmEvent::Noted, turn);
        }
    }

    /// The cause went while it is put away. A flood and a one-shot shelf have nothing more to hold then.
    pub(super) fn clear_unseen(&mut self, alarm: AlarmId, turn: &mut Turn<'_>) {
        match self.records[alarm.index()].away.as_deref().map(|away| &away.how) {
            Some(AwayHow::Suppressed { .. } | AwayHow::Shelved { one_shot: true, .. }) => {
                self.bring_back(alarm, None, turn);
            }
            _ => self.say(alarm, AlarmEvent::Noted, turn),
        }
    }

    /// A new alarm of the plant: it may be the one too many.
    pub(super) fn count_for_flood(&mut self, alarm: AlarmId, turn: &mut Turn<'_>) {
        let room = turn.site[alarm].room;
        let Some(onset) = self.floods.count(room, alarm, turn.now.uptime) else { return };
        self.tally.counts().floods_begun += 1;
        self.records[onset.group.index()].origin = Some(onset.first);
        self.came(onset.group, Cause::technical(Priority::High), turn);
        for member in onset.burst {
            let (spec, record) = (&turn.site[member], &self.records[member.index()]);
            let young = turn.now.uptime.since(record.raised) <= BURST_WITHIN;
            let unseen = record.state == AlarmState::UnackActive && young;
            if unseen && record.priority.is_some_and(|priority| may_be_suppressed(spec, priority)) {
                self.suppress(member, onset.group, true, turn);
            }
        }
    }

    pub(super) fn suppress(&mut self, alarm: AlarmId, group: AlarmId, told: bool, turn: &mut Turn<'_>) {
        self.put_away(alarm, AwayHow::Suppressed { group }, told, turn);
    }

    /// The few that are left are told one by one, then the flood is over.
    pub(super) fn end_flood(&mut self, group: AlarmId, turn: &mut Turn<'_>) {
        let of_it = |away: &Away| away.how == AwayHow::Suppressed { group };
        for index in 0..self.records.len() {
            if self.records[index].away.as_deref().is_some_and(of_it) {
                self.bring_back(AlarmId::at(index), None, turn);
            }
        }
        self.went(group, turn);
    }

    /// Whether it is about life safety now, or stands for others (A2).
    pub(super) fn is_protected(&self, alarm: AlarmId, source: AlarmSource) -> bool {
        let record = &self.records[alarm.index()];
        let critical = super::records::HELD_MAX < record.priority.unwrap_or(Priority::Low);
        source.is_protected() || (critical && record.state != AlarmState::Normal)
    }
}
