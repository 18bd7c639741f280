//! Alarms after a restart: what protects is remembered, what a person silenced is not.
//!
//! Standing and latched alarms stand again. Shelves and maintenance are forgotten: what stands behind them is
//! told, at worst a second time. A flood goes on if its alarm still stood; else its alarms are told.

use std::collections::BTreeMap;

use super::agenda::Agenda;
use super::flood::Floods;
use super::metrics::Tally;
use super::{AlarmEvent, AlarmRecord, AlarmState, Alarms, AwayHow, Track, Turn};
use crate::safety::fact::Output;
use crate::safety::memory::Memory;
use crate::safety::rules::limit::Step;
use crate::safety::rules::{Rule, RuleKind};
use crate::safety::site::{AlarmId, AlarmSource, Site};
use crate::units::{Millis, Now, Uptime};

impl Alarms {
    pub(crate) fn new(site: &Site, memory: &Memory) -> Self {
        let records = site.alarms.iter().map(|alarm| match alarm.source {
            // The part itself says so again, if it still fails.
            AlarmSource::System(_) => AlarmRecord::default(),
            AlarmSource::Rule(_)
            | AlarmSource::Silent(_)
            | AlarmSource::Faulty(_)
            | AlarmSource::NotArmed(_)
            | AlarmSource::Unproven(_)
            | AlarmSource::Cutting(_)
            | AlarmSource::CutFailed(_)
            | AlarmSource::OpenedByOther(_)
            | AlarmSource::CurrentFlows(_)
            | AlarmSource::VoteWeakened(_)
            | AlarmSource::VoteBlind(_)
            | AlarmSource::Bypassed(_)
            | AlarmSource::Maintenance(_)
            | AlarmSource::Flood(_) => memory.alarms.get(&alarm.name).cloned().unwrap_or_default(),
        });
        // Uptimes of another boot say nothing.
        let records =
            records.map(
                |record| {
                    if memory.same_boot { record } else { AlarmRecord { raised: Uptime(0), ..record } }
                },
            );
        let by_source: BTreeMap<AlarmSource, AlarmId> =
            site.alarms.iter().enumerate().map(|(index, alarm)| (alarm.source, AlarmId::at(index))).collect();
        let mut alarms = Self {
            records: records.collect(),
            tracks: vec![Track::default(); site.alarms.len()],
            by_source,
            plant_standing: vec![0; site.rooms.len()],
            floods: Floods::new(site, &site.alarm_settings),
            agenda: Agenda::new(site.alarms.len()),
            tally: Tally::new(),
            forgotten: Vec::new(),
            re_alarm: site.alarm_settings.re_alarm,
            shelve_max: site.alarm_settings.shelve_max,
            number: memory.numbers.alarm_change,
        };
        alarms.resume_floods(site);
        for index in 0..alarms.records.len() {
            alarms.resume(AlarmId::at(index), site);
        }
        alarms
    }

    /// Says what stood before a restart, so that everyone hears of it again.
    pub(crate) fn announce(&mut self, site: &Site, now: Now, out: &mut Vec<Output>) {
        let turn = &mut Turn { site, now, out };
        for (alarm, event) in std::mem::take(&mut self.forgotten) {
            self.say(alarm, event, turn);
        }
        for index in 0..self.records.len() {
            if self.records[index].state != AlarmState::Normal {
                self.tracks[index].seen = now.uptime;
                self.say(AlarmId::at(index), AlarmEvent::Restored, turn);
            }
        }
    }

    fn resume_floods(&mut self, site: &Site) {
        for (alarm, record) in site.alarms.iter().zip(&self.records) {
            if let AlarmSource::Flood(room) = alarm.source
                && record.state.is_active()
            {
                self.floods.restore(room);
            }
        }
    }

    /// Its state, counted; without what silenced it.
    fn resume(&mut self, alarm: AlarmId, site: &Site) {
        let spec = &site[alarm];
        let group = self.floods.group(spec.room);
        let record = &mut self.records[alarm.index()];
        // Nothing is known of how often it came and went.
        (record.chattering, record.flips) = (false, 0);
        let flood_stands = record
            .away
            .as_deref()
            .is_some_and(|away| matches!(away.how, AwayHow::Suppressed { group: by } if Some(by) == group));
        if record.state.is_away() && flood_stands {
            self.floods.suppressed(spec.room, 1);
        } else if let Some(to) = record.state.brought_back(record.stands) {
            let event = match record.away.take().map(|away| away.how) {
                Some(AwayHow::OutOfService { .. }) => AlarmEvent::PutBack { by: None },
                Some(AwayHow::Suppressed { .. }) | None => AlarmEvent::Unsuppressed,
                Some(AwayHow::Shelved { .. }) => AlarmEvent::Unshelved { by: None },
            };
            record.state = to;
            record.occurrence += u64::from(record.stands);
            self.forgotten.push((alarm, event));
        }
        if !record.state.is_away() {
            record.stands = record.state.is_active();
        }
        let track = &mut self.tracks[alarm.index()];
        track.cause.stands = record.stands;
        track.from_before = record.stands && matches!(spec.source, AlarmSource::Rule(_));
        let state = record.state;
        self.tally.add(state);
        if spec.source.is_of_the_plant()
            && state.is_annunciated()
            && let Some(count) = self.plant_standing.get_mut(spec.room.index())
        {
            *count += 1;
        }
    }
}

/// How long a rule that begins anew takes to judge as before.
pub(super) fn settle(site: &Site, source: AlarmSource) -> Millis {
    match source {
        AlarmSource::Rule(rule) => {
            site.rules.get(rule.index()).map_or(Millis::ZERO, |rule| delay(site, rule))
        }
        _ => Millis::ZERO,
    }
}

/// The longest of its delays, and of those that it waits for.
fn delay(site: &Site, rule: &Rule) -> Millis {
    let of_steps = |steps: &[Option<Step>; 3]| {
        steps.iter().flatten().map(|step| step.on_delay.max(step.off_delay)).max().unwrap_or_default()
    };
    match &rule.kind {
        RuleKind::Limit(limit) => of_steps(&limit.steps),
        RuleKind::Rate(rate) => of_steps(&rate.steps).plus(rate.window),
        RuleKind::Deviation(deviation) => {
            of_steps(&deviation.steps).plus(deviation.rising.unwrap_or_default())
        }
        RuleKind::Step(step) => of_steps(&step.steps),
        RuleKind::State(state) => state.on_delay.max(state.off_delay),
        RuleKind::Together(vote) => {
            let channels = vote.channels.iter().filter(|it| site[**it].name != rule.name);
            let single = channels.map(|it| &site[*it]).filter(|it| !matches!(it.kind, RuleKind::Together(_)));
            single.map(|it| delay(site, it)).max().unwrap_or_default().plus(vote.hold)
        }
        RuleKind::Silence(silence) => silence.after,
    }
}
