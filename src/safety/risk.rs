//! Readings become findings, findings become the level of each zone.
//!
//! A rule is judged when one of its points was read, and when its own time has come (staleness, the end of
//! a vote's hold); never otherwise, so that work grows with what changed and not with the plant.
//! A channel of a vote counts as `warning` at most for its zone: `danger` takes a complete vote.

use crate::safety::fact::{Fact, Output};
use crate::safety::quality::{Picture, Sight};
use crate::safety::rules::ladder::Ladder;
use crate::safety::rules::rate::Window;
use crate::safety::rules::together::{Channel, Tally, Together};
use crate::safety::rules::{OnUnknown, Rule, RuleKind, limit, rate, state};
use crate::safety::site::{PointId, RuleId, Site, ZoneId};
use crate::units::{Millis, Uptime, Value};

/// How dangerous a zone is. `Ord`: worst wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// As it should be.
    #[default]
    Normal,
    /// Unusual: look.
    Watch,
    /// Something is wrong: people are told, and service owners prepare.
    Warning,
    /// Fire, or about to be: a vote for a cut.
    Danger,
}

impl Level {
    /// All, from calm to worst.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Watch, Self::Warning, Self::Danger];

    /// Its word in topics and on screens.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Watch => "watch",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

/// What a rule says of its zone now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// Its zone.
    pub zone: ZoneId,
    /// What it says.
    pub level: Level,
    /// What it said before.
    pub was: Level,
    /// Whether it could judge.
    pub known: bool,
    /// What it goes by.
    pub evidence: Evidence,
}

/// What a finding goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Evidence {
    /// Nothing yet: never judged.
    #[default]
    None,
    /// A value against a limit (the limit of the level found, or of the lowest step when normal).
    Limit {
        /// The point.
        point: PointId,
        /// What it reads.
        value: Value,
        /// The limit.
        limit: f64,
        /// When it was read.
        taken: Uptime,
    },
    /// A slope against a limit.
    Rate {
        /// The point.
        point: PointId,
        /// What it reads.
        value: Value,
        /// Its slope, in units per minute.
        per_minute: f64,
        /// The limit, in units per minute.
        limit: f64,
        /// When it was read.
        taken: Uptime,
    },
    /// A state that means something.
    State {
        /// The point.
        point: PointId,
        /// What it reads.
        value: Value,
        /// When it was read.
        taken: Uptime,
    },
    /// Nothing to go by from any of a rule's points.
    Silent {
        /// The first of the points.
        point: PointId,
        /// For how long; longer than any limit if never heard.
        lasted: Millis,
    },
    /// A tally. Bit `i` stands for channel `i` of the rule.
    Votes {
        /// Channels that vote now or did within the hold time.
        voting: u32,
        /// Channels that cannot judge.
        unknown: u32,
        /// How many votes are needed now, after degradation; zero when the vote cannot be completed.
        needed: u8,
        /// How many channels there are.
        of: u8,
        /// True if the policy for lost channels, not the votes, decided.
        by_policy: bool,
    },
}

/// A zone's level changed.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelChange {
    /// The zone.
    pub zone: ZoneId,
    /// What it is now.
    pub level: Level,
    /// What it was.
    pub was: Level,
    /// The findings that are not normal, worst first, as many as `BECAUSE_MAX`.
    pub because: Vec<Finding>,
    /// The rule that left normal first in this episode: where it began.
    pub first_out: Option<RuleId>,
}

/// The most findings a level change carries.
pub const BECAUSE_MAX: usize = 16;

/// What the rules say, and what that makes of each zone.
#[derive(Debug)]
pub struct Judgement {
    states: Vec<RuleState>,
    rules_of_point: Vec<Vec<RuleId>>,
    /// The votes each rule is a channel of.
    votes_of_rule: Vec<Vec<RuleId>>,
    rules_of_zone: Vec<Vec<RuleId>>,
    zones: Vec<ZoneState>,
    /// No rule's own time comes before this.
    next_wake: Uptime,
    /// Findings that changed in this scan, for alarms.
    pub(crate) changed: Vec<Finding>,
    changed_zones: Vec<ZoneId>,
}

#[derive(Debug)]
struct RuleState {
    /// What it says, with `on_unknown` applied.
    level: Level,
    /// What it last said by itself.
    judged: Level,
    known: bool,
    evidence: Evidence,
    wake: Uptime,
    kind: KindState,
}

#[derive(Debug)]
enum KindState {
    Limit(Ladder),
    Rate(Window, Ladder),
    State(Ladder),
    Silence,
    Together { tally: Tally, blind: bool, voting: u32, by_policy: bool },
}

#[derive(Clone, Debug, Default)]
struct ZoneState {
    level: Level,
    /// How many rules are at each level, by what they count for the zone.
    counts: [u32; 4],
    first_out: Option<RuleId>,
}

/// How a vote stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Enough channels agree, or the policy for lost channels says so.
    pub complete: bool,
    /// It could not be completed: too many channels are lost.
    pub blind: bool,
    /// Who votes, a bit per channel.
    pub voting: u32,
    /// The policy for lost channels decided.
    pub by_policy: bool,
}

/// What one rule made of what it saw.
enum Verdict {
    Judged(Level, Evidence),
    Unchanged,
    Unknown,
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
            rules_of_point,
            votes_of_rule,
            rules_of_zone,
            zones,
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
        match &self.states[rule.index()].kind {
            KindState::Together { tally, blind, voting, by_policy } => {
                Vote { complete: tally.complete, blind: *blind, voting: *voting, by_policy: *by_policy }
            }
            KindState::Limit(_) | KindState::Rate(..) | KindState::State(_) | KindState::Silence => {
                Vote { complete: false, blind: false, voting: 0, by_policy: false }
            }
        }
    }

    /// Judges what one point bears on.
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
            self.judge_rule(site, picture, rule, now, out);
        }
    }

    /// Judges the rules whose own time has come.
    pub(crate) fn judge_time(&mut self, site: &Site, picture: &Picture, now: Uptime, out: &mut Vec<Output>) {
        if now < self.next_wake {
            return;
        }
        for index in 0..self.states.len() {
            if self.states[index].wake <= now {
                self.judge_rule(site, picture, RuleId::at(index), now, out);
            }
        }
        self.next_wake = self.states.iter().map(|state| state.wake).min().unwrap_or(Uptime(u64::MAX));
    }

    fn judge_rule(
        &mut self,
        site: &Site,
        picture: &Picture,
        rule: RuleId,
        now: Uptime,
        out: &mut Vec<Output>,
    ) {
        let spec = &site[rule];
        if let RuleKind::Together(vote) = &spec.kind {
            return self.count_votes(site, vote, rule, now, out);
        }
        let zone_level = self.zones[spec.zone.index()].level;
        let state = &mut self.states[rule.index()];
        // A silence that has not begun ends at its own time, not with each sample.
        if matches!(state.kind, KindState::Silence) && state.level == Level::Normal && now < state.wake {
            return;
        }
        match state.look(spec, site, picture, zone_level, now) {
            Verdict::Judged(level, evidence) => {
                state.judged = level;
                state.evidence = evidence;
                self.settle(site, rule, level, true, now, out);
            }
            Verdict::Unchanged => {}
            Verdict::Unknown => {
                let level = state.said_in_doubt(spec.on_unknown);
                self.settle(site, rule, level, false, now, out);
            }
        }
        self.next_wake = self.next_wake.min(self.states[rule.index()].wake);
    }

    fn count_votes(
        &mut self,
        site: &Site,
        vote: &Together,
        rule: RuleId,
        now: Uptime,
        out: &mut Vec<Output>,
    ) {
        let channels: Vec<Channel> = vote
            .channels
            .iter()
            .map(|channel| {
                let state = &self.states[channel.index()];
                let votes = state.known && vote.votes_at <= state.level;
                Channel { known: state.known, votes, judged: state.judged }
            })
            .collect();
        let state = &mut self.states[rule.index()];
        let KindState::Together { tally, blind, voting, by_policy } = &mut state.kind else { return };
        let count = vote.count(tally, &channels, now);
        let sight_changed = std::mem::replace(blind, count.blind) != count.blind;
        if let Evidence::Votes { voting: who, by_policy: policy, .. } = count.evidence {
            (*voting, *by_policy) = (who, policy);
        }
        for (bit, channel) in vote.channels.iter().enumerate() {
            if count.lone & (1 << bit) != 0 {
                out.push(Output::Fact(Fact::LoneVote { rule, channel: *channel }));
            }
        }
        state.wake = count.wake;
        state.evidence = count.evidence;
        self.next_wake = self.next_wake.min(count.wake);
        // While a channel's grace lasts, what the vote said still holds: lost data clears nothing (A3).
        if count.pending && !count.complete {
            return;
        }
        let known = count.complete || !count.blind;
        let level = match (count.complete, known) {
            (true, _) => vote.level,
            (false, true) => Level::Normal,
            (false, false) => state.said_in_doubt(site[rule].on_unknown),
        };
        if known {
            state.judged = level;
        }
        let said_before = self.changed.len();
        self.settle(site, rule, level, known, now, out);
        if sight_changed && self.changed.len() == said_before {
            // The same level on other grounds: its alarm for being blind must hear of it.
            self.changed.push(self.finding(site, rule));
        }
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
        for index in 0..self.votes_of_rule[rule.index()].len() {
            let vote = self.votes_of_rule[rule.index()][index];
            if let RuleKind::Together(spec) = &site[vote].kind {
                self.count_votes(site, spec, vote, now, out);
            }
        }
    }

    /// What a rule's level counts for its zone: a channel alone warns, it does not cut (R2).
    fn counts_as(&self, rule: RuleId, level: Level) -> Level {
        if self.votes_of_rule[rule.index()].is_empty() { level } else { level.min(Level::Warning) }
    }

    /// Says which zones' levels changed.
    pub(crate) fn announce_zones(&mut self, site: &Site, out: &mut Vec<Output>) {
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

impl RuleState {
    fn new(rule: &Rule) -> Self {
        let kind = match &rule.kind {
            RuleKind::Limit(_) => KindState::Limit(Ladder::default()),
            RuleKind::Rate(_) => KindState::Rate(Window::default(), Ladder::default()),
            RuleKind::State(_) => KindState::State(Ladder::default()),
            RuleKind::Silence(_) => KindState::Silence,
            RuleKind::Together(vote) => {
                KindState::Together { tally: vote.tally(), blind: false, voting: 0, by_policy: false }
            }
        };
        Self {
            level: Level::Normal,
            judged: Level::Normal,
            known: false,
            evidence: Evidence::None,
            wake: Uptime(0),
            kind,
        }
    }

    /// What it says while it cannot judge: never less than it said last (A3).
    fn said_in_doubt(&self, on_unknown: OnUnknown) -> Level {
        match on_unknown {
            OnUnknown::Hold => self.level,
            OnUnknown::AtLeast(level) => self.level.max(level),
        }
    }

    fn look(&mut self, rule: &Rule, site: &Site, picture: &Picture, zone: Level, now: Uptime) -> Verdict {
        let (RuleKind::Limit(limit::Limit { point, .. })
        | RuleKind::Rate(rate::Rate { point, .. })
        | RuleKind::State(state::State { point, .. })) = &rule.kind
        else {
            return self.listen(rule, picture, zone, now);
        };
        let since = picture.last_good(*point).map_or(picture.born(), |good| good.taken);
        let stale_at = since.plus(Millis(site[*point].stale_after.0 + 1));
        self.wake = if stale_at <= now { Uptime(u64::MAX) } else { stale_at };
        match picture.sight(site, *point, now) {
            Sight::Seen(value, taken) => self.weigh(&rule.kind, value, taken),
            Sight::Missed => Verdict::Unchanged,
            Sight::Lost => Verdict::Unknown,
        }
    }

    fn weigh(&mut self, kind: &RuleKind, value: Value, taken: Uptime) -> Verdict {
        let judged = match (kind, &mut self.kind) {
            (RuleKind::Limit(limit), KindState::Limit(ladder)) => Some(limit.judge(ladder, value, taken)),
            (RuleKind::State(state), KindState::State(ladder)) => Some(state.judge(ladder, value, taken)),
            (RuleKind::Rate(rate), KindState::Rate(window, ladder)) => {
                rate.judge(window, ladder, value, taken)
            }
            _ => unreachable!("RuleState::new makes the state that fits the kind"),
        };
        judged.map_or(Verdict::Unchanged, |(level, evidence)| Verdict::Judged(level, evidence))
    }

    fn listen(&mut self, rule: &Rule, picture: &Picture, zone: Level, now: Uptime) -> Verdict {
        let RuleKind::Silence(silence) = &rule.kind else { return Verdict::Unchanged };
        let (level, evidence, wake) = silence.judge(self.level, zone, picture, now);
        self.wake = wake;
        Verdict::Judged(level, evidence)
    }
}
