//! Alarms that nobody acknowledges: who is called after that.
//!
//! ```text
//!   stands unacknowledged ──► waits ── the time is over ──► told, and every change of it from then on
//!                               │ acknowledged, over, put away
//!                               └──► forgotten
//! ```
//! The time counts from when the alarm was raised, also over a restart (over a reboot: from when the machine started); who
//! was called before it is called again. It does not begin anew when the alarm gets worse, nor end when the cause goes by
//! itself: still nobody has looked.

use std::collections::BTreeMap;

use crate::safety::alarm::{AlarmChange, AlarmEvent, AlarmState};
use crate::safety::site::AlarmId;
use crate::units::{Millis, Uptime};

/// The alarms that one target may yet hear of. There are never more than the site has.
#[derive(Debug)]
pub(super) struct Escalation {
    after: Millis,
    tracks: BTreeMap<AlarmId, Track>,
}

#[derive(Debug)]
enum Track {
    Waits { due: Uptime, call: Box<AlarmChange> },
    Told,
}

impl Escalation {
    pub(super) const fn new(after: Millis) -> Self {
        Self { after, tracks: BTreeMap::new() }
    }

    /// Takes in a change; true if the target is to hear of it now, because it was told of the alarm before.
    pub(super) fn hear(&mut self, change: &AlarmChange, now: Uptime) -> bool {
        let state = change.now.state;
        let over = state == AlarmState::Normal || is_away(state);
        match self.tracks.get_mut(&change.alarm) {
            Some(Track::Told) => {
                if over {
                    self.tracks.remove(&change.alarm);
                }
                true
            }
            Some(Track::Waits { call, .. }) => {
                if !is_unseen(state) {
                    self.tracks.remove(&change.alarm);
                } else if change.event.is_call() {
                    **call = change.clone();
                } else {
                    call.now = change.now.clone();
                }
                false
            }
            None => {
                if is_unseen(state) {
                    let restored = change.event == AlarmEvent::Restored;
                    let begun = if restored { change.now.raised.min(now) } else { now };
                    let due = begun.plus(self.after);
                    self.tracks.insert(change.alarm, Track::Waits { due, call: Box::new(change.clone()) });
                }
                false
            }
        }
    }

    /// Those whose time is over.
    pub(super) fn due(&mut self, now: Uptime) -> Vec<AlarmChange> {
        let mut calls = Vec::new();
        for track in self.tracks.values_mut() {
            if let Track::Waits { due, call } = track
                && *due <= now
            {
                calls.push((**call).clone());
                *track = Track::Told;
            }
        }
        calls
    }

    /// When the next time is over.
    pub(super) fn next_due(&self) -> Option<Uptime> {
        let dues = self.tracks.values().filter_map(|track| match track {
            Track::Waits { due, .. } => Some(*due),
            Track::Told => None,
        });
        dues.min()
    }

    pub(super) const fn after(&self) -> Millis {
        self.after
    }
}

const fn is_unseen(state: AlarmState) -> bool {
    matches!(state, AlarmState::UnackActive | AlarmState::UnackReturned | AlarmState::LatchedUnack)
}

const fn is_away(state: AlarmState) -> bool {
    matches!(state, AlarmState::Shelved | AlarmState::Suppressed | AlarmState::OutOfService)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::alarm::AlarmRecord;

    const AFTER: Millis = Millis(120_000);

    fn change(event: AlarmEvent, state: AlarmState) -> AlarmChange {
        let now = AlarmRecord { state, ..AlarmRecord::default() };
        AlarmChange { number: 1, alarm: AlarmId(3), event, now }
    }

    fn raised() -> AlarmChange {
        change(AlarmEvent::Raised, AlarmState::UnackActive)
    }

    #[test]
    fn an_alarm_that_nobody_acknowledges_is_told_when_its_time_is_over_and_then_to_its_end() {
        let mut escalation = Escalation::new(AFTER);
        assert!(!escalation.hear(&raised(), Uptime(1000)));
        assert_eq!(escalation.next_due(), Some(Uptime(121_000)));
        // Getting worse is no new beginning.
        assert!(!escalation.hear(&change(AlarmEvent::Escalated, AlarmState::UnackActive), Uptime(60_000)));
        assert!(escalation.due(Uptime(120_999)).is_empty());
        let calls = escalation.due(Uptime(121_000));
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].event, AlarmEvent::Escalated);
        assert!(escalation.due(Uptime(999_000)).is_empty(), "told once");
        assert!(escalation.hear(
            &change(AlarmEvent::Acknowledged { by: "kim".into() }, AlarmState::AckActive),
            Uptime(122_000)
        ));
        assert!(escalation.hear(&change(AlarmEvent::Cleared, AlarmState::Normal), Uptime(123_000)));
        assert!(!escalation.hear(&raised(), Uptime(124_000)), "another occurrence waits again");
    }

    #[test]
    fn a_restart_does_not_give_anybody_more_time() {
        let restored = |raised| {
            let mut restored = change(AlarmEvent::Restored, AlarmState::UnackActive);
            restored.now.raised = Uptime(raised);
            restored
        };
        let mut escalation = Escalation::new(AFTER);
        escalation.hear(&restored(10_000), Uptime(100_000));
        assert_eq!(escalation.next_due(), Some(Uptime(130_000)), "it stands for 90 s already");
        let mut escalation = Escalation::new(AFTER);
        escalation.hear(&restored(10_000), Uptime(900_000));
        assert_eq!(escalation.due(Uptime(900_000)).len(), 1, "its time was over while nobody watched");
        let mut escalation = Escalation::new(AFTER);
        escalation.hear(&restored(u64::MAX), Uptime(5000));
        assert_eq!(escalation.next_due(), Some(Uptime(125_000)), "a time to come is no time");
    }

    #[test]
    fn what_somebody_has_seen_in_time_is_never_told() {
        let mut escalation = Escalation::new(AFTER);
        for (event, state) in [
            (AlarmEvent::Acknowledged { by: "kim".into() }, AlarmState::AckActive),
            (AlarmEvent::Cleared, AlarmState::Normal),
            (AlarmEvent::Shelved { by: "kim".into() }, AlarmState::Shelved),
        ] {
            assert!(!escalation.hear(&raised(), Uptime(0)));
            assert!(!escalation.hear(&change(event, state), Uptime(1)));
            assert_eq!(escalation.next_due(), None);
        }
    }

    #[test]
    fn a_cause_that_goes_by_itself_is_still_unseen() {
        let mut escalation = Escalation::new(AFTER);
        escalation.hear(&raised(), Uptime(0));
        escalation.hear(&change(AlarmEvent::Returned, AlarmState::UnackReturned), Uptime(10));
        assert_eq!(escalation.due(Uptime(120_000)).len(), 1);
    }
}
