//! The memory as the records make it: the last state of each alarm and sequence, by name.
//!
//! It is kept in RAM by whoever hands records over, so that it is right even when the disk is not: a
//! snapshot of it heads each segment, and older segments are then history only.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::safety::alarm::{AlarmRecord, AlarmState};
use crate::safety::fact::{Fact, Order};
use crate::safety::memory::{Memory, Numbers, SequenceMemory};
use crate::safety::sequence::{Phase, Run, StageState, Step};
use crate::safety::site::Site;
use crate::safety::waiver::Waiver;
use crate::store::names;
use crate::store::record::{
    AlarmWire, Body, Dated, NumbersWire, SequenceWire, SnapshotWire, StepWire, WaiverWire, memory_of,
};

/// So many facts at most may have been heard by others before the journal had a record of them: its queue and more.
const UNRECORDED_MAX: u64 = 10_000;

/// The memory, and how far it goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Fold {
    /// The boot whose uptimes new records carry.
    boot: Arc<str>,
    alarms: BTreeMap<String, (AlarmRecord, Arc<str>)>,
    sequences: BTreeMap<String, (SequenceMemory, Arc<str>)>,
    waivers: BTreeMap<String, (Waiver, Arc<str>)>,
    numbers: Numbers,
    /// The number of the last record that is in it.
    pub(super) upto: u64,
}

impl Fold {
    /// From here on records carry uptimes of this boot.
    pub(super) fn enter_boot(&mut self, boot: &str) {
        self.boot = Arc::from(boot);
    }

    /// Takes this memory for the truth, its uptimes being of this boot.
    pub(super) fn replace(&mut self, memory: Memory) {
        let dated = |alarm: (String, AlarmRecord)| (alarm.0, (alarm.1, Arc::clone(&self.boot)));
        self.alarms = memory.alarms.into_iter().map(dated).collect();
        let dated = |sequence: (String, SequenceMemory)| (sequence.0, (sequence.1, Arc::clone(&self.boot)));
        self.sequences = memory.sequences.into_iter().map(dated).collect();
        let dated = |waiver: (String, Waiver)| (waiver.0, (waiver.1, Arc::clone(&self.boot)));
        self.waivers = memory.waivers.into_iter().map(dated).collect();
        self.at_least(memory.numbers);
    }

    /// After a crash: numbers that others may have heard, though no record has them, are not given again. Who goes by
    /// them would take what is new for something heard before.
    pub(super) fn skip_numbers(&mut self) {
        for number in [&mut self.numbers.alarm_change, &mut self.numbers.notice] {
            if 0 < *number {
                *number = number.saturating_add(UNRECORDED_MAX);
            }
        }
    }

    /// What a fact changes.
    pub(super) fn fact(&mut self, site: &Site, fact: &Fact) {
        match fact {
            Fact::Alarm(change) => {
                self.numbers.alarm_change = self.numbers.alarm_change.max(change.number);
                self.alarm(names::of_alarm(site, change.alarm), change.now.clone());
            }
            Fact::Sequence(change) => {
                if let Some(memory) = memory_of(site, change) {
                    self.sequence(names::of_sequence(site, change.sequence), memory);
                }
            }
            Fact::Notice(notice) => {
                self.numbers.notice = self.numbers.notice.max(notice.number);
                self.numbers.run = self.numbers.run.max(notice.run.map_or(0, |run| run.0));
            }
            Fact::Waiver(change) => self.waiver(change.what.key(site), change.now.clone()),
            Fact::Reading { .. }
            | Fact::AlarmFigures(_)
            | Fact::Finding(_)
            | Fact::Outlook(_)
            | Fact::Level(_)
            | Fact::LoneVote { .. }
            | Fact::Gap { .. }
            | Fact::ClockStepped { .. }
            | Fact::Commanded(_)
            | Fact::Proposed { .. }
            | Fact::Followed { .. }
            | Fact::Refused { .. } => {}
        }
    }

    /// What an intent changes: an order whose fact was not recorded yet is under way all the same, and a
    /// restart must not give it again (S11).
    pub(super) fn intent(&mut self, site: &Site, order: &Order) {
        let step = Step::Ordered {
            stage: order.stage,
            order: order.id,
            attempt: order.attempt,
            answer_by: order.answer_by,
        };
        self.ordered(&names::of_sequence(site, order.sequence), order.run.0, step);
    }

    /// What a record read back changes.
    pub(super) fn record(&mut self, site: &Site, body: &Body) {
        match body {
            Body::Start { boot, .. } => self.enter_boot(boot),
            Body::Snapshot(snapshot) => self.restore(site, snapshot),
            Body::Alarm { change, alarm, now, .. } => {
                self.numbers.alarm_change = self.numbers.alarm_change.max(*change);
                self.alarm(alarm.clone(), now.to(site));
            }
            Body::Sequence { sequence, now, .. } => self.sequence(sequence.clone(), now.to(site)),
            Body::Notice { run, notice, .. } => {
                self.numbers.notice = self.numbers.notice.max(*notice);
                self.numbers.run = self.numbers.run.max(run.unwrap_or(0));
            }
            Body::Waiver { what, now, .. } => {
                self.waiver(what.clone(), now.as_ref().map(WaiverWire::to));
            }
            Body::Intent { order, run, sequence, stage, attempt, answer_by, .. } => {
                let step = StepWire::Ordered {
                    stage: *stage,
                    order: *order,
                    attempt: *attempt,
                    answer_by: *answer_by,
                };
                self.ordered(sequence, *run, step.to());
            }
            Body::Stop {}
            | Body::Level { .. }
            | Body::Finding(_)
            | Body::LoneVote { .. }
            | Body::Gap { .. }
            | Body::ClockStepped { .. }
            | Body::Commanded { .. }
            | Body::Proposed { .. }
            | Body::Followed { .. }
            | Body::Refused { .. }
            | Body::Answer { .. }
            | Body::Fault { .. }
            | Body::Delivered { .. } => {}
        }
    }

    /// The memory for the core. `boot`: the present one.
    pub(super) fn memory(&self, boot: &str) -> Memory {
        let runs = self.sequences.values().filter(|(sequence, _)| sequence.state.phase != Phase::Idle);
        let mut boots = self.alarms.values().map(|(_, of)| of).chain(runs.map(|(_, of)| of));
        let same_boot = &*self.boot == boot && boots.all(|of| &**of == boot);
        Memory {
            alarms: self.alarms.iter().map(|(name, (record, _))| (name.clone(), record.clone())).collect(),
            sequences: self.sequences.iter().map(|(name, (is, _))| (name.clone(), is.clone())).collect(),
            // Their ends are uptimes: those of another boot have ended.
            waivers: (self.waivers.iter().filter(|(_, (_, of))| **of == *boot))
                .map(|(key, (waiver, _))| (key.clone(), waiver.clone()))
                .collect(),
            numbers: self.numbers,
            same_boot,
        }
    }

    /// The memory for the head of a segment.
    pub(super) fn snapshot(&self, site: &Site) -> SnapshotWire {
        let alarm = |(name, (record, boot)): (&String, &(AlarmRecord, Arc<str>))| {
            (name.clone(), Dated { boot: boot.to_string(), is: AlarmWire::of(site, record) })
        };
        let sequence = |(name, (memory, boot)): (&String, &(SequenceMemory, Arc<str>))| {
            (name.clone(), Dated { boot: boot.to_string(), is: SequenceWire::of(site, memory) })
        };
        let waiver = |(key, (waiver, boot)): (&String, &(Waiver, Arc<str>))| {
            (key.clone(), Dated { boot: boot.to_string(), is: WaiverWire::of(waiver) })
        };
        SnapshotWire {
            upto: self.upto,
            boot: self.boot.to_string(),
            alarms: self.alarms.iter().map(alarm).collect(),
            sequences: self.sequences.iter().map(sequence).collect(),
            waivers: self.waivers.iter().map(waiver).collect(),
            numbers: NumbersWire::from(self.numbers),
        }
    }

    fn restore(&mut self, site: &Site, snapshot: &SnapshotWire) {
        let alarm = |(name, dated): (&String, &Dated<AlarmWire>)| {
            (name.clone(), (dated.is.to(site), Arc::from(dated.boot.as_str())))
        };
        let sequence = |(name, dated): (&String, &Dated<SequenceWire>)| {
            (name.clone(), (dated.is.to(site), Arc::from(dated.boot.as_str())))
        };
        self.alarms = snapshot.alarms.iter().map(alarm).collect();
        self.sequences = snapshot.sequences.iter().map(sequence).collect();
        let waiver = |(key, dated): (&String, &Dated<WaiverWire>)| {
            (key.clone(), (dated.is.to(), Arc::from(dated.boot.as_str())))
        };
        self.waivers = snapshot.waivers.iter().map(waiver).collect();
        self.at_least(snapshot.numbers.into());
        self.enter_boot(&snapshot.boot);
        self.upto = self.upto.max(snapshot.upto);
    }

    fn waiver(&mut self, key: String, now: Option<Waiver>) {
        match now {
            Some(waiver) => self.waivers.insert(key, (waiver, Arc::clone(&self.boot))),
            None => self.waivers.remove(&key),
        };
    }

    fn alarm(&mut self, name: String, now: AlarmRecord) {
        if now.state == AlarmState::Normal {
            self.alarms.remove(&name);
        } else {
            self.alarms.insert(name, (now, Arc::clone(&self.boot)));
        }
    }

    fn sequence(&mut self, name: String, memory: SequenceMemory) {
        if let Phase::Run(run) = &memory.state.phase {
            self.numbers.run = self.numbers.run.max(run.id.0);
            if let Step::Ordered { order, .. } = run.step {
                self.numbers.order = self.numbers.order.max(order.0);
            }
        }
        self.sequences.insert(name, (memory, Arc::clone(&self.boot)));
    }

    fn ordered(&mut self, sequence: &str, run_id: u64, step: Step) {
        let Step::Ordered { stage, order, .. } = step else { return };
        let news = self.numbers.order < order.0;
        self.numbers.order = self.numbers.order.max(order.0);
        self.numbers.run = self.numbers.run.max(run_id);
        let Some((memory, boot)) = self.sequences.get_mut(sequence) else { return };
        let Phase::Run(run) = &mut memory.state.phase else { return };
        if news && run.id.0 == run_id && !is_over(run) {
            if let Some(state) = run.stages.get_mut(usize::from(stage)) {
                *state = StageState::Ordered;
            }
            run.mark_commanded(stage);
            run.step = step;
            *boot = Arc::clone(&self.boot);
        }
    }

    fn at_least(&mut self, numbers: Numbers) {
        let mine = &mut self.numbers;
        mine.alarm_change = mine.alarm_change.max(numbers.alarm_change);
        mine.order = mine.order.max(numbers.order);
        mine.run = mine.run.max(numbers.run);
        mine.notice = mine.notice.max(numbers.notice);
    }
}

fn is_over(run: &Run) -> bool {
    matches!(run.step, Step::Done | Step::Failed | Step::Aborted { .. })
}
