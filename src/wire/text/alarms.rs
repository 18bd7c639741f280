//! Sentences about alarms.

use crate::safety::alarm::{AlarmChange, AlarmEvent, AlarmRecord, AwayHow};
use crate::safety::fact::Operator;
use crate::safety::site::Site;

/// A step in the life of an alarm.
#[must_use]
pub fn alarm_change(site: &Site, change: &AlarmChange) -> String {
    let alarm = &site[change.alarm];
    let ended = |what: &str, by: &Option<Operator>| match by {
        Some(by) => format!("{} {what} by {by}", alarm.name),
        None => format!("{} {what}", alarm.name),
    };
    match &change.event {
        AlarmEvent::ReAlarmed => {
            format!("{}: still stands, acknowledged long ago: {}", alarm.name, alarm.message)
        }
        AlarmEvent::Shelved { by } => format!("{} shelved by {by}{}", alarm.name, held(site, &change.now)),
        AlarmEvent::Unshelved { by } => ended("unshelved", by),
        AlarmEvent::Suppressed => format!("{}: one of a flood{}", alarm.name, held(site, &change.now)),
        AlarmEvent::Unsuppressed => format!("{}: no longer one of a flood", alarm.name),
        AlarmEvent::TakenOut { by } => {
            format!("{} taken out of service by {by}{}", alarm.name, held(site, &change.now))
        }
        AlarmEvent::PutBack { by } => ended("put back into service", by),
        AlarmEvent::Noted => noted(&alarm.name, &change.now),
        AlarmEvent::Raised | AlarmEvent::Escalated => format!("{}: {}", alarm.name, alarm.message),
        AlarmEvent::Acknowledged { by } => format!("{} acknowledged by {by}", alarm.name),
        AlarmEvent::Returned => format!("{}: the cause has gone", alarm.name),
        AlarmEvent::Reset { by } => format!("{} reset by {by}", alarm.name),
        AlarmEvent::Cleared => format!("{} is back to normal", alarm.name),
        AlarmEvent::Restored => format!("{}: stood before the restart, and still does", alarm.name),
    }
}

/// How it is put away: until when at most, behind what, or why.
fn held(site: &Site, record: &AlarmRecord) -> String {
    match record.away.as_deref().map(|away| &away.how) {
        Some(AwayHow::Shelved { one_shot: true, .. }) => ", at most until its cause goes".to_owned(),
        Some(AwayHow::Suppressed { group }) => format!(": {} stands for it", site[*group].name),
        Some(AwayHow::OutOfService { reason, .. }) => format!(": {reason}"),
        Some(AwayHow::Shelved { one_shot: false, .. }) | None => String::new(),
    }
}

fn noted(name: &str, record: &AlarmRecord) -> String {
    let cause = if record.stands { "its cause stands" } else { "its cause has gone" };
    if record.state.is_away() {
        format!("{name}: {}, {cause}", record.state.word())
    } else {
        format!("{name}: no longer chattering after {} times, {cause}", record.flips)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::alarm::{AlarmState, Away};
    use crate::safety::site::{AlarmId, Priority};
    use crate::units::Uptime;
    use crate::wire::testsite;

    fn said(event: AlarmEvent, state: AlarmState, how: Option<AwayHow>) -> String {
        let away = how.map(|how| Box::new(Away { how, told: true }));
        let now = AlarmRecord { state, away, flips: 9, ..AlarmRecord::default() };
        alarm_change(&testsite::site(), &AlarmChange { number: 1, alarm: AlarmId(0), event, now })
    }

    #[test]
    fn what_is_put_away_says_by_whom_behind_what_and_why() {
        let by: Operator = "local:kim".into();
        let once =
            AwayHow::Shelved { by: by.clone(), until: Uptime(1), one_shot: true, holds: Priority::High };
        assert_eq!(
            said(AlarmEvent::Shelved { by: by.clone() }, AlarmState::Shelved, Some(once)),
            "cell-temp shelved by local:kim, at most until its cause goes"
        );
        let out = AwayHow::OutOfService { by: by.clone(), reason: "new sensor".into() };
        assert_eq!(
            said(AlarmEvent::TakenOut { by }, AlarmState::OutOfService, Some(out)),
            "cell-temp taken out of service by local:kim: new sensor"
        );
        let flood = AwayHow::Suppressed { group: AlarmId(1) };
        assert_eq!(
            said(AlarmEvent::Suppressed, AlarmState::Suppressed, Some(flood)),
            "cell-temp: one of a flood: bms-1-silent stands for it"
        );
        assert_eq!(said(AlarmEvent::Unshelved { by: None }, AlarmState::Normal, None), "cell-temp unshelved");
        assert_eq!(
            said(AlarmEvent::Noted, AlarmState::UnackReturned, None),
            "cell-temp: no longer chattering after 9 times, its cause has gone"
        );
    }
}
