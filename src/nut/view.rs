//! How the UPSs stand, kept from what the core says: readings, levels of zones, and runs of sequences.
//!
//! A value is shown only while its point is good: what is stale, bad or doubtful is missing, never old. What lies ahead
//! (`fate`) is taken at the time of the last publication, so that a loop that hangs counts nothing down; while it hangs
//! all data is stale. What was missed is unknown, and stale, until the core says it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::exchange::Publication;
use crate::nut::fate::{Early, Fate, fate};
use crate::nut::options::{NutOptions, StatusWord, UpsOptions};
use crate::safety::fact::Fact;
use crate::safety::reading::Reading;
use crate::safety::risk::Level;
use crate::safety::sequence::spec::Stage;
use crate::safety::sequence::{Phase, RunId, SequenceState};
use crate::safety::site::{Labels, PointId, SequenceId, Site, ZoneId};
use crate::units::{Millis, Uptime};
use crate::wire::text;

/// Without a publication for this long everything is stale: the loop publishes at least every second.
const SILENT_AFTER: Millis = Millis(2500);

/// The longest `ups.alarm`: clients read lines into buffers of 512 bytes.
const ALARM_CHARS_MAX: usize = 384;

/// Why there is nothing to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoData {
    /// No value of it has come since the start.
    NotConnected,
    /// What was read last is too old, bad or doubtful.
    Stale,
    /// There is no such variable.
    NotSupported,
}

/// How the UPSs stand.
#[derive(Debug)]
pub struct View {
    site: Arc<Site>,
    options: Arc<NutOptions>,
    /// Of the points that any UPS needs.
    readings: BTreeMap<PointId, Reading>,
    levels: Vec<Level>,
    sequences: Vec<SequenceState>,
    /// Sequences of which something was missed.
    unknown: BTreeSet<SequenceId>,
    upses: Vec<Ups>,
    /// The moment of the last publication.
    now: Option<Uptime>,
}

/// One UPS.
#[derive(Debug)]
struct Ups {
    /// The points by which it shows that it is there.
    points: Vec<PointId>,
    /// The runs for which it was told to shut down.
    given: BTreeMap<SequenceId, RunId>,
    /// What lies ahead, by which sequence, and in what time.
    ahead: (Fate, Option<SequenceId>, Option<Millis>),
}

impl View {
    /// Nothing has been read yet.
    #[must_use]
    pub fn new(site: Arc<Site>, options: Arc<NutOptions>) -> Self {
        let upses: Vec<Ups> = options
            .upses
            .iter()
            .map(|ups| Ups {
                points: points_of(&site, ups),
                given: BTreeMap::new(),
                ahead: (Fate::Safe, None, None),
            })
            .collect();
        let needed = upses.iter().flat_map(|ups| &ups.points);
        Self {
            readings: needed.map(|point| (*point, Reading::NeverSeen)).collect(),
            levels: vec![Level::default(); site.zones.len()],
            sequences: site
                .sequences
                .iter()
                .map(|spec| SequenceState { mode: spec.mode, phase: Phase::Idle, proven: None })
                .collect(),
            unknown: BTreeSet::new(),
            upses,
            now: None,
            site,
            options,
        }
    }

    /// Publications were missed: how sequences stand is unknown until they change again.
    pub fn forget(&mut self) {
        self.unknown = (0..self.sequences.len()).map(SequenceId::at).collect();
    }

    /// Takes the next publication.
    pub fn apply(&mut self, publication: &Publication) {
        for fact in &publication.facts {
            match fact {
                Fact::Reading { point, reading } => {
                    if let Some(known) = self.readings.get_mut(point) {
                        *known = *reading;
                    }
                }
                Fact::Level(change) => self.levels[change.zone.index()] = change.level,
                Fact::Sequence(change) => {
                    self.sequences[change.sequence.index()] = change.now.clone();
                    self.unknown.remove(&change.sequence);
                }
                Fact::Finding(_)
                | Fact::Outlook(_)
                | Fact::Alarm(_)
                | Fact::AlarmFigures(_)
                | Fact::LoneVote { .. }
                | Fact::Waiver(_)
                | Fact::Notice(_)
                | Fact::Gap { .. }
                | Fact::ClockStepped { .. }
                | Fact::Commanded(_)
                | Fact::Proposed { .. }
                | Fact::Followed { .. }
                | Fact::Refused { .. } => {}
            }
        }
        self.now = Some(publication.now.uptime);
        self.look_ahead(publication.now.uptime);
    }

    fn look_ahead(&mut self, now: Uptime) {
        let early = Early { fsd: self.options.fsd_before, low_battery: self.options.low_battery_before };
        for (ups, options) in self.upses.iter_mut().zip(&self.options.upses) {
            ups.ahead = (Fate::Safe, None, None);
            for (index, state) in self.sequences.iter().enumerate() {
                let id = SequenceId::at(index);
                let given = ups.given.get(&id).copied();
                if self.unknown.contains(&id) {
                    // Who was told stays told; nobody else is told by what may long be over.
                    if given.is_some() {
                        ups.ahead = (Fate::Forced, Some(id), None);
                    }
                    continue;
                }
                let (fate, time) = fate(&self.site[id], state, &options.feeds, now, early, given);
                match (&state.phase, fate) {
                    (Phase::Run(run), Fate::Forced) => ups.given.insert(id, run.id),
                    (Phase::Run(_), _) => None,
                    (Phase::Idle, _) => ups.given.remove(&id),
                };
                if ups.ahead.0 < fate {
                    ups.ahead = (fate, Some(id), time);
                }
            }
        }
    }

    /// The position of the UPS with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.options.upses.iter().position(|ups| ups.name == name)
    }

    /// Whether the machines on this UPS are told to shut down.
    #[must_use]
    pub fn is_forced(&self, ups: usize) -> bool {
        self.upses[ups].ahead.0 == Fate::Forced
    }

    /// Whether there is anything to show; what must be said of a cut is shown all the same.
    fn link(&self, ups: usize, now: Uptime) -> Result<(), NoData> {
        let told = Fate::Low <= self.upses[ups].ahead.0;
        let state = &self.upses[ups];
        let mut readings = state.points.iter().filter_map(|point| self.readings.get(point)).peekable();
        let Some(heard) = self.now else { return Err(NoData::NotConnected) };
        if told {
            return Ok(());
        }
        let never =
            |reading: &Reading| matches!(reading, Reading::NeverSeen | Reading::Bad { last: None, .. });
        if readings.clone().all(never) {
            return Err(NoData::NotConnected);
        }
        let silent = SILENT_AFTER <= now.since(heard);
        let feeds = &self.options.upses[ups].feeds;
        let cuts = |stage: &Stage| stage.cuts.feeds().iter().any(|feed| feeds.contains(feed));
        let missed = self.unknown.iter().any(|id| self.site[*id].stages.iter().any(cuts));
        if silent || missed || !readings.any(|reading| reading.good().is_some()) {
            return Err(NoData::Stale);
        }
        Ok(())
    }

    /// `ups.status`.
    pub fn status(&self, ups: usize, now: Uptime) -> Result<String, NoData> {
        self.link(ups, now)?;
        let mut measured = BTreeSet::new();
        let mut known = true;
        for (word, expect) in &self.options.upses[ups].status {
            match self.readings.get(&expect.point).and_then(Reading::good) {
                Some((value, _)) if expect.is.holds(value) => {
                    measured.insert(*word);
                }
                Some(_) => {}
                None => known = false,
            }
        }
        let words: Vec<&str> = match self.upses[ups].ahead.0 {
            Fate::Forced => vec!["FSD", "OB", "LB"],
            Fate::Low => vec!["OB", "LB"],
            Fate::Safe | Fate::Rehearsed | Fate::Ahead if !known => return Err(NoData::Stale),
            Fate::Safe | Fate::Rehearsed | Fate::Ahead => {
                let off = measured.contains(&StatusWord::OnBattery) || measured.contains(&StatusWord::Off);
                let online = (!off).then_some("OL");
                online.into_iter().chain(measured.into_iter().map(StatusWord::word)).collect()
            }
        };
        Ok(words.join(" "))
    }

    /// What a variable reads.
    pub fn variable(&self, ups: usize, name: &str, now: Uptime) -> Result<String, NoData> {
        let options = &self.options.upses[ups];
        if let Some(variable) = options.variables.iter().find(|variable| variable.name == name) {
            self.link(ups, now)?;
            return self.measured(variable.point, variable.factor).ok_or(NoData::Stale);
        }
        let (_, _, time) = self.upses[ups].ahead;
        match name {
            "ups.status" => return self.status(ups, now),
            "ups.alarm" | "ups.timer.shutdown" => self.link(ups, now)?,
            _ => {}
        }
        let own = match name {
            "device.type" => Some("ups".to_owned()),
            "device.description" => Some(options.description.clone()),
            "device.location" => Some(self.site[options.zone].title.clone()),
            "driver.name" => Some("emberwatch".to_owned()),
            "driver.version" => Some(env!("CARGO_PKG_VERSION").to_owned()),
            "ups.alarm" => self.alarm(ups),
            "ups.timer.shutdown" => {
                time.filter(|_| self.is_real(ups)).map(|time| (time.0 / 1000).to_string())
            }
            _ => None,
        };
        own.ok_or(NoData::NotSupported)
    }

    /// Every variable that has a value now, in the order of names.
    pub fn variables(&self, ups: usize, now: Uptime) -> Result<Vec<(String, String)>, NoData> {
        self.link(ups, now)?;
        let configured = self.options.upses[ups].variables.iter().map(|variable| variable.name.as_str());
        let mut names: Vec<&str> = configured.chain(crate::nut::options::names::OWN).collect();
        names.sort_unstable();
        let shown = names.into_iter().filter_map(|name| {
            let value = self.variable(ups, name, now).ok()?;
            Some((name.to_owned(), value))
        });
        Ok(shown.collect())
    }

    /// Whether a variable of this name is a number; `None` if there is no such variable.
    #[must_use]
    pub fn is_number(&self, ups: usize, name: &str) -> Option<bool> {
        let mut configured = self.options.upses[ups].variables.iter();
        let labels = configured.find(|variable| variable.name == name).map(|it| &self.site[it.point].labels);
        match labels {
            Some(labels) => Some(!matches!(labels, Labels::Enum(_))),
            None => crate::nut::options::names::OWN.contains(&name).then_some(name == "ups.timer.shutdown"),
        }
    }

    /// What people call this UPS.
    #[must_use]
    pub fn description(&self, ups: usize) -> &str {
        &self.options.upses[ups].description
    }

    /// The names and descriptions of all UPSs.
    pub fn upses(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.upses.iter().map(|ups| (ups.name.as_str(), ups.description.as_str()))
    }

    fn is_real(&self, ups: usize) -> bool {
        matches!(self.upses[ups].ahead.0, Fate::Ahead | Fate::Low | Fate::Forced)
    }

    fn measured(&self, point: PointId, factor: f64) -> Option<String> {
        let (value, _) = self.readings.get(&point)?.good()?;
        if let Labels::Enum(_) = &self.site[point].labels {
            return Some(text::label(&self.site, point, value).unwrap_or_else(|| value.to_string()));
        }
        Some(decimal(value.get() * factor))
    }

    /// What there is to say of this UPS: what is ahead, and how its zone is.
    fn alarm(&self, ups: usize) -> Option<String> {
        let (fate, sequence, time) = self.upses[ups].ahead;
        let mut sentences: Vec<String> = Vec::new();
        if let Some(id) = sequence {
            let spec = &self.site[id];
            let drill = matches!(&self.sequences[id.index()].phase, Phase::Run(run) if run.cause.is_drill());
            let when =
                time.map_or_else(String::new, |time| format!(" in {} at the earliest", text::span(time)));
            sentences.push(match fate {
                Fate::Safe => String::new(),
                Fate::Rehearsed if drill => format!("{}: a drill, nothing is cut", spec.title),
                Fate::Rehearsed => format!("{}: in shadow, nothing is cut", spec.title),
                Fate::Ahead | Fate::Low => format!("{}: the feed is cut{when}. {}", spec.title, spec.notice),
                Fate::Forced => {
                    format!("{}: shut down now, the feed is cut{when}. {}", spec.title, spec.notice)
                }
            });
        }
        let zone: ZoneId = self.options.upses[ups].zone;
        let level = self.levels[zone.index()];
        if Level::default() < level {
            sentences.push(format!("{}: {}", self.site[zone].title, level.word()));
        }
        let all: String = sentences.join("; ").chars().take(ALARM_CHARS_MAX).collect();
        (!all.is_empty()).then_some(all)
    }
}

/// The points by which a UPS shows that it is there: those of its device, or of the devices of its zone, and those shown.
fn points_of(site: &Site, ups: &UpsOptions) -> Vec<PointId> {
    let mut points: BTreeSet<PointId> = ups.variables.iter().map(|variable| variable.point).collect();
    points.extend(ups.status.iter().map(|(_, expect)| expect.point));
    for (index, device) in site.devices.iter().enumerate() {
        let its = match ups.device {
            Some(wanted) => wanted.index() == index,
            None => device.zone == ups.zone,
        };
        if its {
            points.extend(device.points.clone().map(PointId));
        }
    }
    points.into_iter().collect()
}

/// A number as NUT writes it: digits and a point, no exponent, no more than three places.
fn decimal(number: f64) -> String {
    let text = format!("{number:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
