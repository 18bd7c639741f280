//! A configuration to start from: links and devices as found, with comments for what a person has to decide.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use super::Findings;
use crate::field::options::{Endpoint, SerialLine};
use crate::field::scan::Found;
use crate::runtime::control::protocol::parity_word;
use crate::safety::site::DeviceKind;

/// The least score with which a device is written as one; below it only as a comment.
const CERTAIN_MIN: u8 = 40;

const HEAD: &str = "\
# Written by `emberwatch scan`: what answered, and the profile that fits best. A place to start from.
# Compare each device with its name plate and with `emberwatch probe`, then decide:
#   1. the names of site, gateway, room and zones, and which zone each device watches
#   2. how often each device is read (`scan`)
#   3. rules, alarms and sequences: none are written here, so nothing is judged and nothing is cut yet.
#      config/emberwatch.toml shows each kind.

state_dir = \"/var/lib/emberwatch\"

[site]
id = \"site-1\"          # decide: goes into MQTT topics and InfluxDB tags
gateway = \"gw-1\"       # decide: this machine

[[room]]
id = \"room-1\"          # decide

[[zone]]
id = \"zone-1\"          # decide: one zone for each part that can be judged and cut alone
room = \"room-1\"
";

/// Writes the file, which must not exist.
pub(super) fn write(file: &Path, findings: &[Findings]) -> io::Result<()> {
    let text = draft(findings);
    let mut file = File::create_new(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn draft(findings: &[Findings]) -> String {
    let mut text = HEAD.to_owned();
    let mut names = BTreeMap::new();
    for (at, place) in (1..).zip(findings.iter().filter(|place| !place.found.is_empty())) {
        let link = place.link.clone().unwrap_or_else(|| format!("link-{at}"));
        text.push_str(&link_table(&link, &place.endpoint));
        for unit in &place.found {
            text.push_str(&device(&link, unit, &mut names));
        }
    }
    text
}

fn link_table(id: &str, endpoint: &Endpoint) -> String {
    let mut text = format!("\n[[link]]\nid = \"{id}\"\n");
    let kind = match endpoint {
        Endpoint::Tcp(addresses) => format!("tcp = {{ address = {} }}", quoted(&addresses.primary)),
        Endpoint::Tls { addresses, .. } => {
            format!(
                "# decide: the certificates of this TLS link\ntcp = {{ address = {} }}",
                quoted(&addresses.primary)
            )
        }
        Endpoint::RtuOverTcp { addresses, line } => {
            format!("rtu_over_tcp = {{ address = {}, {} }}", quoted(&addresses.primary), settings(*line))
        }
        Endpoint::Serial { path, line, .. } => {
            format!("serial = {{ path = {}, {} }}", quoted(&path.display().to_string()), settings(*line))
        }
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "timeout = \"500ms\"\nconnect_timeout = \"2s\"\n{kind}");
    text
}

fn settings(line: SerialLine) -> String {
    format!("baud = {}, parity = \"{}\", stop_bits = {}", line.baud, parity_word(line.parity), line.stop_bits)
}

/// Text as TOML: JSON's quoting is TOML's for all that a path or a host can hold.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn device(link: &str, unit: &Found, names: &mut BTreeMap<&'static str, u32>) -> String {
    let Some(best) = unit.candidates.first().filter(|best| CERTAIN_MIN <= best.score) else {
        return format!(
            "\n# Unit {} of {link} answers, but no profile fits well. Ask it: emberwatch probe … --unit {} --read \
             holding:0:10 --guess\n",
            unit.unit, unit.unit
        );
    };
    let kind = kind_word(best.profile.kind);
    let number = names.entry(kind).or_insert(0);
    *number += 1;
    let periods: Vec<String> = best.profile.classes().iter().map(|class| period(class)).collect();
    let mut text = format!("\n# {}: score {}", best.profile.id, best.score);
    for sentence in &best.evidence {
        let _ = write!(text, "; {}", sentence.replace(['\n', '\r'], " "));
    }
    for other in &unit.candidates[1..] {
        let _ = write!(text, "\n# or {}: score {}", other.profile.id, other.score);
    }
    let _ = write!(
        text,
        "\n[[device]]\nid = \"{kind}-{number}\"\nzone = \"zone-1\"         # decide\nlink = \"{link}\"\n\
         unit = {}\nprofile = \"{}\"\nscan = {{ {} }}\n",
        unit.unit,
        best.profile.id,
        periods.join(", ")
    );
    text
}

/// Classes are called as their maker likes; what sounds slow is read more rarely.
fn period(class: &str) -> String {
    let every = match class {
        "slow" => "15s",
        "normal" => "5s",
        _ => "1s",
    };
    format!("{} = \"{every}\"", quoted(class))
}

const fn kind_word(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Ups => "ups",
        DeviceKind::Battery => "bms",
        DeviceKind::Gas => "gas",
        DeviceKind::Smoke => "smoke",
        DeviceKind::Environment => "env",
        DeviceKind::Contact => "contact",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::field::options::Parity;
    use crate::field::profile::builtin;
    use crate::field::scan::{Candidate, Identity};

    fn found(unit: u8, profile: &str, score: u8) -> Found {
        let profile = builtin().remove(profile).unwrap().profile;
        let candidates = vec![Candidate { profile, score, evidence: vec!["it fits".to_owned()] }];
        Found { unit, greeting: Ok(vec![0]), identity: Identity::default(), candidates }
    }

    #[test]
    fn what_is_written_passes_the_check_as_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("site.toml");
        let endpoint = Endpoint::tcp("127.0.0.1:1502".to_owned());
        let units = vec![found(1, "sim-bms", 70), found(2, "sim-bms", 70), found(3, "sim-gas", 25)];
        let place = Findings { endpoint, link: None, found: units, ended: None };
        write(&file, &[place]).unwrap();
        let loaded = crate::config::load(std::slice::from_ref(&file)).unwrap();
        let devices: Vec<&str> = loaded.links[0].devices.iter().map(|device| device.name.as_str()).collect();
        assert_eq!(devices, ["bms-1", "bms-2"], "what hardly fits is only a comment");
        assert_eq!(write(&file, &[]).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_serial_line_is_written_with_its_settings() {
        let line = SerialLine { baud: 19_200, parity: Parity::Even, stop_bits: 1 };
        let text = link_table("a", &Endpoint::Serial { path: "/dev/ttyUSB0".into(), line, rs485: false });
        assert!(
            text.contains(
                "serial = { path = \"/dev/ttyUSB0\", baud = 19200, parity = \"even\", stop_bits = 1 }"
            ),
            "{text}"
        );
    }
}
