//! What switches do that no sequence told them to: open by themselves, or show "open" while current flows.
//!
//! A sequence looks at its switches while it cuts. This looks at them all the time: a breaker that somebody else opened
//! takes power from people who were not told, and one that is open by its contact and carries current is welded. What is
//! not known says nothing: silence and doubt have alarms of their own. It decides nothing about cutting.

use crate::safety::memory::Memory;
use crate::safety::quality::Picture;
use crate::safety::reading::Reading;
use crate::safety::risk::Evidence;
use crate::safety::sequence::spec::{Condition, Expect, Stage};
use crate::safety::sequence::{Phase, Sequences};
use crate::safety::site::{AlarmSource, PointId, SequenceId, Site};
use crate::units::Uptime;

/// The switches of all sequences.
#[derive(Clone, Debug)]
pub(super) struct Contacts {
    /// Whether a point is feedback of a switch.
    watched: Vec<bool>,
    /// By sequence and stage.
    of_sequence: Vec<Vec<Contact>>,
    /// What was said of each sequence last; `None` before the first look.
    said: Vec<Option<Misdeeds>>,
    /// Sequences of which something else is to be said; the list is used again.
    changed: Vec<SequenceId>,
    /// Feedback was read in this scan.
    touched: bool,
    /// Current may have flowed for long enough then.
    next: Uptime,
}

/// One switch, as one stage sees it.
#[derive(Clone, Debug, Default)]
struct Contact {
    /// Stages of any sequence that watch the same position: an opening by one of them is nobody else's.
    kin: Vec<(SequenceId, usize)>,
    /// It was seen closed, and no sequence has opened it since.
    closed: bool,
    /// It opened, and no sequence had told it to.
    opened: Option<Evidence>,
    /// Current has been seen behind its open position since.
    flows_since: Option<Uptime>,
    /// For longer than the stage would wait for it to end.
    flows: Option<Evidence>,
}

/// What is to be said of a sequence's switches; `None` where all is well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Misdeeds {
    /// One was opened by somebody else.
    pub(super) opened: Option<Evidence>,
    /// Current flows through one that shows "open".
    pub(super) flows: Option<Evidence>,
}

/// What is seen of a condition on several points.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    /// All of it holds.
    Holds(Evidence),
    /// Something of it does not, on good data.
    Fails(Evidence),
    /// Not all of it is known.
    Unknown,
}

impl Contacts {
    pub(super) fn new(site: &Site, memory: &Memory) -> Self {
        let mut watched = vec![false; site.points.len()];
        let mut of_sequence = Vec::with_capacity(site.sequences.len());
        for (index, sequence) in site.sequences.iter().enumerate() {
            let source = AlarmSource::OpenedByOther(SequenceId::at(index));
            let alarm = site.alarms.iter().find(|alarm| alarm.source == source);
            // It stood before the restart: it stands until the position is seen closed.
            let stood = alarm
                .and_then(|alarm| memory.alarms.get(&alarm.name))
                .filter(|record| record.stands)
                .map(|record| record.evidence);
            let of_stage =
                |stage: &Stage| Contact { kin: kin(site, stage), opened: stood, ..Contact::default() };
            of_sequence.push(sequence.stages.iter().map(of_stage).collect());
            for expect in sequence.stages.iter().flat_map(|stage| &stage.verify) {
                watched[expect.point.index()] = true;
            }
        }
        let said = vec![None; of_sequence.len()];
        Self { watched, of_sequence, said, changed: Vec::new(), touched: false, next: Uptime(u64::MAX) }
    }

    /// A point was read.
    pub(super) fn heard(&mut self, point: PointId) {
        self.touched |= self.watched[point.index()];
    }

    /// Whether there is anything to look at now.
    pub(super) const fn is_due(&self, now: Uptime) -> bool {
        self.touched || self.next.0 <= now.0
    }

    /// Looks at every switch, and gives the sequences of which something else is to be said than before.
    pub(super) fn look(
        &mut self,
        site: &Site,
        picture: &Picture,
        sequences: &Sequences,
        now: Uptime,
    ) -> Vec<SequenceId> {
        (self.touched, self.next) = (false, Uptime(u64::MAX));
        for (index, contacts) in self.of_sequence.iter_mut().enumerate() {
            let sequence = SequenceId::at(index);
            for (stage, contact) in site[sequence].stages.iter().zip(contacts.iter_mut()) {
                contact.look(stage, picture, sequences, now);
                if let (Some(since), None) = (contact.flows_since, contact.flows) {
                    self.next = self.next.min(since.plus(stage.verify_within));
                }
            }
            let first = |pick: fn(&Contact) -> Option<Evidence>| contacts.iter().find_map(pick);
            let said =
                Misdeeds { opened: first(|contact| contact.opened), flows: first(|contact| contact.flows) };
            if self.said[index].replace(said) != Some(said) {
                self.changed.push(sequence);
            }
        }
        std::mem::take(&mut self.changed)
    }

    /// What is to be said of a sequence.
    pub(super) fn of(&self, sequence: SequenceId) -> Misdeeds {
        self.said[sequence.index()].unwrap_or(Misdeeds { opened: None, flows: None })
    }

    /// Takes back the list that was looked at: the next one needs no memory of its own.
    pub(super) fn keep(&mut self, mut seen: Vec<SequenceId>) {
        seen.clear();
        self.changed = seen;
    }
}

impl Contact {
    fn look(&mut self, stage: &Stage, picture: &Picture, sequences: &Sequences, now: Uptime) {
        let ours = self.kin.iter().any(|(sequence, stage)| has_commanded(sequences, *sequence, *stage));
        match seen(stage, picture, is_position) {
            Seen::Unknown => return,
            Seen::Fails(_) => {
                (self.closed, self.opened, self.flows_since, self.flows) = (true, None, None, None);
                return;
            }
            Seen::Holds(evidence) if self.closed && !ours => {
                self.opened.get_or_insert(evidence);
            }
            Seen::Holds(_) => {}
        }
        // Whoever opened it: from here on it is open, and the next to open it must have closed it first.
        self.closed &= !ours;
        match seen(stage, picture, |expect| !is_position(expect)) {
            Seen::Unknown => {}
            Seen::Holds(_) => (self.flows_since, self.flows) = (None, None),
            Seen::Fails(evidence) => {
                let since = *self.flows_since.get_or_insert(now);
                if stage.verify_within <= now.since(since) {
                    self.flows.get_or_insert(evidence);
                }
            }
        }
    }
}

/// A position is a state; what flows or stands behind it is a quantity.
const fn is_position(expect: &Expect) -> bool {
    match expect.is {
        Condition::Is(_) | Condition::BitSet(_) | Condition::BitClear(_) => true,
        Condition::AtLeast(_) | Condition::AtMost(_) | Condition::Within(..) => false,
    }
}

/// What is seen of a part of a stage's feedback. Nothing of that kind is unknown: it proves neither.
fn seen(stage: &Stage, picture: &Picture, part: fn(&Expect) -> bool) -> Seen {
    let mut all = Seen::Unknown;
    for expect in stage.verify.iter().filter(|expect| part(expect)) {
        let Reading::Good { value, taken } = picture.reading(expect.point) else { return Seen::Unknown };
        let evidence = Evidence::State { point: expect.point, value, taken };
        match (expect.is.holds(value), all) {
            (false, _) => return Seen::Fails(evidence),
            (true, Seen::Unknown) => all = Seen::Holds(evidence),
            (true, Seen::Holds(_) | Seen::Fails(_)) => {}
        }
    }
    all
}

fn kin(site: &Site, stage: &Stage) -> Vec<(SequenceId, usize)> {
    let positions = |stage: &Stage| -> Vec<PointId> {
        stage.verify.iter().filter(|expect| is_position(expect)).map(|expect| expect.point).collect()
    };
    let own = positions(stage);
    let mut kin = Vec::new();
    for (index, sequence) in site.sequences.iter().enumerate() {
        for (number, other) in sequence.stages.iter().enumerate() {
            if positions(other).iter().any(|point| own.contains(point)) {
                kin.push((SequenceId::at(index), number));
            }
        }
    }
    kin
}

/// Whether a run that stands has given, or may have given, this stage's command.
fn has_commanded(sequences: &Sequences, sequence: SequenceId, stage: usize) -> bool {
    match &sequences.state(sequence).phase {
        Phase::Run(run) => !run.shadow && run.has_commanded(stage),
        Phase::Idle => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Value;

    #[test]
    fn states_are_positions_and_quantities_are_not() {
        let is = |is| is_position(&Expect { point: PointId(0), is });
        assert!(is(Condition::Is(0)) && is(Condition::BitSet(1)) && is(Condition::BitClear(1)));
        assert!(
            !is(Condition::AtMost(0.5)) && !is(Condition::AtLeast(1.0)) && !is(Condition::Within(0.0, 1.0))
        );
        assert!(Value::new(0.0).is_some_and(|zero| Condition::Is(0).holds(zero)));
    }
}
