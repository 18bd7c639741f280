//! The referee's book of alarms: A1, A2 and the picture of ISA-18.2, over everything that was told.

use emberwatch::safety::alarm::{AlarmChange, AlarmEvent, AlarmState};
use emberwatch::safety::site::{AlarmSource, Priority, Site};

use super::referee::{Verdict, demand};

/// What was told of each alarm.
#[derive(Debug)]
pub(crate) struct AlarmBook {
    number: u64,
    /// The state and the occurrence told last; unknown after a restart.
    told: Vec<Option<(AlarmState, u64)>>,
}

impl AlarmBook {
    pub(crate) fn new(site: &Site) -> Self {
        Self { number: 0, told: vec![None; site.alarms.len()] }
    }

    pub(crate) fn restart(&mut self) {
        self.told.fill(None);
    }

    pub(crate) fn changed(&mut self, site: &Site, change: &AlarmChange) -> Verdict {
        let (spec, now) = (&site[change.alarm], &change.now);
        let name = &spec.name;
        demand(self.number < change.number, "A1", || {
            format!("{name}: change {} after {}", change.number, self.number)
        })?;
        self.number = change.number;
        let about_life = matches!(
            spec.source,
            AlarmSource::NotArmed(_) | AlarmSource::Cutting(_) | AlarmSource::CutFailed(_)
        );
        let critical = now.priority == Some(Priority::Critical) && now.stands;
        demand(!now.state.is_away() || !(about_life || critical), "A2", || {
            format!("{name} is {:?} with {:?}", now.state, now.priority)
        })?;
        demand(now.state.is_away() == now.away.is_some(), "ISA-18.2", || format!("{name}: {now:?}"))?;
        demand(!now.state.is_active() || now.stands, "ISA-18.2", || format!("{name}: {now:?}"))?;
        if let Some((was, occurrence)) = self.told[change.alarm.index()].replace((now.state, now.occurrence))
        {
            demand(may_follow(was, now.state), "ISA-18.2", || {
                format!("{name} went from {was:?} to {:?} by {:?}", now.state, change.event)
            })?;
            let raised = change.event == AlarmEvent::Raised && now.state != was;
            demand(!raised || occurrence < now.occurrence, "ISA-18.2", || {
                format!("{name} was raised from {was:?} without a new occurrence")
            })?;
        }
        Ok(())
    }
}

/// The arrows of the picture.
fn may_follow(was: AlarmState, now: AlarmState) -> bool {
    use AlarmState::*;
    let to: &[AlarmState] = match was {
        Normal => &[UnackActive, Shelved, Suppressed, OutOfService],
        UnackActive => &[AckActive, UnackReturned, LatchedUnack, Shelved, Suppressed, OutOfService],
        AckActive => &[UnackActive, Normal, LatchedAck, Shelved, Suppressed, OutOfService],
        UnackReturned => &[UnackActive, Normal, Shelved, Suppressed, OutOfService],
        LatchedUnack => &[UnackActive, LatchedAck],
        LatchedAck | Shelved | Suppressed | OutOfService => &[UnackActive, Normal],
    };
    was == now || to.contains(&now)
}
