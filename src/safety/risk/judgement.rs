//! All rules together: which rule reads which point, which votes hear of which rule, and what all that makes
//! of each zone.
//!
//! A rule is judged when one of its points was read, and when its own time has come (staleness, the end of
//! a vote's hold); never otherwise, so that work grows with what changed and not with the plant. A rule over a
//! group is judged once a scan, when all of the group that was read is known.

use crate::safety::fact::{Fact, Output};
use crate::safety::quality::Picture;
use crate::safety::risk::judge::{Judge, RuleState};
use crate::safety::risk::outlook::{OutlookChange, Told};
use crate::safety::risk::{BECAUSE_MAX, Finding, Level, LevelChange, Vote, VoteHealth};
use crate::safety::rules::together::{CHANNELS_MAX, Channel, Sight};
use crate::safety::rules::{RuleKind, Verdict, View};
use crate::safety::site::{PointId, RuleId, Site, ZoneId};
use crate::units::Uptime;

/// What the rules say, and what that makes of each zone.
#[derive(Clone, Debug)]
pub struct Judgement {
    states: Vec<RuleState>,
    rules_of_point: Vec<Vec<RuleId>>,
    /// The votes each rule is a channel of.
    votes_of_rule: Vec<Vec<RuleId>>,
    /// Channels that persons put aside.
    bypassed: Vec<bool>,
    rules_of_zone: Vec<Vec<RuleId>>,
    zones: Vec<ZoneState>,
    /// Rules over groups of which a point was read in this scan.
    touched: Vec<RuleId>,
    /// No rule's own time comes before this.
    next_wake: Uptime,
    /// Findings that changed in this scan, for alarms.
    pub(crate) changed: Vec<Finding>,
    changed_zones: Vec<ZoneId>,
}

#[derive(Clone, Debug, Default)]
struct ZoneState {
    level: Level,
    /// How many rules are at each level, by what they count for the zone.
    counts: [u32; 4],
    first_out: Option<RuleId>,
}

impl Judgement {
    pub(crate) fn new(site: &Site) -> Self {
        let mut rules_of_point = vec![Vec::new(); site.points.len()];
        let mut votes_of_rule = vec![Vec::new(); site.rules.len()];
        let mut rules_of_zone = vec![Vec::new(); site.zones.len()];
        let mut zones = vec![ZoneState::default(); site.zones.len()];
        for (index, rule) in site.rules.iter().enumerate() {
            let id = RuleId::at(index);
            rules_of_zone[rule.zone.index()].push(id);
            zones[rule.zone.index()].counts[0] += 1;
            for point in rule.kind.points() {
                rules_of_point[point.index()].push(id);
            }
            if let RuleKind::Together(vote) = &rule.kind {
                for channel in &vote.channels {
                    votes_of_rule[channel.index()].push(id);
                }
            }
        }
        let states = site.rules.iter().map(RuleState::new).collect();
        Self {
            states,
            bypassed: vec![false; site.rules.len()],
            rules_of_point,
            votes_of_rule,
            rules_of_zone,
            zones,
            touched: Vec::new(),
            next_wake: Uptime(0),
            changed: Vec::new(),
            changed_zones: Vec::new(),
        }
    }

    /// The level of a zone.
    #[must_use]
    pub fn level(&self, zone: ZoneId) -> Level {
        self.zones[zone.index()].level
    }

    /// What a rule says now.
    #[must_use]
    pub fn finding(&self, site: &Site, rule: RuleId) -> Finding {
        let state = &self.states[rule.index()];
        Finding {
            rule,
            zone: site[rule].zone,
            level: state.level,
            was: state.level,
            known: state.known,
            evidence: state.evidence,
        }
    }

    /// How a vote stands; an incomplete one for a rule that is no vote.
    #[must_use]
    pub fn vote(&self, rule: RuleId) -> Vote {
        match &self.states[rule.index()].judge {
            Judge::Together(_, _, vote) => *vote,
            Judge::Limit(..)
            | Judge::Rate(..)
            | Judge::Deviation(..)
            | Judge::Step(..)
            | Judge::State(..)
            | Judge::Silence(_) => Vote::default(),
        }
    }

    /// Puts a channel aside, or takes it back: its votes are counted anew at once. What it says itself stays as it is.
    pub(crate) fn bypass(&mut self, channel: RuleId, aside: bool) {
        if std::mem::replace(&mut self.bypassed[channel.index()], aside) == aside {
            return;
        }
        for vote in &self.votes_of_rule[channel.index()] {
            self.states[vote.index()].wake = Uptime(0);
            self.next_wake = Uptime(0);
        }
    }

    /// Whether this vote can still be completed without this channel of it.
    pub(crate) fn can_do_without(&self, site: &Site, vote: RuleId, channel: RuleId) -> bool {
        let RuleKind::Together(spec) = &site[vote].kind else { return true };
        let lost = spec.channels.iter().enumerate().filter(|(_, other)| {
            let state = &self.states[other.index()];
            **other == channel || self.bypassed[other.index()] || !(state.known || state.learning)
        });
        spec.can_do_without(lost.fold(0, |lost, (index, _)| lost | 1 << index))
    }

    /// The votes that a rule is a channel of.
    pub(crate) fn votes_with(&self, channel: RuleId) -> &[RuleId] {
        &self.votes_of_rule[channel.index()]
    }

    /// Judges what one point bears on; a rule over a group waits for the rest of the scan.
    pub(crate) fn judge_point(
        &mut self,
        site: &Site,
        picture: &Picture,
        point: PointId,
        now: Uptime,
        out: &mut Vec<Output>,
    ) {
        for index in 0..self.rules_of_point[point.index()].len() {
            let rule = self.rules_of_point[point.index()][index];
            let state = &mut self.states[rule.index()];
            if !state.is_over_a_group() {
                self.judge_rule(View { site, picture, now }, rule, out);
            } else if !std::mem::replace(&mut state.touched, true) {
                self.touched.push(rule);
            }
        }
    }

    /// Judges the groups that were read, and the rules whose own time has come.
    pub(crate) fn judge_time(&mut self, site: &Site, picture: &Picture, now: Uptime, out: &mut Vec<Output>) {
        let view = View { site, picture, now };
        if !self.touched.is_empty() {
            self.judge_groups(view, out);
        }
        if now < self.next_wake {
            return;
        }
        for index in 0..self.states.len() {
            if self.states[index].wake <= now {
                self.judge_rule(view, RuleId::at(index), out);
            }
        }
        self.next_wake = self.states.iter().map(|state| state.wake).min().unwrap_or(Uptime(u64::MAX));
    }

    fn judge_groups(&mut self, view: View<'_>, out: &mut Vec<Output>) {
        let mut touched = std::mem::take(&mut self.touched);
        for rule in touched.drain(..) {
            self.states[rule.index()].touched = false;
            self.judge_rule(view, rule, out);
        }
        self.touched = touched;
    }

    fn judge_rule(&mut self, view: View<'_>, rule: RuleId, out: &mut Vec<Output>) {
        let View { site, now, .. } = view;
        let spec = &site[rule];
        let zone_level = self.zones[spec.zone.index()].level;
        let state = &mut self.states[rule.index()];
        if let Judge::Together(..) = state.judge {
            return self.count_votes(site, rule, now, out);
        }
        match state.look(zone_level, view) {
            Verdict::Judged(level, evidence) => {
                state.judged = level;
                state.learning = false;
                state.evidence = evidence;
                let told = match state.outlook() {
                    Told::Nothing => None,
                    Told::Ahead(outlook) => Some(Some(outlook)),
                    Told::Over => Some(None),
                };
                if let Some(outlook) = told {
                    out.push(Output::Fact(Fact::Outlook(OutlookChange { rule, outlook })));
                }
                self.settle(site, rule, level, true, now, out);
            }
            Verdict::Unchanged => {}
            Verdict::Learning => self.learns(site, rule, now, out),
            Verdict::Unknown => {
                let level = state.said_in_doubt(spec.on_unknown);
                self.settle_in_doubt(site, rule, level, now, out);
            }
            Verdict::Feared(feared, evidence) => {
                let level = state.said_in_doubt(spec.on_unknown).max(feared);
                if state.level < level {
                    state.evidence = evidence;
                }
                self.settle_in_doubt(site, rule, level, now, out);
            }
        }
        self.next_wake = self.next_wake.min(self.states[rule.index()].wake);
    }

    /// A window that fills is no fault: the votes of the rule need not do without it.
    fn learns(&mut self, site: &Site, rule: RuleId, now: Uptime, out: &mut Vec<Output>) {
        if std::mem::replace(&mut self.states[rule.index()].learning, true) {
            return;
        }
        self.recount(site, rule, now, out);
    }

    /// It cannot judge. Nothing else tells its votes of that where it could not judge before, as its window filled.
    fn settle_in_doubt(
        &mut self,
        site: &Site,
        rule: RuleId,
        level: Level,
        now: Uptime,
        out: &mut Vec<Output>,
    ) {
        let learnt = std::mem::take(&mut self.states[rule.index()].learning);
        self.settle(site, rule, level, false, now, out);
        if learnt {
            self.recount(site, rule, now, out);
        }
    }

    /// The votes of a rule hear of it.
    fn recount(&mut self, site: &Site, rule: RuleId, now: Uptime, out: &mut Vec<Output>) {
        for index in 0..self.votes_of_rule[rule.index()].len() {
            let vote = self.votes_of_rule[rule.index()][index];
            self.count_votes(site, vote, now, out);
        }
    }

    fn count_votes(&mut self, site: &Site, rule: RuleId, now: Uptime, out: &mut Vec<Output>) {
        let mut room = [Channel::default(); CHANNELS_MAX];
        let Some(channels) = self.channels(site, rule, &mut room) else { return };
        let state = &mut self.states[rule.index()];
        let Judge::Together(spec, tally, vote) = &mut state.judge else { return };
        let count = spec.count(tally, channels, now);
        let health_changed = vote.health != count.vote.health;
        *vote = count.vote;
        for (bit, channel) in spec.channels.iter().enumerate() {
            if count.lone & (1 << bit) != 0 {
                out.push(Output::Fact(Fact::LoneVote { rule, channel: *channel }));
            }
        }
        let says = spec.level;
        state.wake = count.wake;
        state.evidence = count.evidence;
        self.next_wake = self.next_wake.min(count.wake);
        let (complete, blind) = (count.vote.complete, count.vote.health == VoteHealth::Blind);
        // While a channel's grace lasts, what the vote said still holds: lost data clears nothing (A3).
        if count.pending && !complete {
            if health_changed {
                self.changed.push(self.finding(site, rule));
            }
            return;
        }
        let known = complete || !blind;
        let level = match (complete, known) {
            (true, _) => says,
            (false, true) => Level::Normal,
            (false, false) => state.said_in_doubt(site[rule].on_unknown),
        };
        if known {
            state.judged = level;
        }
        let said_before = self.changed.len();
        self.settle(site, rule, level, known, now, out);
        if health_changed && self.changed.len() == said_before {
            // The same level on other grounds: the alarms for a weak vote must hear of it.
            self.changed.push(self.finding(site, rule));
        }
    }

    /// What the channels of a vote say now; `None` for a rule that is no vote.
    fn channels<'a>(
        &self,
        site: &Site,
        rule: RuleId,
        room: &'a mut [Channel; CHANNELS_MAX],
    ) -> Option<&'a [Channel]> {
        let RuleKind::Together(vote) = &site[rule].kind else { return None };
        for (slot, channel) in room.iter_mut().zip(&vote.channels) {
            let state = &self.states[channel.index()];
            let sight = match (self.bypassed[channel.index()], state.known, state.learning) {
                (true, ..) => Sight::Bypassed,
                (false, true, _) => Sight::Judges,
                (false, false, true) => Sight::Learns,
                (false, false, false) => Sight::Lost,
            };
            let votes = state.known && vote.votes_at <= state.level;
            *slot = Channel { sight, votes, judged: state.judged };
        }
        Some(&room[..vote.channels.len()])
    }

    /// Takes note of what a rule says; if that is new, its zone and its votes hear of it.
    fn settle(
        &mut self,
        site: &Site,
        rule: RuleId,
        level: Level,
        known: bool,
        now: Uptime,
        out: &mut Vec<Output>,
    ) {
        let state = &mut self.states[rule.index()];
        let was = state.level;
        if (was, state.known) == (level, known) {
            return;
        }
        (state.level, state.known) = (level, known);
        let zone = site[rule].zone;
        let finding = Finding { rule, zone, level, was, known, evidence: state.evidence };
        self.changed.push(finding);
        out.push(Output::Fact(Fact::Finding(finding)));
        let (before, after) = (self.counts_as(rule, was), self.counts_as(rule, level));
        let state = &mut self.zones[zone.index()];
        state.counts[before as usize] -= 1;
        state.counts[after as usize] += 1;
        if state.level == Level::Normal && after != Level::Normal {
            state.first_out.get_or_insert(rule);
        }
        self.changed_zones.push(zone);
        self.recount(site, rule, now, out);
    }

    /// What a rule's level counts for its zone: a channel alone warns, it does not cut (R2).
    fn counts_as(&self, rule: RuleId, level: Level) -> Level {
        if self.votes_of_rule[rule.index()].is_empty() { level } else { level.min(Level::Warning) }
    }

    /// Says which zones' levels changed.
    pub(crate) fn announce_zones(&mut self, site: &Site, out: &mut Vec<Output>) {
        if self.changed_zones.is_empty() {
            return;
        }
        let mut zones = std::mem::take(&mut self.changed_zones);
        zones.sort_unstable();
        zones.dedup();
        for zone in zones.drain(..) {
            let state = &mut self.zones[zone.index()];
            let worst = Level::ALL.into_iter().rev().find(|level| state.counts[*level as usize] != 0);
            let (was, level) = (state.level, worst.unwrap_or_default());
            state.level = level;
            let first_out = state.first_out;
            if level == Level::Normal {
                state.first_out = None;
            }
            if was != level {
                let because = self.because(site, zone);
                out.push(Output::Fact(Fact::Level(LevelChange { zone, level, was, because, first_out })));
            }
        }
        self.changed_zones = zones;
    }

    fn because(&self, site: &Site, zone: ZoneId) -> Vec<Finding> {
        let rules = &self.rules_of_zone[zone.index()];
        let mut findings: Vec<Finding> = rules
            .iter()
            .filter(|rule| self.states[rule.index()].level != Level::Normal)
            .map(|rule| self.finding(site, *rule))
            .collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        findings.truncate(BECAUSE_MAX);
        findings
    }
}
