//! A recording as a source of steps for a site: numbers of the recording become those of the configuration.

use std::io::Read;

use super::read::Reader;
use super::scan::Lost;
use crate::replay::site::Matched;
use crate::replay::{Source, Step};
use crate::safety::fact::{Input, Request};
use crate::units::{Millis, Uptime};

/// The most gaps that are listed one by one.
const GAPS_LISTED_MAX: usize = 64;

/// A recording, played for a site.
#[derive(Debug)]
pub struct RecordingSource<R> {
    /// What is read, for its totals and its end.
    pub reader: Reader<R>,
    /// Where scans are missing, and how many; the first of them.
    pub gaps: Vec<(Uptime, Lost)>,
    /// Inputs about things that the configuration does not have.
    pub foreign: u64,
    matched: Matched,
    poll: Option<Millis>,
    /// The last poll of each point that was let through, where polls are thinned out.
    slots: Vec<Option<u64>>,
}

impl<R: Read> RecordingSource<R> {
    /// `poll`: of every point at most one sample per this span, the first in it; `None` for all as recorded.
    #[must_use]
    pub fn new(reader: Reader<R>, matched: Matched, poll: Option<Millis>) -> Self {
        let slots = vec![None; matched.points.len()];
        Self { reader, gaps: Vec::new(), foreign: 0, matched, poll: poll.filter(|poll| 0 < poll.0), slots }
    }

    /// The input in the numbers of the site; `None` if it has no use for it.
    fn translated(&mut self, input: Input) -> Option<Input> {
        let known = match input {
            Input::Sampled { point, asked, taken, result } => {
                let index = point.index();
                let target = self.matched.points.get(index).copied().flatten();
                if let (Some(poll), Some(slot)) = (self.poll, self.slots.get_mut(index)) {
                    let now = taken.0 / poll.0;
                    if *slot == Some(now) {
                        return None;
                    }
                    *slot = Some(now);
                }
                target.map(|point| Input::Sampled { point, asked, taken, result })
            }
            Input::Asked { by, request } => {
                self.request(&request).map(|request| Input::Asked { by, request })
            }
            Input::Answered { .. }
            | Input::Logins { .. }
            | Input::System { .. }
            | Input::Commanded(_)
            | Input::Delivered { .. } => Some(input),
        };
        self.foreign += u64::from(known.is_none());
        known
    }

    fn request(&self, request: &Request) -> Option<Request> {
        let alarm = |id: crate::safety::site::AlarmId| self.matched.alarms.get(id.index()).copied().flatten();
        let sequence =
            |id: crate::safety::site::SequenceId| self.matched.sequences.get(id.index()).copied().flatten();
        Some(match *request {
            Request::Acknowledge { alarm: id, occurrence } => {
                Request::Acknowledge { alarm: alarm(id)?, occurrence }
            }
            Request::ResetAlarm { alarm: id } => Request::ResetAlarm { alarm: alarm(id)? },
            Request::Shelve { alarm: id, occurrence, lasting, one_shot } => {
                Request::Shelve { alarm: alarm(id)?, occurrence, lasting, one_shot }
            }
            Request::Unshelve { alarm: id } => Request::Unshelve { alarm: alarm(id)? },
            Request::OutOfService { alarm: id, ref reason } => {
                Request::OutOfService { alarm: alarm(id)?, reason: reason.clone() }
            }
            Request::Waive { alarm: id, lasting, ref reason } => {
                Request::Waive { alarm: alarm(id)?, lasting, reason: reason.clone() }
            }
            Request::EndWaiver { alarm: id } => Request::EndWaiver { alarm: alarm(id)? },
            Request::InService { alarm: id } => Request::InService { alarm: alarm(id)? },
            Request::Abort { sequence: id, run } => Request::Abort { sequence: sequence(id)?, run },
            Request::Arm { sequence: id } => Request::Arm { sequence: sequence(id)? },
            Request::Disarm { sequence: id } => Request::Disarm { sequence: sequence(id)? },
            Request::Select { sequence: id } => Request::Select { sequence: sequence(id)? },
            Request::Start { sequence: id } => Request::Start { sequence: sequence(id)? },
            Request::ResetSequence { sequence: id } => Request::ResetSequence { sequence: sequence(id)? },
            Request::ProofTested { sequence: id } => Request::ProofTested { sequence: sequence(id)? },
            Request::Drill { sequence: id } => Request::Drill { sequence: sequence(id)? },
        })
    }
}

impl<R: Read> Source for RecordingSource<R> {
    fn next(&mut self) -> Option<Step> {
        let (step, lost) = self.reader.next_scan()?;
        if lost != Lost::default() && self.gaps.len() < GAPS_LISTED_MAX {
            self.gaps.push((step.now.uptime, lost));
        }
        let inputs = step.inputs.into_iter().filter_map(|input| self.translated(input)).collect();
        Some(Step { now: step.now, inputs })
    }
}
