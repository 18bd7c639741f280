//! What people ask about alarms.

use std::sync::Arc;

use super::records::{AwayHow, HELD_MAX};
use super::settings::REASON_CHARS_MAX;
use super::{AlarmEvent, AlarmState, Alarms, Turn};
use crate::safety::fact::{Operator, Output, Refusal, Request};
use crate::safety::site::{AlarmId, Site};
use crate::units::{Millis, Now};

/// A shelf that somebody asks for.
struct Shelf {
    occurrence: Option<u64>,
    lasting: Millis,
    one_shot: bool,
}

impl Alarms {
    /// Follows a request about an alarm, or refuses it; `None` if it is about something else.
    pub(crate) fn ask(
        &mut self,
        by: &Operator,
        request: &Request,
        site: &Site,
        now: Now,
        out: &mut Vec<Output>,
    ) -> Option<Result<(), Refusal>> {
        let turn = &mut Turn { site, now, out };
        let alarm = request.alarm()?;
        if self.records.len() <= alarm.index() {
            return Some(Err(Refusal::NothingToDo));
        }
        Some(match request {
            Request::Acknowledge { occurrence, .. } => self.acknowledge(alarm, *occurrence, by, turn),
            Request::ResetAlarm { .. } => self.reset(alarm, by, turn),
            Request::Shelve { occurrence, lasting, one_shot, .. } => {
                let (occurrence, lasting, one_shot) = (*occurrence, *lasting, *one_shot);
                self.shelve(alarm, &Shelf { occurrence, lasting, one_shot }, by, turn)
            }
            Request::Unshelve { .. } => self.bring_back_from(AlarmState::Shelved, alarm, by, turn),
            Request::OutOfService { reason, .. } => self.take_out(alarm, reason, by, turn),
            Request::InService { .. } => self.bring_back_from(AlarmState::OutOfService, alarm, by, turn),
            Request::Abort { .. }
            | Request::Arm { .. }
            | Request::Disarm { .. }
            | Request::Select { .. }
            | Request::Start { .. }
            | Request::ResetSequence { .. }
            | Request::Drill { .. }
            | Request::ProofTested { .. }
            // Not about the alarm itself, but about what it speaks of.
            | Request::Waive { .. }
            | Request::EndWaiver { .. } => return None,
        })
    }

    fn acknowledge(
        &mut self,
        alarm: AlarmId,
        occurrence: u64,
        by: &Operator,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        let record = &mut self.records[alarm.index()];
        if record.occurrence != occurrence {
            return Err(Refusal::OutOfDate);
        }
        let after = record.state.after_acknowledge();
        if after == record.state {
            return Err(Refusal::NothingToDo);
        }
        record.acknowledged_by = Some(by.clone());
        self.tracks[alarm.index()].seen = turn.now.uptime;
        self.shift(alarm, after, turn.site);
        self.say(alarm, AlarmEvent::Acknowledged { by: by.clone() }, turn);
        if after == AlarmState::Normal {
            self.say(alarm, AlarmEvent::Cleared, turn);
        }
        Ok(())
    }

    fn reset(&mut self, alarm: AlarmId, by: &Operator, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        let state = self.records[alarm.index()].state;
        if let Some(after) = state.after_reset() {
            self.shift(alarm, after, turn.site);
            self.say(alarm, AlarmEvent::Reset { by: by.clone() }, turn);
            return Ok(());
        }
        match state {
            AlarmState::UnackActive | AlarmState::AckActive => Err(Refusal::CauseStands),
            AlarmState::LatchedUnack => Err(Refusal::NotNow),
            _ => Err(Refusal::NothingToDo),
        }
    }

    fn shelve(
        &mut self,
        alarm: AlarmId,
        shelf: &Shelf,
        by: &Operator,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        let record = &self.records[alarm.index()];
        if shelf.occurrence.is_some_and(|seen| seen != record.occurrence) {
            return Err(Refusal::OutOfDate);
        }
        self.may_silence(alarm, turn.site)?;
        let record = &self.records[alarm.index()];
        if shelf.lasting == Millis::ZERO || self.shelve_max < shelf.lasting {
            return Err(Refusal::TooLong);
        }
        let until = turn.now.uptime.plus(shelf.lasting);
        // What stands is shelved as bad as it is; what gets worse comes through.
        let stood = (record.state != AlarmState::Normal).then_some(record.priority).flatten();
        let holds = stood.unwrap_or(HELD_MAX);
        let how = AwayHow::Shelved { by: by.clone(), until, one_shot: shelf.one_shot, holds };
        self.silence(alarm, how, turn);
        Ok(())
    }

    fn take_out(
        &mut self,
        alarm: AlarmId,
        reason: &Arc<str>,
        by: &Operator,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        self.may_silence(alarm, turn.site)?;
        if !is_a_reason(reason) {
            return Err(Refusal::NoReason);
        }
        self.silence(alarm, AwayHow::OutOfService { by: by.clone(), reason: Arc::clone(reason) }, turn);
        Ok(())
    }

    /// Whether a person may put it away at all (A2).
    fn may_silence(&self, alarm: AlarmId, site: &Site) -> Result<(), Refusal> {
        if self.is_protected(alarm, site[alarm].source) {
            return Err(Refusal::LifeSafety);
        }
        let to = self.records[alarm.index()].state.put_away(AlarmState::Shelved);
        to.map(|_| ()).ok_or(Refusal::NotNow)
    }

    fn silence(&mut self, alarm: AlarmId, how: AwayHow, turn: &mut Turn<'_>) {
        let told = self.records[alarm.index()].state != AlarmState::Normal;
        self.put_away(alarm, how, told, turn);
    }

    fn bring_back_from(
        &mut self,
        from: AlarmState,
        alarm: AlarmId,
        by: &Operator,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        if self.records[alarm.index()].state != from {
            return Err(Refusal::NothingToDo);
        }
        self.bring_back(alarm, Some(by.clone()), turn);
        Ok(())
    }
}

/// Whether this is a reason: one line, not empty, of at most `REASON_CHARS_MAX`.
pub(crate) fn is_a_reason(text: &str) -> bool {
    let short = text.chars().count() <= REASON_CHARS_MAX && !text.chars().any(char::is_control);
    short && !text.trim().is_empty()
}
