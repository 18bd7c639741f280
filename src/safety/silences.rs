//! Which devices to look at for silence in a scan: those whose time has come, and those that speak again.

use crate::safety::site::{DeviceId, Site};
use crate::units::{Millis, Uptime};

/// Who is silent, and when the next may fall silent.
#[derive(Clone, Debug)]
pub(super) struct Silences {
    silent: Vec<bool>,
    /// Silent devices that were heard in this scan.
    back: Vec<DeviceId>,
    /// No device can fall silent before this.
    next: Uptime,
}

impl Silences {
    pub(super) fn new(site: &Site) -> Self {
        // Everyone counts as silent until heard, so that the first answer ends a silence of before a restart.
        Self { silent: vec![true; site.devices.len()], back: Vec::new(), next: Uptime(0) }
    }

    /// A device may have been heard.
    pub(super) fn heard(&mut self, device: DeviceId) {
        if self.silent[device.index()] && self.back.last() != Some(&device) {
            self.back.push(device);
        }
    }

    /// Whether there is anyone to look at now.
    pub(super) fn is_due(&self, now: Uptime) -> bool {
        self.next <= now || !self.back.is_empty()
    }

    /// The devices to look at now.
    pub(super) fn take_due(&mut self, site: &Site, now: Uptime) -> Vec<DeviceId> {
        let mut due = std::mem::take(&mut self.back);
        if self.next <= now {
            self.next = Uptime(u64::MAX);
            due.clear();
            due.extend((0..site.devices.len()).map(DeviceId::at));
        }
        due
    }

    /// Takes back the list that was looked at: the next one needs no memory of its own.
    pub(super) fn keep(&mut self, mut seen: Vec<DeviceId>) {
        seen.clear();
        self.back = seen;
    }

    /// What was seen of one of them. Who was not heard yet may be silent since before a restart: the first answer
    /// tells.
    pub(super) fn note(&mut self, device: DeviceId, silent: bool, heard: bool, silent_at: Uptime) {
        self.silent[device.index()] = silent || !heard;
        if !silent {
            self.next = self.next.min(silent_at.plus(Millis(1)));
        }
    }
}
