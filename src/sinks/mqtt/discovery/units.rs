//! Units and kinds of device as Home Assistant knows them.
//!
//! A device class allows certain units only, and another unit with it is an error there: the pairs below are those of its
//! table of sensor device classes. Where it has no class for a quantity, the number is shown with its unit and without one.

use crate::safety::site::DeviceKind;
use crate::units::Unit;

/// Device class and unit of a number; `None` where there is none.
pub(super) fn class_and_unit(
    unit: Unit,
    kind: DeviceKind,
    point: &str,
) -> (Option<&'static str>, Option<&'static str>) {
    match unit {
        Unit::None => (None, None),
        Unit::Celsius => (Some("temperature"), Some("°C")),
        Unit::Volt => (Some("voltage"), Some("V")),
        Unit::Ampere => (Some("current"), Some("A")),
        Unit::Watt => (Some("power"), Some("W")),
        Unit::Percent => (percentage(kind, point), Some("%")),
        Unit::Second => (Some("duration"), Some("s")),
        Unit::Minute => (Some("duration"), Some("min")),
        Unit::Hertz => (Some("frequency"), Some("Hz")),
        // It knows no class for these; its `gas` is a volume.
        Unit::PercentLfl
        | Unit::Ppm
        | Unit::ObscurationPerMetre
        | Unit::Kiloohm
        | Unit::AmpereHour
        | Unit::Rpm => (None, Some(unit.symbol())),
    }
}

/// What a percentage is of: charge of a battery or UPS, humidity of a room.
fn percentage(kind: DeviceKind, point: &str) -> Option<&'static str> {
    let says = |word: &str| point.split('-').any(|part| part == word);
    match kind {
        DeviceKind::Battery | DeviceKind::Ups if says("soc") || says("charge") => Some("battery"),
        DeviceKind::Environment if says("humidity") || says("rh") => Some("humidity"),
        DeviceKind::Ups
        | DeviceKind::Battery
        | DeviceKind::Gas
        | DeviceKind::Smoke
        | DeviceKind::Environment
        | DeviceKind::Contact => None,
    }
}

/// The class of what a detector of this kind trips on.
pub(super) const fn trip_class(kind: DeviceKind) -> Option<(&'static str, &'static str)> {
    match kind {
        DeviceKind::Smoke => Some(("smoke", "Smoke")),
        DeviceKind::Gas => Some(("gas", "Gas")),
        DeviceKind::Ups | DeviceKind::Battery | DeviceKind::Environment | DeviceKind::Contact => None,
    }
}
