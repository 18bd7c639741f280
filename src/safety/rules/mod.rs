//! Judgements over readings, one file per kind.

pub(crate) mod ladder;
pub mod limit;
pub mod rate;
pub mod silence;
pub mod state;
pub mod together;

use crate::safety::risk::Level;
use crate::safety::site::{PointId, ZoneId};

/// One judgement.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Id, also of its alarm.
    pub name: String,
    /// The zone it speaks of.
    pub zone: ZoneId,
    /// The independent physical principle it stands on (`temperature`, `gas`, `smoke`, `voltage` …).
    pub principle: String,
    /// What it says when it cannot judge. Always written, never defaulted.
    pub on_unknown: OnUnknown,
    /// How it judges.
    pub kind: RuleKind,
}

/// What a rule says when its reading is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknown {
    /// What it said last.
    Hold,
    /// At least this.
    AtLeast(Level),
}

/// How a rule judges.
#[derive(Clone, Debug)]
pub enum RuleKind {
    /// A point above or below limits.
    Limit(limit::Limit),
    /// A point moving too fast.
    Rate(rate::Rate),
    /// A bit, an enum value or a device's own alarm.
    State(state::State),
    /// A device or point that does not answer.
    Silence(silence::Silence),
    /// Other rules agreeing: M of N.
    Together(together::Together),
}

impl RuleKind {
    /// The points this kind reads directly.
    #[must_use]
    pub fn points(&self) -> Vec<PointId> {
        match self {
            Self::Limit(limit) => vec![limit.point],
            Self::Rate(rate) => vec![rate.point],
            Self::State(state) => vec![state.point],
            Self::Silence(silence) => silence.points.clone(),
            Self::Together(_) => Vec::new(),
        }
    }
}
