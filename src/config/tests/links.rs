//! Links of every kind, and the worst case on paper.

use super::corpus::{Case, changed, check};
use super::*;
use crate::field::options::{Addresses, Endpoint, Parity, SerialLine};

const TCP: &str = "[link.tcp]\naddress = \"127.0.0.1:1502\"\n";
const SERIAL: &str =
    "[link.serial]\npath = \"/dev/serial/by-id/a\"\nbaud = 115200\nparity = \"even\"\nstop_bits = 1\n";
const SITE: &str = "gateway = \"gw-1\"\n";

const LINKS: &[Case] = &[
    (TCP, "", Code::KindCount, "[[link]]"),
    (TCP, "tcp = { address = \"h:1\" }\ntls = { }\n", Code::KindCount, "[[link]]"),
    (TCP, "[link.tcp]\naddress = \"Plant:502\"\nbackup = \"plant:502\"\n", Code::SameBackup, "backup"),
    (TCP, "[link.tcp]\naddress = \"h:1\"\nbackup = \"h\"\n", Code::BadAddress, "backup"),
    (
        "",
        "[[link]]\nid = \"b\"\ntimeout = \"1s\"\nconnect_timeout = \"1s\"\n\
         tcp = { address = \"h:1\", backup = \"127.0.0.1:1502\" }\n",
        Code::AddressTaken,
        "backup",
    ),
    (TCP, "ignore_transaction_ids = true\n[link.tcp]\naddress = \"h:1\"\n", Code::IdsIgnored, "action"),
    (TCP, "pipeline = 17\n[link.tcp]\naddress = \"h:1\"\n", Code::OutOfRange, "pipeline"),
    (TCP, "pipeline = 0\n[link.tcp]\naddress = \"h:1\"\n", Code::OutOfRange, "pipeline"),
    (
        TCP,
        "pipeline = 2\n[link.rtu_over_tcp]\naddress = \"h:1\"\nbaud = 115200\nparity = \"odd\"\nstop_bits = 2\n",
        Code::SerialPipeline,
        "pipeline",
    ),
    (
        TCP,
        "[link.serial]\npath = \"/dev/ttyUSB7\"\nbaud = 115200\nparity = \"none\"\nstop_bits = 1\n",
        Code::UnstablePort,
        "path",
    ),
    (
        TCP,
        "[link.serial]\npath = \"ttyS0\"\nbaud = 115200\nparity = \"none\"\nstop_bits = 1\n",
        Code::NotAbsolute,
        "path",
    ),
    (
        TCP,
        "[link.serial]\npath = \"/dev/ttyS0\"\nbaud = 9600\nparity = \"mark\"\nstop_bits = 1\n",
        Code::BadWord,
        "parity",
    ),
    (
        TCP,
        "[link.serial]\npath = \"/dev/ttyS0\"\nbaud = 9600\nparity = \"none\"\nstop_bits = 3\n",
        Code::OutOfRange,
        "stop_bits",
    ),
    (
        TCP,
        "[link.serial]\npath = \"/dev/ttyS0\"\nparity = \"none\"\nstop_bits = 1\n",
        Code::MissingKey,
        "[link.serial]",
    ),
    (
        TCP,
        "[link.tls]\naddress = \"plant\"\nca = \"/nonexistent\"\ncertificate = \"/nonexistent\"\nkey = \"/nonexistent\"\n",
        Code::TlsFile,
        "nonexistent",
    ),
    (TCP, "[link.tls]\naddress = \"plant\"\n", Code::MissingKey, "[link.tls]"),
    (
        "",
        "[[device]]\nid = \"t\"\nzone = \"rack-1\"\nlink = \"room\"\nunit = 99\nprofile = \"torn\"\n\
         scan = { fast = \"1s\", slow = \"2s\" }\n",
        Code::TornGroup,
        "torn",
    ),
    (
        TCP,
        "[link.rtu_over_tcp]\naddress = \"h:1\"\nbaud = 1200\nparity = \"none\"\nstop_bits = 1\n",
        Code::LinkOverload,
        "id = \"room\"",
    ),
    (SITE, "gateway = \"gw-1\"\n[site.limits]\nfirst_alert = \"4s\"\n", Code::LimitMissed, "first_alert"),
    (
        SITE,
        "gateway = \"gw-1\"\n[site.limits]\nfirst_breaker_frame = \"20s\"\n",
        Code::LimitMissed,
        "first_breaker_frame",
    ),
    (SITE, "gateway = \"gw-1\"\n[site.limits]\nfirst_alarm = \"9s\"\n", Code::UnknownKey, "first_alarm"),
    (SITE, "gateway = \"gw-1\"\n[site.limits]\nfirst_alert = \"0s\"\n", Code::OutOfRange, "first_alert"),
];

/// The base with a serial line instead of TCP, and one more thing changed.
fn serial(old: &str, new: &str) -> Complaints {
    let text = changed(TCP, SERIAL);
    assert!(text.contains(old));
    complaints(&[&text.replacen(old, new, 1)])
}

const SECOND_LINE: &str =
    "[[link]]\nid = \"b\"\ntimeout = \"1s\"\nconnect_timeout = \"1s\"\n[[device]]\nid = \"bms-1\"\n";

fn port_twice() -> Complaints {
    let second = SECOND_LINE.replacen("[[device]]", &format!("{SERIAL}[[device]]"), 1);
    serial("[[device]]\nid = \"bms-1\"\n", &second)
}

/// The codes of the cases in this file.
pub(super) fn reached() -> BTreeSet<Code> {
    let mut reached: BTreeSet<Code> = LINKS.iter().map(|case| case.2).collect();
    reached.extend(codes(&serial("unit = 1\n", "unit = 0\n")));
    reached.extend(codes(&port_twice()));
    reached
}

#[test]
fn links_that_are_wrong_are_found() {
    check(LINKS);
}

#[test]
fn a_serial_line_has_one_owner_and_units_from_1_to_247() {
    assert_eq!(codes(&serial("unit = 1\n", "unit = 1\n")), []);
    for unit in ["0", "248", "255"] {
        assert_eq!(codes(&serial("unit = 1\n", &format!("unit = {unit}\n"))), [Code::SerialUnit], "{unit}");
    }
    assert_eq!(codes(&serial("unit = 1\n", "unit = 247\n")), []);
    let twice = port_twice();
    assert_eq!(codes(&twice), [Code::PortTaken]);
    assert!(twice.list[0].also.is_some(), "both places are named");
}

#[test]
fn an_unstable_port_is_told_its_stable_names() {
    let text = changed(TCP, &SERIAL.replacen("/dev/serial/by-id/a", "/dev/ttyACM3", 1));
    let found = complaints(&[&text]);
    assert_eq!(codes(&found), [Code::UnstablePort]);
    assert!(found.list[0].help.contains("/dev/serial/by-id/"), "{found}");
}

#[test]
fn every_kind_of_link_arrives_as_written() {
    let line = SerialLine { baud: 19_200, parity: Parity::Even, stop_bits: 1 };
    let set = "baud = 19200\nparity = \"even\"\nstop_bits = 1\n";
    let addresses = |primary: &str, backup: Option<&str>| Addresses {
        primary: primary.to_owned(),
        backup: backup.map(str::to_owned),
    };
    for (text, expected) in [
        (
            "[link.tcp]\naddress = \"a:502\"\nbackup = \"b:502\"\n".to_owned(),
            Endpoint::Tcp(addresses("a:502", Some("b:502"))),
        ),
        (
            format!("[link.rtu_over_tcp]\naddress = \"[::1]:4001\"\n{set}"),
            Endpoint::RtuOverTcp { addresses: addresses("[::1]:4001", None), line },
        ),
        (
            format!("[link.serial]\npath = \"/dev/ttyS1\"\nrs485 = true\n{set}"),
            Endpoint::Serial { path: "/dev/ttyS1".into(), line, rs485: true },
        ),
    ] {
        let loaded = load_texts(&[&changed(TCP, &text)]).unwrap_or_else(|complaints| panic!("{complaints}"));
        assert_eq!((&loaded.links[0].endpoint, loaded.links[0].pipeline), (&expected, 1));
    }
    let piped = load_texts(&[&changed("[link.tcp]", "pipeline = 8\n[link.tcp]")]).unwrap();
    assert_eq!(piped.links[0].pipeline, 8);
}

#[test]
fn the_port_of_secure_links_may_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pem");
    std::fs::write(&file, "-----BEGIN X-----").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let path = file.display();
    let files = format!("ca = \"{path}\"\ncertificate = \"{path}\"\nkey = \"{path}\"\n");
    let text = format!("[link.tls]\naddress = \"plant\"\nbackup = \"[::1]\"\nserver_name = \"gw\"\n{files}");
    let loaded = load_texts(&[&changed(TCP, &text)]).unwrap_or_else(|complaints| panic!("{complaints}"));
    let Endpoint::Tls { addresses, tls } = &loaded.links[0].endpoint else { panic!("not tls") };
    assert_eq!((addresses.primary.as_str(), addresses.backup.as_deref()), ("plant:802", Some("[::1]:802")));
    assert_eq!((tls.server_name.as_deref(), &tls.key), (Some("gw"), &file));
    let text = text.replacen("\"gw\"", "\"g w\"", 1);
    assert_eq!(codes(&complaints(&[&changed(TCP, &text)])), [Code::BadAddress]);
}

#[test]
fn a_limit_that_can_be_missed_is_said_with_sequence_link_and_figures() {
    let limits = |alert: &str, frame: &str| {
        let limits = format!("[site.limits]\nfirst_alert = \"{alert}\"\nfirst_breaker_frame = \"{frame}\"\n");
        changed(SITE, &format!("{SITE}{limits}"))
    };
    let loaded = load_texts(&[&limits("10s", "60s")]).unwrap_or_else(|complaints| panic!("{complaints}"));
    assert_eq!(loaded.limits.first_alert, Some(Millis(10_000)));
    let found = complaints(&[&limits("2s", "60s")]);
    assert_eq!(codes(&found), [Code::LimitMissed]);
    let sentence = &found.list[0].sentence;
    for word in ["`cut`", "link `room`", "an alert", " s"] {
        assert!(sentence.contains(word), "{sentence}");
    }
    assert_eq!(found.list[0].label, "the site states 2 s");
}

#[test]
fn the_way_to_the_first_frame_is_the_sum_of_its_parts() {
    let loaded = load_texts(&[BASE]).unwrap();
    let cut = &loaded.budget.sequences[0];
    let sum: u64 = cut.parts.iter().map(|part| part.lasts.unwrap().0).sum();
    assert_eq!(cut.frame.dying, Some(Millis(sum)));
    let countdown = cut.parts.iter().find(|part| part.what == "countdown").unwrap();
    assert_eq!(countdown.lasts, Some(Millis(15_000)));
    assert!(cut.alert.alive < cut.alert.dying && cut.alert.dying < cut.frame.alive);
    // Both channels: one period of 1 s until it is read, 3 s of delay, another sample, and a scan.
    let alert = cut.alert.alive.unwrap().0;
    assert!((5_100..6_000).contains(&alert), "{alert} ms");
    assert_eq!(cut.breaker_link, Some(0));
}

#[test]
fn a_rate_needs_its_window_and_a_permissive_that_may_be_too_old_is_waited_for() {
    let slow = changed("channels = [\"temp\", \"gas\"]", "channels = [\"rise\", \"gas\"]");
    let loaded = load_texts(&[&slow]).unwrap_or_else(|complaints| panic!("{complaints}"));
    let cut = &loaded.budget.sequences[0];
    assert!(Some(Millis(65_000)) < cut.alert.alive, "a window of 60 s, a delay of 3 s, two samples: {cut:?}");
    assert_eq!(cut.alert_by.map(|(rule, _)| loaded.site[rule].name.clone()), Some("rise".to_owned()));

    let permitted = |text: &str| {
        let loaded = load_texts(&[text]).unwrap_or_else(|complaints| panic!("{complaints}"));
        loaded.budget.sequences[0].parts.iter().any(|part| part.what == "readings that permit it")
    };
    assert!(permitted(BASE), "polled every second, a reading may be older than 1 s");
    assert!(!permitted(&changed("permissive_age_max = \"1s\"", "permissive_age_max = \"5s\"")));
}
