//! The states A to I of ISA-18.2, and every way from one to another. Nothing else decides about them.
//!
//! ```text
//!               cause                 acknowledge
//!   A Normal ──────────► B UnackActive ──────────► C AckActive
//!      ▲  ▲                 │    ▲  ▲ ◄── re-alarm ───┤
//!      │  │      cause gone │    │ cause              │ cause gone
//!      │  │                 ▼    │  │                 ▼
//!      │  └─ acknowledge ─ D UnackReturned     (not latched: A)
//!      └─ reset ─ F LatchedAck ◄─ acknowledge ─ E LatchedUnack   (latched, cause gone)
//!
//!   A, B, C, D ─┬─ a person shelves it ──────► G Shelved ───────┐
//!               ├─ a flood suppresses it ────► H Suppressed ────┼──► B if the cause stands, A if not:
//!               └─ a person takes it out ────► I OutOfService ──┘    never C, nobody has seen it there
//! ```

/// Where an alarm is in its life (ISA-18.2 states A to I).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AlarmState {
    /// A: no cause.
    #[default]
    Normal,
    /// B: the cause stands, nobody has seen it.
    UnackActive,
    /// C: the cause stands, somebody has seen it.
    AckActive,
    /// D: the cause has gone, nobody has seen it.
    UnackReturned,
    /// E: the cause has gone, nobody has seen it, held until reset.
    LatchedUnack,
    /// F: the cause has gone, somebody has seen it, held until reset.
    LatchedAck,
    /// G: a person does not want to hear of it for a while.
    Shelved,
    /// H: one of the many alarms of a flood; the alarm of the flood stands for it.
    Suppressed,
    /// I: out of service for maintenance.
    OutOfService,
}

impl AlarmState {
    /// Every state, in the order of their letters.
    pub const ALL: [Self; 9] = [
        Self::Normal,
        Self::UnackActive,
        Self::AckActive,
        Self::UnackReturned,
        Self::LatchedUnack,
        Self::LatchedAck,
        Self::Shelved,
        Self::Suppressed,
        Self::OutOfService,
    ];

    /// Its word in topics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::UnackActive => "unack-active",
            Self::AckActive => "ack-active",
            Self::UnackReturned => "unack-rtn",
            Self::LatchedUnack => "latched-unack",
            Self::LatchedAck => "latched",
            Self::Shelved => "shelved",
            Self::Suppressed => "suppressed",
            Self::OutOfService => "out-of-service",
        }
    }

    /// Whether the cause stands, as far as the state tells: of what is put away only the record knows.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::UnackActive | Self::AckActive)
    }

    /// Whether it is put away: listed, but not annunciated (G, H, I).
    #[must_use]
    pub const fn is_away(self) -> bool {
        matches!(self, Self::Shelved | Self::Suppressed | Self::OutOfService)
    }

    /// Whether it is annunciated (B to F).
    #[must_use]
    pub const fn is_annunciated(self) -> bool {
        !self.is_away() && !matches!(self, Self::Normal)
    }

    /// Whether it waits for somebody to see it.
    #[must_use]
    pub const fn is_unseen(self) -> bool {
        matches!(self, Self::UnackActive | Self::UnackReturned | Self::LatchedUnack)
    }

    /// The state after the cause is known to stand, or known to be gone.
    #[must_use]
    pub const fn after_cause(self, stands: bool, latched: bool) -> Self {
        match (self, stands) {
            (Self::Normal | Self::UnackReturned | Self::LatchedUnack | Self::LatchedAck, true) => {
                Self::UnackActive
            }
            (Self::UnackActive, false) if latched => Self::LatchedUnack,
            (Self::UnackActive, false) => Self::UnackReturned,
            (Self::AckActive, false) if latched => Self::LatchedAck,
            (Self::AckActive, false) => Self::Normal,
            (Self::UnackActive | Self::AckActive, true)
            | (Self::Normal | Self::UnackReturned | Self::LatchedUnack | Self::LatchedAck, false)
            | (Self::Shelved | Self::Suppressed | Self::OutOfService, _) => self,
        }
    }

    /// The state after somebody has seen it; the same where there is nothing to see.
    #[must_use]
    pub const fn after_acknowledge(self) -> Self {
        match self {
            Self::UnackActive => Self::AckActive,
            Self::UnackReturned => Self::Normal,
            Self::LatchedUnack => Self::LatchedAck,
            Self::Normal
            | Self::AckActive
            | Self::LatchedAck
            | Self::Shelved
            | Self::Suppressed
            | Self::OutOfService => self,
        }
    }

    /// The state after somebody let it go; `None` where that is not possible.
    #[must_use]
    pub const fn after_reset(self) -> Option<Self> {
        if matches!(self, Self::LatchedAck) { Some(Self::Normal) } else { None }
    }

    /// The state after it has stood for long though somebody has seen it.
    #[must_use]
    pub const fn after_re_alarm(self) -> Option<Self> {
        if matches!(self, Self::AckActive) { Some(Self::UnackActive) } else { None }
    }

    /// `to`, one of G, H, I, where it can be put away; what is latched or put away already cannot.
    #[must_use]
    pub const fn put_away(self, to: Self) -> Option<Self> {
        match self {
            Self::Normal | Self::UnackActive | Self::AckActive | Self::UnackReturned if to.is_away() => {
                Some(to)
            }
            _ => None,
        }
    }

    /// The state after it is no longer put away.
    #[must_use]
    pub const fn brought_back(self, stands: bool) -> Option<Self> {
        match (self.is_away(), stands) {
            (true, true) => Some(Self::UnackActive),
            (true, false) => Some(Self::Normal),
            (false, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AlarmState::{
        self, AckActive as C, LatchedAck as F, LatchedUnack as E, Normal as A, OutOfService as I,
        Shelved as G, Suppressed as H, UnackActive as B, UnackReturned as D,
    };

    #[test]
    fn every_state_under_every_event_is_as_in_the_picture() {
        // state: cause · gone · gone, latched · seen · reset · re-alarm · shelved · suppressed · out · back to
        type Row = (
            AlarmState,
            [AlarmState; 4],
            Option<AlarmState>,
            Option<AlarmState>,
            [Option<AlarmState>; 3],
            [Option<AlarmState>; 2],
        );
        let away = [Some(G), Some(H), Some(I)];
        let back = [Some(B), Some(A)];
        let rows: [Row; 9] = [
            (A, [B, A, A, A], None, None, away, [None; 2]),
            (B, [B, D, E, C], None, None, away, [None; 2]),
            (C, [C, A, F, C], None, Some(B), away, [None; 2]),
            (D, [B, D, D, A], None, None, away, [None; 2]),
            (E, [B, E, E, F], None, None, [None; 3], [None; 2]),
            (F, [B, F, F, F], Some(A), None, [None; 3], [None; 2]),
            (G, [G, G, G, G], None, None, [None; 3], back),
            (H, [H, H, H, H], None, None, [None; 3], back),
            (I, [I, I, I, I], None, None, [None; 3], back),
        ];
        assert_eq!(rows.map(|row| row.0), AlarmState::ALL);
        for (state, [cause, gone, gone_latched, seen], reset, re_alarm, put, brought) in rows {
            for latched in [false, true] {
                assert_eq!(state.after_cause(true, latched), cause, "{state:?}, cause, latched {latched}");
            }
            assert_eq!(state.after_cause(false, false), gone, "{state:?}, cause gone");
            assert_eq!(state.after_cause(false, true), gone_latched, "{state:?}, cause gone, latched");
            assert_eq!(state.after_acknowledge(), seen, "{state:?}, seen");
            assert_eq!(state.after_reset(), reset, "{state:?}, reset");
            assert_eq!(state.after_re_alarm(), re_alarm, "{state:?}, re-alarm");
            assert_eq!([G, H, I].map(|to| state.put_away(to)), put, "{state:?}, put away");
            assert_eq!([true, false].map(|it| state.brought_back(it)), brought, "{state:?}, brought back");
            for to in [A, B, C, D, E, F] {
                assert_eq!(state.put_away(to), None, "{to:?} is no place to put an alarm away");
            }
        }
    }

    #[test]
    fn a_state_is_annunciated_or_put_away_or_normal_and_has_a_word_of_its_own() {
        for state in AlarmState::ALL {
            let kinds = [state == A, state.is_annunciated(), state.is_away()];
            assert_eq!(kinds.iter().filter(|it| **it).count(), 1, "{state:?}");
            assert!(!state.is_active() || state.is_annunciated());
            assert!(!state.is_unseen() || state.is_annunciated());
            let same = AlarmState::ALL.iter().filter(|other| other.word() == state.word());
            assert_eq!(same.count(), 1, "{state:?}");
        }
    }

    #[test]
    fn acknowledging_never_touches_the_cause() {
        for state in AlarmState::ALL {
            assert!(!state.after_acknowledge().is_active() || state.is_active(), "{state:?}");
        }
    }
}
