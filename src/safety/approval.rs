//! What one person alone may not do (R15): disarm a sequence, let go of a cut that was carried out, put aside a channel
//! of a vote or the cuts of a zone.
//!
//! The first request is a proposal: it changes nothing and is told. The same request of another person, in time and with
//! nothing changed since, carries it out. Each proposal serves once. A restart forgets them: the worst case is that two
//! people ask again.

use crate::safety::fact::{Operator, Refusal, Request};
use crate::units::{Millis, Uptime};

/// How long a proposal waits for the second person.
pub(crate) const APPROVE_WITHIN: Millis = Millis::from_secs(60);

/// The most proposals that wait at a time; the oldest is forgotten first.
const OPEN_MAX: usize = 64;

/// What somebody proposed.
#[derive(Clone, Debug)]
struct Proposal {
    by: Operator,
    request: Request,
    /// The state of its target that was seen.
    version: u64,
    until: Uptime,
}

/// Proposals that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Approvals {
    open: Vec<Proposal>,
}

/// What a request is that takes two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The first half: it waits until then.
    Proposed(Uptime),
    /// The second half: it is to be carried out. Who asked first.
    Approved(Operator),
}

impl Approvals {
    /// Takes in one half. `version` is the state of the target now.
    ///
    /// # Errors
    /// `OutOfDate` where something has changed since it was proposed; that proposal is gone then.
    pub(super) fn hear(
        &mut self,
        by: &Operator,
        request: &Request,
        version: u64,
        now: Uptime,
    ) -> Result<Heard, Refusal> {
        self.open.retain(|proposal| now <= proposal.until);
        let is_other = |open: &Proposal| person(&open.by) != person(by);
        let other = self.open.iter().position(|open| open.request.is_like(request) && is_other(open));
        if let Some(place) = other {
            let proposal = self.open.remove(place);
            return if proposal.version == version {
                Ok(Heard::Approved(proposal.by))
            } else {
                Err(Refusal::OutOfDate)
            };
        }
        self.open.retain(|proposal| !proposal.request.is_like(request));
        if self.open.len() == OPEN_MAX {
            self.open.remove(0);
        }
        let until = now.plus(APPROVE_WITHIN);
        self.open.push(Proposal { by: by.clone(), request: request.clone(), version, until });
        Ok(Heard::Proposed(until))
    }
}

impl Request {
    /// Whether two persons who ask this want the same; each may have words of their own for why.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Waive { alarm, lasting, .. },
                Self::Waive { alarm: other_alarm, lasting: other_lasting, .. },
            ) => alarm == other_alarm && lasting == other_lasting,
            _ => self == other,
        }
    }
}

/// The person behind a name: `kim` on the page and `local:kim` at the terminal are one.
fn person(name: &str) -> &str {
    name.strip_prefix("local:").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::site::SequenceId;

    const DISARM: Request = Request::Disarm { sequence: SequenceId(0) };
    const RESET: Request = Request::ResetSequence { sequence: SequenceId(0) };

    /// Who asks what, of which version, at which second; and what comes of it.
    fn heard(half: &[(&str, Request, u64, u64)]) -> Vec<Result<Heard, Refusal>> {
        let mut approvals = Approvals::default();
        let one = |(by, request, version, second): &(&str, Request, u64, u64)| {
            approvals.hear(&Operator::from(*by), request, *version, Uptime(second * 1000))
        };
        half.iter().map(one).collect()
    }

    #[test]
    fn s15_two_persons_in_time_with_nothing_changed_and_once() {
        let approved = |first: &str| Ok(Heard::Approved(Operator::from(first)));
        let proposed = |second: u64| Ok(Heard::Proposed(Uptime(second * 1000 + 60_000)));
        for (what, halves, expected) in [
            (
                "two persons",
                vec![("a", DISARM, 1, 0), ("b", DISARM, 1, 60)],
                vec![proposed(0), approved("a")],
            ),
            (
                "one person twice",
                vec![("a", DISARM, 1, 0), ("a", DISARM, 1, 5)],
                vec![proposed(0), proposed(5)],
            ),
            ("too late", vec![("a", DISARM, 1, 0), ("b", DISARM, 1, 61)], vec![proposed(0), proposed(61)]),
            (
                "something changed",
                vec![("a", DISARM, 1, 0), ("b", DISARM, 2, 5), ("b", DISARM, 2, 6), ("a", DISARM, 2, 7)],
                vec![proposed(0), Err(Refusal::OutOfDate), proposed(6), approved("b")],
            ),
            ("something else", vec![("a", DISARM, 1, 0), ("b", RESET, 1, 5)], vec![proposed(0), proposed(5)]),
            (
                "one person by two ways",
                vec![("a", DISARM, 1, 0), ("local:a", DISARM, 1, 5), ("local:b", DISARM, 1, 6)],
                vec![proposed(0), proposed(5), approved("local:a")],
            ),
            (
                "used once",
                vec![("a", DISARM, 1, 0), ("b", DISARM, 1, 5), ("b", DISARM, 1, 6)],
                vec![proposed(0), approved("a"), proposed(6)],
            ),
        ] {
            assert_eq!(heard(&halves), expected, "{what}");
        }
    }

    #[test]
    fn x7_random_halves_never_make_a_whole_of_one_person() {
        let mut state = 11_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut approvals = Approvals::default();
        let people = ["a", "b", "c"];
        // What was proposed since it was last carried out: who, of which version, when.
        let mut book: Vec<(usize, u64, u64, u64)> = Vec::new();
        let (mut now, mut version) = (0, 0);
        for _ in 0..1_000_000 {
            now += next(20_000);
            version += u64::from(next(10) == 0);
            let (who, which) = (usize::try_from(next(3)).expect("small"), next(4));
            let request = Request::Disarm { sequence: SequenceId(u32::try_from(which).expect("small")) };
            let said = approvals.hear(&Operator::from(people[who]), &request, version, Uptime(now));
            match said {
                Ok(Heard::Proposed(_)) => book.push((who, which, version, now)),
                Ok(Heard::Approved(_)) => {
                    let fits = |half: &&(usize, u64, u64, u64)| {
                        half.0 != who && half.1 == which && half.2 == version && now - half.3 <= 60_000
                    };
                    assert!(book.iter().any(|half| fits(&half)), "S15 at {now}");
                    book.retain(|half| half.1 != which);
                }
                Err(_) => book.retain(|half| half.1 != which),
            }
        }
    }
}
