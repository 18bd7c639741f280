//! Labels of time: RFC 3339, UTC, always three decimals.

use jiff::Timestamp;

use crate::units::{Now, Uptime, WallTime};

/// `2026-11-22T17:42:05.120Z`. A time that no calendar has is clamped to the nearest one it has.
#[must_use]
pub fn rfc3339(wall: WallTime) -> String {
    let nearest = if wall.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let at = Timestamp::from_millisecond(wall.0).unwrap_or(nearest);
    format!("{at:.3}")
}

/// The moment that a label says; `None` if it is none.
#[must_use]
pub fn parse(label: &str) -> Option<WallTime> {
    label.parse::<Timestamp>().ok().map(|at| WallTime(at.as_millisecond()))
}

/// The label of a moment of the monotonic clock, past or to come, as the wall clock reads now.
#[must_use]
pub fn wall_at(now: Now, at: Uptime) -> WallTime {
    let ahead = i64::try_from(at.since(now.uptime).0).unwrap_or(i64::MAX);
    let behind = i64::try_from(now.uptime.since(at).0).unwrap_or(i64::MAX);
    WallTime(now.wall.0.saturating_add(ahead).saturating_sub(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_utc_with_three_decimals() {
        assert_eq!(rfc3339(WallTime(1_795_369_325_120)), "2026-11-22T17:42:05.120Z");
        assert_eq!(rfc3339(WallTime(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(WallTime(-1)), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_label_is_read_back_whatever_its_offset_and_nothing_else_is() {
        assert_eq!(parse("2026-11-22T17:42:05.120Z"), Some(WallTime(1_795_369_325_120)));
        assert_eq!(parse("2026-11-22T18:42:05.120+01:00"), Some(WallTime(1_795_369_325_120)));
        for bad in ["", "now", "2026-11-22", "2026-11-22T17:42:05", "1795369325"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_impossible_time_is_clamped_and_never_panics() {
        assert!(rfc3339(WallTime(i64::MAX)).starts_with("9999-"));
        assert!(!rfc3339(WallTime(i64::MIN)).is_empty());
    }

    #[test]
    fn moments_before_and_after_now_are_labelled_from_now() {
        let now = Now { uptime: Uptime(10_000), wall: WallTime(1_000_000) };
        assert_eq!(wall_at(now, Uptime(9_000)), WallTime(999_000));
        assert_eq!(wall_at(now, Uptime(12_500)), WallTime(1_002_500));
        assert_eq!(wall_at(now, Uptime(u64::MAX)).0, i64::MAX);
    }
}
