//! The names of NUT (RFC 9271): which variables there are, in which unit, and what they mean.
//!
//! Names are given by the configuration; this page knows the unit a standard name implies, so that volts are never
//! shown as per cent, and a sentence for those that are common.

use crate::units::Unit;

/// First words of the names of variables.
pub const DOMAINS: [&str; 8] =
    ["device", "ups", "input", "output", "battery", "ambient", "outlet", "experimental"];

/// Names that emberwatch gives itself: they cannot be configured.
pub const OWN: [&str; 8] = [
    "ups.status",
    "ups.alarm",
    "ups.timer.shutdown",
    "device.type",
    "device.description",
    "device.location",
    "driver.name",
    "driver.version",
];

/// The longest name.
const NAME_CHARS_MAX: usize = 64;

/// Common names and what they mean.
const MEANINGS: &[(&str, &str)] = &[
    ("ups.status", "UPS status; FSD: shut down now"),
    ("ups.alarm", "What emberwatch has to say of this UPS and its zone"),
    ("ups.timer.shutdown", "Time before the feed of the load is cut, at the earliest (seconds)"),
    ("ups.load", "Load on UPS (percent of full)"),
    ("ups.temperature", "UPS temperature (degrees C)"),
    ("ups.realpower", "Current value of real power (Watts)"),
    ("device.type", "Device type"),
    ("device.description", "Device description"),
    ("device.location", "Device physical location"),
    ("driver.name", "Who serves this UPS"),
    ("driver.version", "Its version"),
    ("input.voltage", "Input voltage"),
    ("input.current", "Input current"),
    ("input.frequency", "Input line frequency (Hz)"),
    ("output.voltage", "Output voltage"),
    ("output.current", "Output current"),
    ("output.frequency", "Output frequency (Hz)"),
    ("battery.charge", "Battery charge (percent of full)"),
    ("battery.voltage", "Battery voltage"),
    ("battery.current", "Battery current; positive charges"),
    ("battery.temperature", "Battery temperature (degrees C)"),
    ("battery.runtime", "Battery runtime (seconds)"),
    ("ambient.temperature", "Ambient temperature (degrees C)"),
    ("ambient.humidity", "Ambient relative humidity (percent)"),
];

/// What a variable means; `Unavailable` for names nobody has described, as upsd says.
#[must_use]
pub fn meaning(name: &str) -> &'static str {
    MEANINGS.iter().find(|(known, _)| *known == name).map_or("Unavailable", |(_, meaning)| meaning)
}

/// Whether this can be the name of a variable: words of a known domain, joined by dots.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut words = name.split('.');
    let domain = words.next().is_some_and(|word| DOMAINS.contains(&word));
    let mut rest = words.peekable();
    name.len() <= NAME_CHARS_MAX
        && domain
        && rest.peek().is_some()
        && rest.all(|word| !word.is_empty() && word.chars().all(good))
}

/// The units a point may have to be shown under this name; `None` where the name implies none.
#[must_use]
pub fn units(name: &str) -> Option<&'static [Unit]> {
    // "input.voltage.minimum" is a voltage too: the last word that implies a unit counts.
    name.split('.').rev().find_map(|word| match word {
        "voltage" => Some(&[Unit::Volt] as &[Unit]),
        "current" => Some(&[Unit::Ampere]),
        "temperature" => Some(&[Unit::Celsius]),
        "frequency" => Some(&[Unit::Hertz]),
        "realpower" => Some(&[Unit::Watt]),
        "charge" | "load" | "humidity" => Some(&[Unit::Percent]),
        "capacity" => Some(&[Unit::AmpereHour]),
        "runtime" => Some(&[Unit::Second, Unit::Minute]),
        _ => None,
    })
}

/// What a value of this unit is multiplied with to be one of NUT's, which counts run times in seconds.
#[must_use]
pub const fn factor(unit: Unit) -> f64 {
    match unit {
        Unit::Minute => 60.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_words_of_a_known_domain() {
        for name in ["battery.charge", "input.L1-N.voltage", "ambient.1.temperature", "outlet.2.status"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["battery", "battery.", "batery.charge", "server.info", "ups..load", "ups.lo ad", ""] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_name_implies_its_unit() {
        assert_eq!(units("input.voltage.minimum"), Some(&[Unit::Volt] as &[Unit]));
        assert_eq!(units("battery.runtime"), Some(&[Unit::Second, Unit::Minute] as &[Unit]));
        assert_eq!(units("battery.date"), None);
        assert!((factor(Unit::Minute) - 60.0).abs() < f64::EPSILON);
    }
}
