//! `[nut]`: what loads, and what is complained about.

use super::*;
use crate::nut::options::{Role, StatusWord};

/// A NUT server that loads with the base.
const NUT: &str = r#"
[nut]
listen = "127.0.0.1:3493"
fsd_before = "10s"
low_battery_before = "15s"

[[nut.user]]
name = "upsmon"
password = { env = "TOKEN" }
role = "secondary"

[[nut.ups]]
id = "ups-a"
device = "bms-1"
feeds = ["row-1/a"]
status = { OB = { point = "box-1/position", is = "open" } }
variables = { "battery.temperature" = "bms-1/cell-temp-max" }
"#;

/// (what is replaced in the server, by what, the code, a part of the marked line).
const WRONG: &[(&str, &str, Code, &str)] = &[
    ("127.0.0.1:3493", "localhost:3493", Code::BadAddress, "localhost"),
    ("127.0.0.1:3493", "0.0.0.0:3493", Code::NutPlainText, "0.0.0.0"),
    ("low_battery_before = \"15s\"", "low_battery_before = \"5s\"", Code::NutUps, "low_battery_before"),
    ("fsd_before = \"10s\"\n", "", Code::MissingKey, "[nut]"),
    ("fsd_before", "connections_max = 0\nfsd_before", Code::OutOfRange, "connections_max"),
    ("fsd_before", "idle_timeout = \"1s\"\nfsd_before", Code::OutOfRange, "idle_timeout"),
    ("fsd_before", "fsd = 1\nfsd_before", Code::UnknownKey, "fsd = 1"),
    ("name = \"upsmon\"", "name = \"ups mon\"", Code::SecretForm, "ups mon"),
    ("{ env = \"TOKEN\" }", "\"correct-horse\"", Code::PlainSecret, "password"),
    ("\"secondary\"", "\"slave\"", Code::BadWord, "slave"),
    ("device = \"bms-1\"", "device = \"bms-9\"", Code::UnknownName, "bms-9"),
    ("device = \"bms-1\"", "zone = \"rack-1\"\ndevice = \"bms-1\"", Code::KindCount, "[[nut.ups]]"),
    ("device = \"bms-1\"\n", "", Code::KindCount, "[[nut.ups]]"),
    ("row-1/a", "row-1/c", Code::LoadGroup, "row-1/c"),
    ("OB =", "FSD =", Code::UnknownKey, "FSD"),
    ("OB =", "ALARM =", Code::UnknownKey, "ALARM"),
    ("\"battery.temperature\"", "\"ups.status\"", Code::NutVariable, "ups.status"),
    ("\"battery.temperature\"", "\"batery.temperature\"", Code::NutVariable, "batery"),
    ("\"battery.temperature\"", "\"battery.voltage\"", Code::NutVariable, "battery.voltage"),
    ("\"bms-1/cell-temp-max\"", "\"bms-1/cell-temp-mux\"", Code::UnknownName, "cell-temp-mux"),
];

/// The base, whose sequence cuts feed a, with a server.
fn with(nut: &str) -> String {
    format!("{}\n{nut}", BASE.replace("cuts = \"battery\"", "cuts = [\"row-1/a\"]"))
}

#[test]
fn a_server_loads_with_its_users_and_upses() {
    let loaded = load_texts(&[&with(NUT)]).unwrap();
    assert_eq!(loaded.warnings.warnings(), 0, "{}", loaded.warnings.render(Look::Plain));
    let nut = loaded.nut.unwrap();
    assert_eq!((nut.fsd_before.0, nut.connections_max, nut.idle_timeout.0), (10_000, 256, 300_000));
    assert_eq!(nut.users[0].role, Role::Secondary);
    let ups = &nut.upses[0];
    assert_eq!((ups.name.as_str(), ups.feeds.len(), ups.variables.len()), ("ups-a", 1, 1));
    assert_eq!(ups.status[0].0, StatusWord::OnBattery);
    let plain =
        NUT.replace("127.0.0.1", "0.0.0.0").replace("fsd_before", "allow_plaintext = true\nfsd_before");
    assert!(load_texts(&[&with(&plain)]).is_ok());
}

#[test]
fn what_does_not_fit_is_found() {
    for (from, to, code, marked) in WRONG {
        assert!(NUT.contains(from), "{from}");
        let text = with(&NUT.replacen(from, to, 1));
        let found = complaints(&[&text]);
        assert!(codes(&found).contains(code), "{to}\nwanted {code}, found\n{found}");
        let at = text.lines().nth(line(&found, *code) - 1).unwrap();
        assert!(at.contains(marked), "{code} marks `{at}`");
    }
    let nothing = with("[nut]\nlisten = \"127.0.0.1:0\"\nfsd_before = \"1s\"\n");
    assert_eq!(codes(&complaints(&[&nothing])), [Code::NutUps]);
}

#[test]
fn a_zone_without_devices_must_show_that_it_is_there() {
    let empty = NUT
        .replace("device = \"bms-1\"", "zone = \"rack-2\"")
        .replace("status = { OB = { point = \"box-1/position\", is = \"open\" } }\n", "")
        .replace("variables = { \"battery.temperature\" = \"bms-1/cell-temp-max\" }\n", "");
    assert_eq!(codes(&complaints(&[&with(&empty)])), [Code::NutUps]);
}

#[test]
fn a_sequence_that_leaves_machines_little_time_is_doubtful() {
    let text =
        with(&NUT.replace("fsd_before = \"10s\"\nlow_battery_before = \"15s\"", "fsd_before = \"16s\""));
    let loaded = load_texts(&[&text]).unwrap();
    assert_eq!(codes(&loaded.warnings), [Code::ShortNotice]);
}

#[test]
fn a_stage_waits_for_the_machines_of_a_ups_that_there_is() {
    let wait = |ups: &str| {
        let key = format!("\ndelay = \"0s\"\nwait_for_logins = {{ ups = \"{ups}\", at_most = \"60s\" }}\n");
        with(NUT).replacen("\ndelay = \"0s\"\n", &key, 1)
    };
    let loaded = load_texts(&[&wait("ups-a")]).unwrap();
    let stage = &loaded.site.sequences[0].stages[0];
    assert_eq!(stage.login_wait(), Millis::from_secs(60));
    assert_eq!(codes(&complaints(&[&wait("ups-b")])), [Code::UnknownName]);
}

/// The codes of these cases.
pub(super) fn reached() -> BTreeSet<Code> {
    let mut reached: BTreeSet<Code> = WRONG.iter().map(|case| case.2).collect();
    reached.insert(Code::ShortNotice);
    reached
}
