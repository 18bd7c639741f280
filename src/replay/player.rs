//! Plays a source through the very same core as the daemon's, as fast as it goes.

use std::sync::Arc;

use super::breaker::{Answers, Breaker};
use super::{Source, Step};
use crate::safety::Safety;
use crate::safety::fact::{Input, Output};
use crate::safety::memory::Memory;
use crate::safety::site::Site;
use crate::units::{Millis, Now, Uptime};

/// A core that is about to play.
#[derive(Debug)]
pub struct Player {
    site: Arc<Site>,
    memory: Memory,
    answers: Answers,
    breaker: Breaker,
    origin: Option<Uptime>,
}

/// One scan, as whoever listens sees it.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// When it was, by the recording's clocks.
    pub now: Now,
    /// Time since the origin of the replay.
    pub at: Millis,
    /// What the core took in.
    pub inputs: &'a [Input],
    /// What it said.
    pub outputs: &'a [Output],
}

/// What was played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Scans of the core.
    pub scans: u64,
    /// Inputs that it took in.
    pub inputs: u64,
    /// Orders that it gave. None was sent.
    pub orders: u64,
    /// The moment of the first scan.
    pub began: Now,
    /// Virtual time from the first scan to the last.
    pub lasted: Millis,
    /// Time of the last scan since the origin.
    pub ended_at: Millis,
}

impl Player {
    /// `fed`: which points the source reads; `origin`: the moment that times are counted from, the first scan
    /// where there is none.
    #[must_use]
    pub const fn new(
        site: Arc<Site>,
        memory: Memory,
        answers: Answers,
        fed: Vec<bool>,
        origin: Option<Uptime>,
    ) -> Self {
        Self { site, memory, answers, breaker: Breaker::new(fed), origin }
    }

    /// Plays to the end of the source. Whoever listens hears every scan.
    pub fn play(mut self, source: &mut dyn Source, listen: &mut dyn FnMut(&Site, Moment<'_>)) -> Played {
        let Some(first) = source.next() else { return Played::default() };
        let origin = self.origin.unwrap_or(first.now.uptime);
        let mut core = Safety::new(Arc::clone(&self.site), &self.memory, first.now);
        let mut played = Played { began: first.now, ..Played::default() };
        let (mut step, mut outputs) = (Some(first), Vec::new());
        while let Some(Step { now, mut inputs }) = step {
            if self.answers != Answers::Recorded {
                inputs.retain(|input| !matches!(input, Input::Answered { .. }));
            }
            if self.answers == Answers::Modelled {
                self.breaker.play(&self.site, now, &mut inputs);
            }
            outputs.clear();
            core.scan(now, &inputs, &mut outputs);
            for output in &outputs {
                if let Output::Order(order) = output {
                    played.orders += 1;
                    if self.answers == Answers::Modelled {
                        self.breaker.obey(&self.site, order, now.uptime);
                    }
                }
            }
            played.scans += 1;
            played.inputs += inputs.len() as u64;
            played.lasted = now.uptime.since(played.began.uptime);
            played.ended_at = now.uptime.since(origin);
            listen(&self.site, Moment { now, at: played.ended_at, inputs: &inputs, outputs: &outputs });
            step = source.next();
        }
        played
    }
}
