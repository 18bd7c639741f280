//! What a person may ask about an alarm or a sequence on the local socket.

use serde::{Deserialize, Serialize};

/// What can be asked about an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AlarmVerb {
    /// "I have seen this occurrence."
    Ack {
        /// The occurrence that was seen.
        occurrence: u64,
    },
    /// Let go of it, if it is latched and its cause has gone.
    Reset {},
    /// Do not tell of it for a while.
    Shelve {
        /// For how long.
        for_ms: u64,
        /// End it as soon as the cause goes.
        one_shot: bool,
        /// The occurrence that was seen, or any.
        occurrence: Option<u64>,
    },
    /// Tell of it again.
    Unshelve {},
    /// Take it out of service.
    OutOfService {
        /// Why.
        reason: String,
    },
    /// Put it back into service.
    InService {},
    /// Put aside what it speaks of: bypass a channel, or begin maintenance of a zone; takes two persons.
    Waive {
        /// For how long.
        for_ms: u64,
        /// Why.
        reason: String,
    },
    /// Take that back.
    EndWaiver {},
}

/// What can be asked about a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SequenceVerb {
    /// Let it cut by itself.
    Arm {},
    /// Let it only record; takes two persons.
    Disarm {},
    /// Let a finished run go; takes two persons where something was cut.
    Reset {},
    /// Stop a run before its point of no return.
    Abort {
        /// The run that was seen, or the one that runs.
        run: Option<u64>,
    },
    /// The first step of a cut by hand.
    Select {},
    /// The second step.
    Start {},
    /// Rehearse.
    Drill {},
    /// Record its proof test; takes two persons.
    ProofTested {},
}
