//! What happened first, and how often: by name, so that two sets of rules can be compared.

use std::collections::BTreeMap;

use super::player::Moment;
use crate::safety::alarm::AlarmEvent;
use crate::safety::fact::{Fact, Output};
use crate::safety::risk::Level;
use crate::safety::rules::RuleKind;
use crate::safety::site::{RuleId, Site};
use crate::units::Millis;

/// Times of one mark that are kept one by one.
const TIMES_MAX: usize = 256;

/// Something that can happen in a replay. Names, not numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A zone reached at least this level.
    Zone(String, Level),
    /// A channel of a vote voted: the vote, the channel.
    Vote(String, String),
    /// A rule found at least this level.
    Rule(String, Level),
    /// A sequence came to this event, of this stage (counted from zero).
    Sequence(String, &'static str, Option<u8>),
    /// An alarm was raised.
    Alarm(String),
}

/// When a mark was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// The first times; there may be more than these.
    pub at: Vec<Millis>,
    /// How often.
    pub count: u64,
}

impl Times {
    /// The first time.
    #[must_use]
    pub fn first(&self) -> Millis {
        self.at.first().copied().unwrap_or(Millis::ZERO)
    }
}

/// Every mark that was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firsts {
    /// By mark.
    pub marks: BTreeMap<Mark, Times>,
}

impl Firsts {
    /// Takes in what one scan said.
    pub fn hear(&mut self, site: &Site, moment: Moment<'_>) {
        for output in moment.outputs {
            let Output::Fact(fact) = output else { continue };
            match fact {
                Fact::Level(change) => {
                    for level in above(change.was, change.level) {
                        self.add(Mark::Zone(site[change.zone].name.clone(), level), moment.at);
                    }
                }
                Fact::Finding(finding) => {
                    for level in above(finding.was, finding.level) {
                        self.add(Mark::Rule(site[finding.rule].name.clone(), level), moment.at);
                        self.add_votes(site, finding.rule, level, moment.at);
                    }
                }
                Fact::Alarm(change) if change.event == AlarmEvent::Raised => {
                    self.add(Mark::Alarm(site[change.alarm].name.clone()), moment.at);
                }
                Fact::Sequence(change) => {
                    let name = site[change.sequence].name.clone();
                    self.add(Mark::Sequence(name, change.event.word(), change.event.stage()), moment.at);
                }
                Fact::Reading { .. }
                | Fact::Outlook(_)
                | Fact::AlarmFigures(_)
                | Fact::Alarm(_)
                | Fact::Notice(_)
                | Fact::LoneVote { .. }
                | Fact::Waiver(_)
                | Fact::Gap { .. }
                | Fact::ClockStepped { .. }
                | Fact::Commanded(_)
                | Fact::Proposed { .. }
                | Fact::Followed { .. }
                | Fact::Refused { .. } => {}
            }
        }
    }

    fn add_votes(&mut self, site: &Site, channel: RuleId, level: Level, at: Millis) {
        for rule in &site.rules {
            if let RuleKind::Together(vote) = &rule.kind
                && vote.votes_at == level
                && vote.channels.contains(&channel)
            {
                self.add(Mark::Vote(rule.name.clone(), site[channel].name.clone()), at);
            }
        }
    }

    fn add(&mut self, mark: Mark, at: Millis) {
        let times = self.marks.entry(mark).or_insert(Times { at: Vec::new(), count: 0 });
        times.count += 1;
        if times.at.len() < TIMES_MAX {
            times.at.push(at);
        }
    }

    /// When a mark was met first.
    #[must_use]
    pub fn first(&self, mark: &Mark) -> Option<Millis> {
        self.marks.get(mark).map(Times::first)
    }

    /// The first vote of any channel of this rule, and whose it was.
    #[must_use]
    pub fn first_vote(&self, vote: &str) -> Option<(Millis, &str)> {
        let votes = self.marks.iter().filter_map(|(mark, times)| match mark {
            Mark::Vote(of, channel) if of == vote => Some((times.first(), channel.as_str())),
            _ => None,
        });
        votes.min()
    }
}

/// The levels that are newly reached, the lowest first.
fn above(was: Level, level: Level) -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(move |step| was < *step && *step <= level)
}

impl Mark {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Zone(name, level) => format!("zone {name} at {}", level.word()),
            Self::Vote(vote, channel) => format!("{channel} votes in {vote}"),
            Self::Rule(name, level) => format!("rule {name} finds {}", level.word()),
            Self::Sequence(name, event, Some(stage)) => {
                format!("sequence {name}: {event} {}", u32::from(*stage) + 1)
            }
            Self::Sequence(name, event, None) => format!("sequence {name}: {event}"),
            Self::Alarm(name) => format!("alarm {name}"),
        }
    }
}
