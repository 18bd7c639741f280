//! Quantities that cannot be confused: finite values, units, and the two kinds of time.
//!
//! `Uptime` decides: it counts milliseconds of `CLOCK_BOOTTIME`, which goes on during suspend and never
//! steps. `WallTime` only labels records for people; it has no ordering, so that a stepped clock can
//! neither trip nor mask anything (invariants S17, R13).
//! A `Value` is always finite: NaN and infinity stop at the decoder and become a reason instead.

use std::fmt;

/// A finite number as a device sent it, in the unit of its point.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Value(f64);

impl Value {
    /// `None` for NaN and infinities: there is no such measurement.
    #[must_use]
    pub fn new(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self(number))
    }

    /// The number, in the unit of its point.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// The span in seconds, for rates.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "spans below 2^53 ms (285,000 years) are exact")]
        let ms = self.0 as f64;
        ms / 1000.0
    }

    /// At least so many minutes, rounded up; none for a negative number, the longest for one that is none.
    #[must_use]
    pub fn after_minutes(minutes: f64) -> Self {
        let ms = (minutes * 60_000.0).ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as is said")]
        if ms.is_nan() { Self(u64::MAX) } else { Self(ms as u64) }
    }

    /// Both spans together, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This span `times` over, saturating.
    #[must_use]
    pub const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if 0 < ms && ms % 1000 == 0 => write!(f, "{} s", ms / 1000),
            ms => write!(f, "{ms} ms"),
        }
    }
}

/// Milliseconds of `CLOCK_BOOTTIME`. The only time that decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uptime(pub u64);

impl Uptime {
    /// How long `earlier` is past; zero if it is not past yet.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    /// This moment and `span` more.
    #[must_use]
    pub const fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// Milliseconds since 1970-01-01 UTC. A label: deliberately without an ordering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallTime(pub i64);

/// One moment under both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// What decides.
    pub uptime: Uptime,
    /// What labels.
    pub wall: WallTime,
}

impl Now {
    /// By how many milliseconds the wall clock was set since `earlier`, beyond what the monotonic clock counted; negative: back.
    #[must_use]
    pub fn stepped_since(self, earlier: Self) -> i64 {
        let counted = i64::try_from(self.uptime.since(earlier.uptime).0).unwrap_or(i64::MAX);
        self.wall.0.saturating_sub(earlier.wall.0).saturating_sub(counted)
    }
}

/// Whether something outside keeps the wall clock right. It says how far labels of time can be believed; nothing is
/// decided by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockSync {
    /// Set by a time source not long ago.
    Synchronised,
    /// No time source has set it, or the last one is silent for too long.
    Unsynchronised,
    /// Nothing on this machine tells.
    #[default]
    Unknown,
}

impl ClockSync {
    /// Its word in documents.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Synchronised => "synchronised",
            Self::Unsynchronised => "unsynchronised",
            Self::Unknown => "unknown",
        }
    }
}

/// The unit of a point. Printed as UCUM codes, the codes that telemetry standards use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// A state, a count or a code: no unit.
    #[default]
    None,
    /// Degrees Celsius.
    Celsius,
    /// Volts.
    Volt,
    /// Amperes; positive charges a battery.
    Ampere,
    /// Watts.
    Watt,
    /// Per cent.
    Percent,
    /// Per cent of the lower flammability limit.
    PercentLfl,
    /// Parts per million by volume.
    Ppm,
    /// Per cent obscuration per metre.
    ObscurationPerMetre,
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hertz.
    Hertz,
    /// Kiloohms.
    Kiloohm,
    /// Ampere hours.
    AmpereHour,
    /// Revolutions per minute.
    Rpm,
}

impl Unit {
    /// Every unit with its name in configuration and profiles, its UCUM code, and how people read it.
    pub const TABLE: [(Self, &'static str, &'static str, &'static str); 15] = [
        (Self::None, "none", "1", ""),
        (Self::Celsius, "degC", "Cel", "°C"),
        (Self::Volt, "V", "V", "V"),
        (Self::Ampere, "A", "A", "A"),
        (Self::Watt, "W", "W", "W"),
        (Self::Percent, "%", "%", "%"),
        (Self::PercentLfl, "%LFL", "%{LFL}", "%LFL"),
        (Self::Ppm, "ppm", "[ppm]", "ppm"),
        (Self::ObscurationPerMetre, "%/m", "%/m", "%/m"),
        (Self::Second, "s", "s", "s"),
        (Self::Minute, "min", "min", "min"),
        (Self::Hertz, "Hz", "Hz", "Hz"),
        (Self::Kiloohm, "kOhm", "kOhm", "kΩ"),
        (Self::AmpereHour, "Ah", "A.h", "Ah"),
        (Self::Rpm, "rpm", "{rpm}", "rpm"),
    ];

    fn row(self) -> (Self, &'static str, &'static str, &'static str) {
        Self::TABLE.into_iter().find(|row| row.0 == self).unwrap_or(Self::TABLE[0])
    }

    /// The unit with this name in configuration and profiles (`degC`, `V`, `%LFL` …).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::TABLE.into_iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// Its name in configuration and profiles.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Its UCUM code, as published.
    #[must_use]
    pub fn ucum(self) -> &'static str {
        self.row().2
    }

    /// As people read it, with symbols.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        self.row().3
    }
}
