//! Why a number is not to be trusted, or is not there: the closed list of words.

use std::borrow::Cow;

use crate::safety::reading::{Distrust, Doubt, Loss, ReadFault, Reading};

/// The word of a poll that delivered nothing.
#[must_use]
pub fn fault(fault: ReadFault) -> Cow<'static, str> {
    Cow::Borrowed(match fault {
        ReadFault::Timeout => "timeout",
        ReadFault::Disconnected => "disconnected",
        ReadFault::Exception(code) => return Cow::Owned(format!("modbus-exception-{code}")),
        ReadFault::Mismatch => "mismatch",
        ReadFault::Malformed => "malformed",
        ReadFault::Sentinel => "sensor-fault",
        ReadFault::NotANumber => "not-a-number",
        ReadFault::NotInService => "not-in-service",
    })
}

/// The word of a number that is not there.
#[must_use]
pub fn loss(loss: Loss) -> Cow<'static, str> {
    match loss {
        Loss::Fault(why) => fault(why),
        Loss::Stale => Cow::Borrowed("stale"),
        Loss::OutOfRange => Cow::Borrowed("out-of-range"),
        Loss::Frozen => Cow::Borrowed("frozen"),
        Loss::HeartbeatStopped => Cow::Borrowed("heartbeat-stopped"),
    }
}

/// The word of a number that something speaks against.
#[must_use]
pub const fn doubt(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::TooFast => "rate-of-change",
        Doubt::Disagrees => "disagrees",
    }
}

/// What is the matter with a number that is not believed, after the name of its point.
#[must_use]
pub const fn distrust(why: Distrust) -> &'static str {
    match why {
        Distrust::OutOfRange => "is outside of what can be",
        Distrust::Frozen => "has not moved while its siblings did",
        Distrust::HeartbeatStopped => "is old: the heartbeat of its device has stopped",
        Distrust::Disowned => "has no value, says its device",
        Distrust::TooFast => "falls faster than it can",
        Distrust::Disagrees => "reads calmer than what measures the same",
    }
}

/// The word of a point that was never read.
pub const NOT_YET_READ: &str = "not-yet-read";

/// Why a reading is not good; `None` if it is.
#[must_use]
pub fn reading(reading: &Reading) -> Option<Cow<'static, str>> {
    match *reading {
        Reading::NeverSeen => Some(Cow::Borrowed(NOT_YET_READ)),
        Reading::Good { .. } => None,
        Reading::Uncertain { why, .. } => Some(Cow::Borrowed(doubt(why))),
        Reading::Bad { why, .. } => Some(loss(why)),
    }
}

/// The word of a reading's quality.
#[must_use]
pub const fn quality(reading: &Reading) -> &'static str {
    match reading {
        Reading::NeverSeen => "never-seen",
        Reading::Good { .. } => "good",
        Reading::Uncertain { .. } => "uncertain",
        Reading::Bad { .. } => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_word() {
        let words: Vec<String> = [
            ReadFault::Timeout,
            ReadFault::Disconnected,
            ReadFault::Exception(2),
            ReadFault::Mismatch,
            ReadFault::Malformed,
            ReadFault::Sentinel,
            ReadFault::NotANumber,
            ReadFault::NotInService,
        ]
        .into_iter()
        .map(|why| loss(Loss::Fault(why)).into_owned())
        .collect();
        assert_eq!(
            words,
            [
                "timeout",
                "disconnected",
                "modbus-exception-2",
                "mismatch",
                "malformed",
                "sensor-fault",
                "not-a-number",
                "not-in-service"
            ]
        );
        assert_eq!(loss(Loss::Stale), "stale");
        assert_eq!(loss(Loss::OutOfRange), "out-of-range");
        assert_eq!(loss(Loss::Frozen), "frozen");
        assert_eq!(loss(Loss::HeartbeatStopped), "heartbeat-stopped");
        assert_eq!(doubt(Doubt::TooFast), "rate-of-change");
        assert_eq!(doubt(Doubt::Disagrees), "disagrees");
        assert_eq!(reading(&Reading::NeverSeen).as_deref(), Some("not-yet-read"));
    }
}
