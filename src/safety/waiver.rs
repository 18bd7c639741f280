//! What people put aside for a while, though it protects: a channel of a vote while its detector is worked on (bypass,
//! R15, S16), and the automatic cuts of a zone in which somebody works (maintenance, I10).
//!
//! It takes two persons to begin and one to end. It ends by itself, never later than a shift; an alarm stands all the
//! while. It lives on over a restart, but not over a reboot, when nobody can say how old it is: what protects comes
//! back by itself. Levels and alarms are not touched: nobody is told less.
//!
//! A bypassed channel counts as one that cannot judge, by the policy that the site wrote for that. A vote that could not
//! be completed without it keeps it.

use std::sync::Arc;

use crate::safety::fact::{Fact, Operator, Output, Refusal};
use crate::safety::memory::Memory;
use crate::safety::site::{AlarmSource, Priority, RuleId, Site, ZoneId};
use crate::units::{Millis, Uptime};

/// The longest time for which anything is put aside: a shift (R15).
pub const WAIVED_MAX: Millis = Millis::from_secs(8 * 3600);

/// What is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waived {
    /// This channel, in every vote that it is a channel of.
    Channel(RuleId),
    /// The automatic cuts of this zone.
    Zone(ZoneId),
}

/// Something that is put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Who asked for it, and who agreed.
    pub by: [Operator; 2],
    /// Why: one line.
    pub reason: Arc<str>,
    /// It ends by itself then.
    pub until: Uptime,
}

/// Something was put aside, or taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverChange {
    /// What.
    pub what: Waived,
    /// How it stands now; `None`: it has ended.
    pub now: Option<Waiver>,
    /// Who ended it; `None` where its time did, or a reboot.
    pub ended_by: Option<Operator>,
}

/// All that is put aside now.
#[derive(Clone, Debug)]
pub(super) struct Waivers {
    channels: Vec<Option<Waiver>>,
    zones: Vec<Option<Waiver>>,
    /// Grows with every change: what people have seen (R15).
    pub(super) version: u64,
    /// None ends before this.
    next_end: Uptime,
    /// What changed since it was last taken, or is to be looked at after a start.
    changed: Vec<Waived>,
}

impl Waivers {
    pub(super) fn new(site: &Site, memory: &Memory) -> Self {
        let of = |what: Waived| memory.waivers.get(&what.key(site)).filter(|_| memory.same_boot).cloned();
        let channels = (0..site.rules.len()).map(|index| of(Waived::Channel(RuleId::at(index))));
        let zones = (0..site.zones.len()).map(|index| of(Waived::Zone(ZoneId::at(index))));
        let channels: Vec<Option<Waiver>> = channels.collect();
        let mut waivers =
            Self { channels, zones: zones.collect(), version: 0, next_end: Uptime(0), changed: Vec::new() };
        // The alarms of before the start stand or go by what is put aside now.
        waivers.changed = waivers.all().collect();
        waivers
    }

    /// Whether this is put aside.
    pub(super) fn of(&self, what: Waived) -> Option<&Waiver> {
        match what {
            Waived::Channel(rule) => self.channels.get(rule.index())?.as_ref(),
            Waived::Zone(zone) => self.zones.get(zone.index())?.as_ref(),
        }
    }

    /// All that could be put aside.
    pub(super) fn all(&self) -> impl Iterator<Item = Waived> + use<> {
        let channels = (0..self.channels.len()).map(|index| Waived::Channel(RuleId::at(index)));
        channels.chain((0..self.zones.len()).map(|index| Waived::Zone(ZoneId::at(index))))
    }

    /// For the memory of the core.
    pub(super) fn remember(&self, site: &Site, memory: &mut Memory) {
        for what in self.all() {
            if let Some(waiver) = self.of(what) {
                memory.waivers.insert(what.key(site), waiver.clone());
            }
        }
    }

    /// Puts something aside.
    pub(super) fn begin(&mut self, what: Waived, waiver: Waiver, out: &mut Vec<Output>) {
        self.next_end = self.next_end.min(waiver.until);
        self.set(what, Some(waiver), None, out);
    }

    /// Takes it back.
    ///
    /// # Errors
    /// `NothingToDo` if it is not put aside.
    pub(super) fn end(&mut self, what: Waived, by: &Operator, out: &mut Vec<Output>) -> Result<(), Refusal> {
        self.of(what).ok_or(Refusal::NothingToDo)?;
        self.set(what, None, Some(by.clone()), out);
        Ok(())
    }

    /// Ends what has had its time.
    pub(super) fn advance(&mut self, now: Uptime, out: &mut Vec<Output>) {
        if now < self.next_end {
            return;
        }
        self.next_end = Uptime(u64::MAX);
        for index in 0..self.channels.len() {
            self.end_if_due(Waived::Channel(RuleId::at(index)), now, out);
        }
        for index in 0..self.zones.len() {
            self.end_if_due(Waived::Zone(ZoneId::at(index)), now, out);
        }
    }

    fn end_if_due(&mut self, what: Waived, now: Uptime, out: &mut Vec<Output>) {
        match self.of(what).map(|waiver| waiver.until) {
            Some(until) if until <= now => self.set(what, None, None, out),
            Some(until) => self.next_end = self.next_end.min(until),
            None => {}
        }
    }

    fn set(&mut self, what: Waived, now: Option<Waiver>, ended_by: Option<Operator>, out: &mut Vec<Output>) {
        let place = match what {
            Waived::Channel(rule) => &mut self.channels[rule.index()],
            Waived::Zone(zone) => &mut self.zones[zone.index()],
        };
        place.clone_from(&now);
        self.version += 1;
        self.changed.push(what);
        out.push(Output::Fact(Fact::Waiver(Box::new(WaiverChange { what, now, ended_by }))));
    }

    /// What changed since the last time.
    pub(super) fn take_changed(&mut self) -> Vec<Waived> {
        std::mem::take(&mut self.changed)
    }
}

impl Waived {
    /// The alarm that stands all the while.
    #[must_use]
    pub const fn alarm(self) -> AlarmSource {
        match self {
            Self::Channel(rule) => AlarmSource::Bypassed(rule),
            Self::Zone(zone) => AlarmSource::Maintenance(zone),
        }
    }

    /// How much it matters: a detector less, or nobody who cuts.
    pub(super) const fn priority(self) -> Priority {
        match self {
            Self::Channel(_) => Priority::High,
            Self::Zone(_) => Priority::Critical,
        }
    }

    /// Its name over restarts: the kind, and the name of what it is.
    #[must_use]
    pub fn key(self, site: &Site) -> String {
        match self {
            Self::Channel(rule) => {
                format!("bypass/{}", site.rules.get(rule.index()).map_or("?", |rule| &rule.name))
            }
            Self::Zone(zone) => {
                format!("maintenance/{}", site.zones.get(zone.index()).map_or("?", |zone| &zone.name))
            }
        }
    }

    /// What has this name at this site.
    #[must_use]
    pub fn of_key(site: &Site, key: &str) -> Option<Self> {
        let (kind, name) = key.split_once('/')?;
        match kind {
            "bypass" => {
                let found = site.rules.iter().position(|rule| rule.name == name)?;
                Some(Self::Channel(RuleId::at(found)))
            }
            "maintenance" => {
                let found = site.zones.iter().position(|zone| zone.name == name)?;
                Some(Self::Zone(ZoneId::at(found)))
            }
            _ => None,
        }
    }
}
