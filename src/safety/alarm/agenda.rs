//! When to look at which alarm again: the work of a scan grows with what is due, not with the number of alarms.

use std::collections::BTreeSet;

use crate::safety::site::AlarmId;
use crate::units::Uptime;

/// One entry per alarm at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    entries: BTreeSet<(Uptime, AlarmId)>,
    by_alarm: Vec<Option<Uptime>>,
}

impl Agenda {
    pub(super) fn new(alarms: usize) -> Self {
        Self { entries: BTreeSet::new(), by_alarm: vec![None; alarms] }
    }

    /// Looks at this alarm then, and not before; `None`: no more.
    pub(super) fn plan(&mut self, alarm: AlarmId, when: Option<Uptime>) {
        let entry = &mut self.by_alarm[alarm.index()];
        if *entry == when {
            return;
        }
        if let Some(before) = std::mem::replace(entry, when) {
            self.entries.remove(&(before, alarm));
        }
        if let Some(when) = when {
            self.entries.insert((when, alarm));
        }
    }

    /// The next alarm whose time has come, once.
    pub(super) fn take_due(&mut self, now: Uptime) -> Option<AlarmId> {
        let &(when, alarm) = self.entries.first()?;
        if now < when {
            return None;
        }
        self.entries.pop_first();
        self.by_alarm[alarm.index()] = None;
        Some(alarm)
    }
}
