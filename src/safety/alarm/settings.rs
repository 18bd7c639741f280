//! The numbers of the alarm system, with their sources. None of them decides about judging or cutting: that
//! reads findings, never alarms. So these may have defaults.

use crate::units::Millis;

/// More new alarms than this within [`FLOOD_WITHIN`] are a flood (ISA-18.2, EEMUA 191: more than one operator
/// can take).
pub const FLOOD_BEGINS: u32 = 10;

/// A flood ends when fewer new alarms than this came within [`FLOOD_WITHIN`] (ISA-18.2, EEMUA 191) …
pub const FLOOD_ENDS: u32 = 5;

/// … and has been so for this long: what is just going, with many others, need not be told any more.
pub const FLOOD_CALM: Millis = Millis::from_secs(60);

/// The time in which new alarms are counted (ISA-18.2, EEMUA 191).
pub const FLOOD_WITHIN: Millis = Millis::from_secs(600);

/// Alarms this young when a flood begins belong to it: they are one event that came in a burst. Those before
/// were told one by one, and stay.
pub const BURST_WITHIN: Millis = Millis::from_secs(10);

/// A cause that came this often …
pub const CHATTER_RISES: usize = 3;

/// … within this time chatters (ISA-18.2: three in a minute) …
pub const CHATTER_WITHIN: Millis = Millis::from_secs(60);

/// … until it has neither come nor gone for this long.
pub const CHATTER_QUIET: Millis = Millis::from_secs(60);

/// An alarm that stands for longer is stale (ISA-18.2).
pub const STALE_AFTER: Millis = Millis::from_secs(24 * 3600);

/// The longest shelf: as for every bypass, at most a shift (R15).
pub const SHELVE_MAX: Millis = Millis::from_secs(8 * 3600);

/// What stands for so long though somebody has seen it must be seen anew: by each shift.
pub const RE_ALARM: Millis = Millis::from_secs(8 * 3600);

/// The longest reason for taking an alarm out of service, in characters: one line.
pub const REASON_CHARS_MAX: usize = 200;

/// The figures are told at most this often.
pub const FIGURES_EVERY: Millis = Millis::from_secs(10);

/// What a site may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmSettings {
    /// How long an acknowledged alarm may stand until it must be seen anew.
    pub re_alarm: Millis,
    /// The longest that an alarm can be shelved, once and for all or until its cause goes.
    pub shelve_max: Millis,
    /// More new alarms of one room than this, within `flood_within`, are a flood.
    pub flood_begins: u32,
    /// A flood ends with fewer new alarms than this within `flood_within`, and fewer suppressed ones.
    /// At most `flood_begins`.
    pub flood_ends: u32,
    /// The time in which new alarms are counted.
    pub flood_within: Millis,
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self {
            re_alarm: RE_ALARM,
            shelve_max: SHELVE_MAX,
            flood_begins: FLOOD_BEGINS,
            flood_ends: FLOOD_ENDS,
            flood_within: FLOOD_WITHIN,
        }
    }
}
