//! What goes into the core and what comes out: closed enums, so that everything that can move it, and
//! everything it can say, is listed on this page.

use std::sync::Arc;

use crate::safety::alarm::{AlarmChange, AlarmFigures};
use crate::safety::reading::{ReadFault, Reading};
use crate::safety::risk::outlook::OutlookChange;
use crate::safety::risk::{Finding, LevelChange};
use crate::safety::sequence::{Notice, RunId, SequenceChange};
use crate::safety::site::{ActionId, AlarmId, PointId, RoomId, RuleId, SequenceId, SystemFault};
use crate::safety::waiver::WaiverChange;
use crate::units::{Millis, Uptime, Value};

/// One thing that happened outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A poll answered, or failed to.
    Sampled {
        /// The point read.
        point: PointId,
        /// When the request was sent. Feedback counts only if asked for after the command (S21).
        asked: Uptime,
        /// When the reply arrived, or the poll was given up.
        taken: Uptime,
        /// The value, or why there is none.
        result: Result<Value, ReadFault>,
    },
    /// An order came to an end.
    Answered {
        /// Which order.
        order: OrderId,
        /// When its outcome was known.
        at: Uptime,
        /// What became of it.
        result: Result<(), DriveFault>,
    },
    /// A person asks.
    Asked {
        /// Who; a name from the configuration.
        by: Operator,
        /// What.
        request: Request,
    },
    /// How many machines draw power from a UPS and have not left yet.
    Logins {
        /// The name by which stages wait for it.
        ups: Arc<str>,
        /// When they were counted. A count that is not renewed is not believed for long.
        at: Uptime,
        /// How many.
        count: u32,
    },
    /// A part of emberwatch itself fails or works again.
    System {
        /// Which part.
        fault: SystemFault,
        /// Failing now?
        failing: bool,
    },
    /// Something was asked over a way that does not tell who speaks. What is followed of it comes as `Asked` too; this
    /// moves nothing, it is kept and told.
    Commanded(Box<CommandRecord>),
    /// A notice came to its end at one of those who are told. It moves nothing; it is kept.
    Delivered {
        /// The sequence it was about.
        sequence: SequenceId,
        /// Its number.
        notice: u64,
        /// Who was told; a name from the configuration.
        target: Arc<str>,
        /// Taken by the receiver? If not, it was given up.
        taken: bool,
    },
}

/// What was asked over a way that does not tell who speaks, and what was answered: for the record (R15 bears on none of it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// The room it was said to.
    pub room: RoomId,
    /// The way, and the key that has signed it where one has: `mqtt`, `mqtt:console`.
    pub by: Operator,
    /// Who, as the sender claims.
    pub actor: Arc<str>,
    /// What, as it was said.
    pub verb: Arc<str>,
    /// Of what, as it was said.
    pub target: Arc<str>,
    /// Its id, as it was said.
    pub id: Arc<str>,
    /// Why, as the sender says.
    pub reason: Arc<str>,
    /// Why it was rejected, by a word of the closed list; empty: accepted.
    pub rejected: Arc<str>,
    /// How many rejected ones before it were not recorded, being too many.
    pub unrecorded: u64,
}

/// A person, by the name the configuration gives.
pub type Operator = Arc<str>;

/// What a person may ask of the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// "I have seen this occurrence of this alarm."
    Acknowledge {
        /// The alarm.
        alarm: AlarmId,
        /// The occurrence that was seen; an older one is refused.
        occurrence: u64,
    },
    /// Let go of an alarm that is latched though its cause has gone.
    ResetAlarm {
        /// The alarm.
        alarm: AlarmId,
    },
    /// Do not tell of this alarm for a while. Refused for what is about life safety (A2).
    Shelve {
        /// The alarm.
        alarm: AlarmId,
        /// The occurrence that was seen; another one is refused. `None` takes the alarm as it is.
        occurrence: Option<u64>,
        /// For how long; more than the site allows is refused.
        lasting: Millis,
        /// End it as soon as the cause goes.
        one_shot: bool,
    },
    /// Tell of this alarm again.
    Unshelve {
        /// The alarm.
        alarm: AlarmId,
    },
    /// Take this alarm out of service, for maintenance. Refused for what is about life safety (A2).
    OutOfService {
        /// The alarm.
        alarm: AlarmId,
        /// Why: one line of at most 200 characters, not empty.
        reason: Arc<str>,
    },
    /// Put this alarm back into service.
    InService {
        /// The alarm.
        alarm: AlarmId,
    },
    /// Put aside for a while what the alarm speaks of: the channel that it calls bypassed, or the automatic cuts of the
    /// zone that it calls in maintenance. It takes two persons.
    Waive {
        /// The alarm that will stand all the while.
        alarm: AlarmId,
        /// For how long; at most `WAIVED_MAX`.
        lasting: Millis,
        /// Why: one line of at most 200 characters, not empty.
        reason: Arc<str>,
    },
    /// Take back what was put aside.
    EndWaiver {
        /// The alarm that stands for it.
        alarm: AlarmId,
    },
    /// Stop this run before its point of no return.
    Abort {
        /// The sequence.
        sequence: SequenceId,
        /// The run that was seen; another one is refused. `None` takes the one that runs.
        run: Option<RunId>,
    },
    /// Let the sequence cut by itself.
    Arm {
        /// The sequence.
        sequence: SequenceId,
    },
    /// Let the sequence judge and record, but write nothing.
    Disarm {
        /// The sequence.
        sequence: SequenceId,
    },
    /// First step of a cut by hand.
    Select {
        /// The sequence.
        sequence: SequenceId,
    },
    /// Second step of a cut by hand: by the same person, within ten seconds of the first.
    Start {
        /// The sequence.
        sequence: SequenceId,
    },
    /// Let a finished run go, so that the sequence can run again.
    ResetSequence {
        /// The sequence.
        sequence: SequenceId,
    },
    /// "Every stage was tried at the plant, and did what the configuration says." It takes two persons.
    ProofTested {
        /// The sequence.
        sequence: SequenceId,
    },
    /// Rehearse: decide all that a cut decides, and write nothing.
    Drill {
        /// The sequence.
        sequence: SequenceId,
    },
}

impl Request {
    /// The alarm it is about; `None` if it is about a sequence.
    #[must_use]
    pub const fn alarm(&self) -> Option<AlarmId> {
        match *self {
            Self::Acknowledge { alarm, .. }
            | Self::ResetAlarm { alarm }
            | Self::Shelve { alarm, .. }
            | Self::Unshelve { alarm }
            | Self::OutOfService { alarm, .. }
            | Self::InService { alarm }
            | Self::Waive { alarm, .. }
            | Self::EndWaiver { alarm } => Some(alarm),
            Self::Abort { .. }
            | Self::Arm { .. }
            | Self::Disarm { .. }
            | Self::Select { .. }
            | Self::Start { .. }
            | Self::Drill { .. }
            | Self::ProofTested { .. }
            | Self::ResetSequence { .. } => None,
        }
    }
}

/// Why a request was not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The alarm does not stand, or has nothing to acknowledge or reset.
    NothingToDo,
    /// It was about an older occurrence or another run.
    OutOfDate,
    /// The run is past its point of no return.
    TooLate,
    /// Not from this state: for instance a start without a select, or arming while a run is under way.
    NotNow,
    /// The cause is still there, or not known to be gone.
    CauseStands,
    /// The alarm is about life safety, or stands for others: it cannot be shelved or taken out of service (A2).
    LifeSafety,
    /// For no time at all, or for longer than the site allows.
    TooLong,
    /// Its proof test is missing, or of another configuration (I4).
    Unproven,
    /// A key switch arms this sequence, and nothing else (I4).
    ByKey,
    /// Somebody demanded this cut by hand: that is not taken back (I5).
    ByHand,
    /// It takes two: one person for each of the two steps.
    SecondPerson,
    /// An alarm is taken out of service, and a channel or a zone put aside, for a reason in one line of at most 200
    /// characters.
    NoReason,
    /// This vote, by which an armed sequence cuts, could not be completed without the channel: it is not bypassed.
    WouldBlind(RuleId),
}

/// One thing the core says. Facts may be lost; orders may not.
#[must_use]
#[derive(Debug)]
pub enum Output {
    /// Something to know.
    Fact(Fact),
    /// Something to do.
    Order(Order),
}

/// Something to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A point was read, or its quality changed.
    Reading {
        /// The point.
        point: PointId,
        /// What is now known of it.
        reading: Reading,
    },
    /// A rule judges otherwise than before.
    Finding(Finding),
    /// The level of a zone changed.
    Level(LevelChange),
    /// How long until the next limit, of a rule that has left normal; at most every ten seconds.
    Outlook(OutlookChange),
    /// An alarm changed.
    Alarm(AlarmChange),
    /// The figures of the alarm system changed. Told at most every ten seconds.
    AlarmFigures(AlarmFigures),
    /// A sequence changed.
    Sequence(Box<SequenceChange>),
    /// A vote came and went alone: nothing agreed with it. Counted against its channel.
    LoneVote {
        /// The vote.
        rule: RuleId,
        /// The channel that voted.
        channel: RuleId,
    },
    /// What service owners should know.
    Notice(Box<Notice>),
    /// A channel was bypassed, or a zone put into maintenance; or that has ended.
    Waiver(Box<WaiverChange>),
    /// The loop was held up: all data is stale until read again (R14).
    Gap {
        /// How long nothing was judged.
        lasted: Millis,
    },
    /// The wall clock was set: labels of time before and after do not belong to one row. It moves nothing (R13).
    ClockStepped {
        /// By how many milliseconds, beyond what the monotonic clock counted; negative: back.
        by_ms: i64,
    },
    /// Something was asked over a way that does not tell who speaks, and answered.
    Commanded(Box<CommandRecord>),
    /// The first of two persons asked for this; another one must ask the same by then.
    Proposed {
        /// Who.
        by: Operator,
        /// What.
        request: Request,
        /// It is forgotten after this.
        until: Uptime,
    },
    /// A person's request was followed.
    Followed {
        /// Who asked.
        by: Operator,
        /// What.
        request: Request,
    },
    /// A person's request was not followed.
    Refused {
        /// Who asked.
        by: Operator,
        /// What.
        request: Request,
        /// Why not.
        why: Refusal,
    },
}

/// The number of an order: unique for a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// A command to a device. Not `Clone`: one order, one answer.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// The run that gives it.
    pub run: RunId,
    /// The sequence that gives it.
    pub sequence: SequenceId,
    /// The stage that gives it, counted from zero.
    pub stage: u8,
    /// What to do.
    pub action: ActionId,
    /// First, second or third try, counted from one.
    pub attempt: u8,
    /// When its outcome is taken as unknown.
    pub answer_by: Uptime,
}

/// What became of an order that was not confirmed. The border type of the field's orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DriveFault {
    /// The frame never left: no connection, or the pre-read failed. Nothing happened.
    NotSent,
    /// The device refused with this Modbus exception code. Nothing happened.
    Exception(u8),
    /// No reply after sending: nobody knows what happened.
    NoAnswer,
    /// The reply was not the echo of the command: nobody knows what happened.
    WrongEcho,
    /// Not in the allow-list: refused at the last gate, nothing was sent (S22).
    NotAllowed,
}
