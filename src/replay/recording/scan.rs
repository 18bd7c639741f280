//! Scans as bytes, in the numbering of the recording.
//!
//! ```text
//! scan    head: milliseconds since the scan before ×4, +1 if the wall clock moved otherwise, +2 after a gap
//!         [wall: by how much otherwise]  [gap: scans lost, inputs lost]  number of inputs, then each:
//! sample  head: point, as the difference to the one before, ×8, +4 if its times are not those of the one before,
//!         +0 same value, +1 another value, +2 no value     [asked, taken: differences]  [value | fault]
//! others  head 3, then a byte for the kind
//! ```

use std::sync::Arc;

use crate::replay::Step;
use crate::replay::codec::{Bytes, Values, put, put_signed, put_text};
use crate::safety::fact::{CommandRecord, DriveFault, Input, OrderId, Request};
use crate::safety::reading::ReadFault;
use crate::safety::sequence::RunId;
use crate::safety::site::{AlarmId, PointId, RoomId, SequenceId, SystemFault};
use crate::units::{Millis, Now, Uptime, Value, WallTime};

/// What a recorder was too slow for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Scans that are missing.
    pub scans: u64,
    /// Inputs that are missing with them.
    pub inputs: u64,
}

/// One raw frame of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Microseconds since 1970.
    pub wall_us: u64,
    /// True for what emberwatch sent.
    pub sent: bool,
    /// As on the wire.
    pub bytes: Vec<u8>,
}

/// What a block of scans remembers from one to the next, on both sides.
#[derive(Debug, Default)]
pub(super) struct Thread {
    now: Now,
    values: Values,
    last: std::collections::BTreeMap<u32, u64>,
    point: u32,
    times: (u64, u64),
}

const SAME: u64 = 0;
const VALUE: u64 = 1;
const FAULT: u64 = 2;
const OTHER: u64 = 3;
const OTHER_TIMES: u64 = 4;

impl Thread {
    /// Appends a scan.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, now: Now, inputs: &[Input], lost: Lost) {
        let passed = now.uptime.since(self.now.uptime).0;
        let expected = self.now.wall.0.wrapping_add(passed.cast_signed());
        let moved = now.wall.0.wrapping_sub(expected);
        let gap = lost != Lost::default();
        put(out, passed << 2 | u64::from(moved != 0) | u64::from(gap) << 1);
        if moved != 0 {
            put_signed(out, moved);
        }
        if gap {
            put(out, lost.scans);
            put(out, lost.inputs);
        }
        self.begin(now);
        put(out, inputs.len() as u64);
        for input in inputs {
            self.put_input(out, input);
        }
    }

    fn begin(&mut self, now: Now) {
        self.now = now;
        self.point = 0;
        self.times = (now.uptime.0, now.uptime.0);
    }

    fn put_input(&mut self, out: &mut Vec<u8>, input: &Input) {
        let Input::Sampled { point, asked, taken, result } = input else {
            put(out, OTHER);
            return put_other(out, input);
        };
        let bits = result.ok().map(|value| value.get().to_bits());
        let kind = match bits {
            None => FAULT,
            Some(bits) if self.last.get(&point.0) == Some(&bits) => SAME,
            Some(_) => VALUE,
        };
        let step = i64::from(point.0) - i64::from(self.point);
        let folded = step.wrapping_shl(1).cast_unsigned() ^ (step >> 63).cast_unsigned();
        let times = (asked.0, taken.0);
        put(out, folded << 3 | if times == self.times { 0 } else { OTHER_TIMES } | kind);
        if times != self.times {
            put_signed(out, times.0.wrapping_sub(self.times.0).cast_signed());
            put_signed(out, times.1.wrapping_sub(times.0).cast_signed());
        }
        (self.point, self.times) = (point.0, times);
        match (result, bits) {
            (Ok(value), Some(bits)) if kind == VALUE => {
                self.values.put(out, point.0, value.get());
                self.last.insert(point.0, bits);
            }
            (Err(fault), _) => put_fault(out, *fault),
            (Ok(_), _) => {}
        }
    }

    /// Reads a scan; `None` where the bytes are none.
    pub(super) fn take(&mut self, bytes: &mut Bytes<'_>) -> Option<(Step, Lost)> {
        let head = bytes.number()?;
        let passed = head >> 2;
        let moved = if head & 1 == 1 { bytes.signed()? } else { 0 };
        let lost = if head & 2 == 2 {
            Lost { scans: bytes.number()?, inputs: bytes.number()? }
        } else {
            Lost::default()
        };
        let wall = self.now.wall.0.wrapping_add(passed.cast_signed()).wrapping_add(moved);
        let now = Now { uptime: Uptime(self.now.uptime.0.saturating_add(passed)), wall: WallTime(wall) };
        self.begin(now);
        let count = bytes.number()?;
        let mut inputs = Vec::new();
        for _ in 0..count {
            inputs.push(self.take_input(bytes)?);
        }
        Some((Step { now, inputs }, lost))
    }

    fn take_input(&mut self, bytes: &mut Bytes<'_>) -> Option<Input> {
        let head = bytes.number()?;
        let kind = head & 3;
        if kind == OTHER {
            return take_other(bytes);
        }
        let folded = head >> 3;
        let step = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
        let point = u32::try_from(i64::from(self.point).checked_add(step)?).ok()?;
        if head & OTHER_TIMES != 0 {
            let asked = self.times.0.wrapping_add(bytes.signed()?.cast_unsigned());
            let taken = asked.wrapping_add(bytes.signed()?.cast_unsigned());
            self.times = (asked, taken);
        }
        self.point = point;
        let result = match kind {
            FAULT => Err(take_fault(bytes)?),
            VALUE => {
                let value = self.values.take(bytes, point)?;
                self.last.insert(point, value.to_bits());
                Ok(Value::new(value)?)
            }
            _ => Ok(Value::new(f64::from_bits(*self.last.get(&point)?))?),
        };
        let (asked, taken) = (Uptime(self.times.0), Uptime(self.times.1));
        Some(Input::Sampled { point: PointId(point), asked, taken, result })
    }
}

/// No exception code: those are 0 to 255.
const NO_CODE: u64 = 0;

fn put_fault(out: &mut Vec<u8>, fault: ReadFault) {
    let (number, code) = match fault {
        ReadFault::Timeout => (0, NO_CODE),
        ReadFault::Disconnected => (1, NO_CODE),
        ReadFault::Exception(code) => (2, u64::from(code)),
        ReadFault::Mismatch => (3, NO_CODE),
        ReadFault::Malformed => (4, NO_CODE),
        ReadFault::Sentinel => (5, NO_CODE),
        ReadFault::NotANumber => (6, NO_CODE),
        ReadFault::NotInService => (7, NO_CODE),
    };
    put(out, code << 3 | number);
}

fn take_fault(bytes: &mut Bytes<'_>) -> Option<ReadFault> {
    let number = bytes.number()?;
    Some(match number & 7 {
        0 => ReadFault::Timeout,
        1 => ReadFault::Disconnected,
        2 => ReadFault::Exception(u8::try_from(number >> 3).ok()?),
        3 => ReadFault::Mismatch,
        4 => ReadFault::Malformed,
        5 => ReadFault::Sentinel,
        6 => ReadFault::NotANumber,
        _ => ReadFault::NotInService,
    })
}

const ANSWERED: u8 = 0;
const ASKED: u8 = 1;
const SYSTEM: u8 = 2;
const LOGINS: u8 = 3;
const DELIVERED: u8 = 8;
const COMMANDED: u8 = 9;

fn put_other(out: &mut Vec<u8>, input: &Input) {
    match input {
        // Written by `put_input`.
        Input::Sampled { .. } => {}
        Input::Answered { order, at, result } => {
            out.push(ANSWERED);
            put(out, order.0);
            put(out, at.0);
            let (number, code) = match result {
                Ok(()) => (0, NO_CODE),
                Err(DriveFault::NotSent) => (1, NO_CODE),
                Err(DriveFault::Exception(code)) => (2, u64::from(*code)),
                Err(DriveFault::NoAnswer) => (3, NO_CODE),
                Err(DriveFault::WrongEcho) => (4, NO_CODE),
                Err(DriveFault::NotAllowed) => (5, NO_CODE),
            };
            put(out, code << 3 | number);
        }
        Input::Asked { by, request } => put_asked(out, by, request),
        Input::Logins { ups, at, count } => {
            out.push(LOGINS);
            put_text(out, ups);
            put(out, at.0);
            put(out, u64::from(*count));
        }
        Input::System { fault, failing } => {
            out.push(SYSTEM);
            let name = SystemFault::TABLE.iter().find(|known| known.0 == *fault).map_or("", |known| known.1);
            put_text(out, name);
            out.push(u8::from(*failing));
        }
        Input::Commanded(it) => {
            out.push(COMMANDED);
            put(out, u64::from(it.room.0));
            put(out, it.unrecorded);
            let texts = [&it.by, &it.actor, &it.verb, &it.target, &it.id, &it.reason, &it.rejected];
            for text in texts {
                put_text(out, text);
            }
        }
        Input::Delivered { sequence, notice, target, taken } => {
            out.push(DELIVERED);
            put(out, u64::from(sequence.0));
            put(out, *notice);
            put_text(out, target);
            out.push(u8::from(*taken));
        }
    }
}

fn put_asked(out: &mut Vec<u8>, by: &str, request: &Request) {
    out.push(ASKED);
    put_text(out, by);
    let (kind, id, more): (u64, u32, Option<u64>) = match *request {
        Request::Acknowledge { alarm, occurrence } => (0, alarm.0, Some(occurrence)),
        Request::ResetAlarm { alarm } => (1, alarm.0, None),
        Request::Abort { sequence, run } => (2, sequence.0, run.map(|run| run.0)),
        Request::Arm { sequence } => (3, sequence.0, None),
        Request::Disarm { sequence } => (4, sequence.0, None),
        Request::Select { sequence } => (5, sequence.0, None),
        Request::Start { sequence } => (6, sequence.0, None),
        Request::ResetSequence { sequence } => (7, sequence.0, None),
        Request::Shelve { alarm, occurrence, .. } => (8, alarm.0, occurrence),
        Request::Unshelve { alarm } => (9, alarm.0, None),
        Request::OutOfService { alarm, .. } => (10, alarm.0, None),
        Request::InService { alarm } => (11, alarm.0, None),
        Request::Drill { sequence } => (12, sequence.0, None),
        Request::Waive { alarm, .. } => (13, alarm.0, None),
        Request::ProofTested { sequence } => (15, sequence.0, None),
        Request::EndWaiver { alarm } => (14, alarm.0, None),
    };
    put(out, kind);
    put(out, u64::from(id));
    // One more than the number, so that zero is none.
    put(out, more.map_or(0, |more| more.saturating_add(1)));
    match request {
        Request::Shelve { lasting, one_shot, .. } => {
            put(out, lasting.0);
            out.push(u8::from(*one_shot));
        }
        Request::OutOfService { reason, .. } => put_text(out, reason),
        Request::Waive { lasting, reason, .. } => {
            put(out, lasting.0);
            put_text(out, reason);
        }
        Request::Acknowledge { .. }
        | Request::ResetAlarm { .. }
        | Request::Unshelve { .. }
        | Request::InService { .. }
        | Request::EndWaiver { .. }
        | Request::Abort { .. }
        | Request::Arm { .. }
        | Request::Disarm { .. }
        | Request::Select { .. }
        | Request::Start { .. }
        | Request::ResetSequence { .. }
        | Request::ProofTested { .. }
        | Request::Drill { .. } => {}
    }
}

fn take_command(bytes: &mut Bytes<'_>) -> Option<Input> {
    let (room, unrecorded) = (RoomId(bytes.small()?), bytes.number()?);
    let mut text = || bytes.text().map(Arc::from);
    let record = CommandRecord {
        room,
        by: text()?,
        actor: text()?,
        verb: text()?,
        target: text()?,
        id: text()?,
        reason: text()?,
        rejected: text()?,
        unrecorded,
    };
    Some(Input::Commanded(Box::new(record)))
}

fn take_other(bytes: &mut Bytes<'_>) -> Option<Input> {
    match bytes.byte()? {
        ANSWERED => {
            let (order, at) = (OrderId(bytes.number()?), Uptime(bytes.number()?));
            let number = bytes.number()?;
            let result = match number & 7 {
                0 => Ok(()),
                1 => Err(DriveFault::NotSent),
                2 => Err(DriveFault::Exception(u8::try_from(number >> 3).ok()?)),
                3 => Err(DriveFault::NoAnswer),
                4 => Err(DriveFault::WrongEcho),
                5 => Err(DriveFault::NotAllowed),
                _ => return None,
            };
            Some(Input::Answered { order, at, result })
        }
        ASKED => {
            let by = bytes.text()?.into();
            let (kind, id, more) = (bytes.number()?, bytes.small()?, bytes.number()?.checked_sub(1));
            let (alarm, sequence) = (AlarmId(id), SequenceId(id));
            let request = match kind {
                0 => Request::Acknowledge { alarm, occurrence: more? },
                1 => Request::ResetAlarm { alarm },
                2 => Request::Abort { sequence, run: more.map(RunId) },
                3 => Request::Arm { sequence },
                4 => Request::Disarm { sequence },
                5 => Request::Select { sequence },
                6 => Request::Start { sequence },
                7 => Request::ResetSequence { sequence },
                8 => {
                    let (lasting, one_shot) = (Millis(bytes.number()?), bytes.byte()? == 1);
                    Request::Shelve { alarm, occurrence: more, lasting, one_shot }
                }
                9 => Request::Unshelve { alarm },
                10 => Request::OutOfService { alarm, reason: bytes.text()?.into() },
                11 => Request::InService { alarm },
                12 => Request::Drill { sequence },
                13 => {
                    let lasting = Millis(bytes.number()?);
                    Request::Waive { alarm, lasting, reason: bytes.text()?.into() }
                }
                14 => Request::EndWaiver { alarm },
                15 => Request::ProofTested { sequence },
                _ => return None,
            };
            Some(Input::Asked { by, request })
        }
        LOGINS => {
            let (ups, at) = (bytes.text()?.into(), Uptime(bytes.number()?));
            Some(Input::Logins { ups, at, count: bytes.small()? })
        }
        SYSTEM => {
            let name = bytes.text()?;
            let fault = SystemFault::TABLE.iter().find(|known| known.1 == name)?.0;
            Some(Input::System { fault, failing: bytes.byte()? == 1 })
        }
        COMMANDED => take_command(bytes),
        DELIVERED => {
            let (sequence, notice) = (SequenceId(bytes.small()?), bytes.number()?);
            let target = bytes.text()?.into();
            Some(Input::Delivered { sequence, notice, target, taken: bytes.byte()? == 1 })
        }
        _ => None,
    }
}
