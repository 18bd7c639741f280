//! What persons put aside, in the referee's books: it takes two, ends in its time, and an alarm stands all the while.

use std::collections::BTreeMap;

use emberwatch::safety::Safety;
use emberwatch::safety::site::{AlarmId, AlarmSource, Site};
use emberwatch::safety::waiver::{WAIVED_MAX, Waived, WaiverChange};
use emberwatch::units::Uptime;

use super::referee::{Verdict, demand};

#[derive(Debug, Default)]
pub(crate) struct WaiverBook {
    /// What is put aside: since when, and until when at the latest.
    open: BTreeMap<Waived, (Uptime, Uptime)>,
    /// What two persons have asked for, until it is said to have begun.
    begun: Vec<(Waived, Uptime)>,
}

impl WaiverBook {
    /// A restart ends nothing, a reboot everything.
    pub(crate) fn restart(&mut self, same_boot: bool) {
        self.begun.clear();
        if !same_boot {
            self.open.clear();
        }
    }

    /// Whether it was put aside before this scan.
    pub(crate) fn stood(&self, what: Waived, now: Uptime) -> bool {
        self.open.get(&what).is_some_and(|(since, _)| *since < now)
    }

    /// Two persons asked for what this alarm speaks of, until then.
    pub(crate) fn asked(&mut self, source: AlarmSource, until: Uptime) -> Verdict {
        let what = match source {
            AlarmSource::Bypassed(rule) => Waived::Channel(rule),
            AlarmSource::Maintenance(zone) => Waived::Zone(zone),
            other => return Err(format!("S16: {other:?} put aside")),
        };
        let found = self.begun.iter().position(|known| *known == (what, until));
        let found = found.ok_or_else(|| format!("S16: {what:?} was asked for and has not begun"))?;
        self.begun.remove(found);
        Ok(())
    }

    pub(crate) fn changed(&mut self, change: &WaiverChange, now: Uptime) -> Verdict {
        let what = change.what;
        if let Some(waiver) = &change.now {
            let known = self.open.insert(what, (now, waiver.until));
            demand(known.is_none(), "S16", || format!("{what:?} is put aside twice"))?;
            demand(waiver.until <= now.plus(WAIVED_MAX), "S16", || format!("{waiver:?} at {now:?}"))?;
            demand(waiver.by[0] != waiver.by[1], "S15", || format!("{waiver:?}"))?;
            self.begun.push((what, waiver.until));
            return Ok(());
        }
        let (_, until) = self.open.remove(&what).ok_or_else(|| format!("S16: {what:?} ended unbegun"))?;
        demand(change.ended_by.is_some() || until <= now, "S16", || format!("{what:?} ended too early"))
    }

    /// S16: after every scan, what is put aside is what the books say, has not had its time, and its alarm stands.
    pub(crate) fn stand(&self, site: &Site, core: &Safety, now: Uptime) -> Verdict {
        demand(self.begun.is_empty(), "S15", || format!("{:?} began unasked", self.begun))?;
        for (index, alarm) in site.alarms.iter().enumerate() {
            let what = match alarm.source {
                AlarmSource::Bypassed(rule) => Waived::Channel(rule),
                AlarmSource::Maintenance(zone) => Waived::Zone(zone),
                _ => continue,
            };
            let (stands, open) = (core.waiver(what).is_some(), self.open.get(&what));
            demand(stands == open.is_some(), "S16", || format!("{what:?}: {stands}, not {open:?}"))?;
            let over = open.is_some_and(|(_, until)| *until <= now);
            demand(!over, "S16", || format!("{what:?} has had its time: {open:?}"))?;
            let state = core.alarm(AlarmId::at(index)).state;
            demand(state.is_active() == stands, "S16", || format!("{what:?}, its alarm {state:?}"))?;
        }
        Ok(())
    }
}
