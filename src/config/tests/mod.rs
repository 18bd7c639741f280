#![expect(clippy::unwrap_used, reason = "tests")]

mod corpus;
mod files;
mod links;
mod nut;
mod people;
mod presets;
mod several;

use std::collections::BTreeSet;
use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::complaint::{Desk, Source};
use super::*;
use crate::clock::SyncMark;
use crate::safety::site::{AlarmSource, SystemFault};
use crate::units::Millis;

const BASE: &str = include_str!("base.toml");

/// Variables that the tests' configurations may refer to.
fn env(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("0123456789abcdef\n".to_owned()),
        "WHSEC" => Some("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=".to_owned()),
        "WHSK" => Some("whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=".to_owned()),
        "SLACK" => Some("https://hooks.example/services/T/B/x".to_owned()),
        "SHORT" => Some("short".to_owned()),
        "EMPTY" => Some(" ".to_owned()),
        _ => None,
    }
}

fn load_texts(texts: &[&str]) -> Result<Loaded, Complaints> {
    let mut desk = Desk::default();
    for (index, text) in texts.iter().enumerate() {
        let path = PathBuf::from(format!("{index}.toml"));
        desk.complaints.sources.push(Source { path, text: (*text).to_owned() });
    }
    judge(desk, &env)
}

/// Everything said of these texts, errors or not.
fn complaints(texts: &[&str]) -> Complaints {
    load_texts(texts).map_or_else(|complaints| complaints, |loaded| loaded.warnings)
}

fn codes(complaints: &Complaints) -> Vec<Code> {
    complaints.list.iter().map(|complaint| complaint.code).collect()
}

fn line(complaints: &Complaints, code: Code) -> usize {
    let complaint = complaints.list.iter().find(|complaint| complaint.code == code).unwrap();
    complaints.locate(complaint.place.unwrap()).unwrap().1
}

#[test]
fn the_base_of_the_corpus_loads_without_a_word() {
    let loaded = load_texts(&[BASE]).unwrap_or_else(|complaints| panic!("{complaints}"));
    assert_eq!(codes(&loaded.warnings), []);
}

fn load_with_changes(below: &str, changes: &str) -> Result<Loaded, Complaints> {
    let mut desk = Desk::default();
    for (path, text) in [("below.toml", below), ("changes.toml", changes)] {
        desk.complaints.sources.push(Source { path: PathBuf::from(path), text: text.to_owned() });
    }
    judge_over(desk, 1, &env)
}

#[test]
fn changes_laid_over_a_configuration_replace_rules_of_the_same_id_and_add_others() {
    let base = load_texts(&[BASE]).unwrap().site;
    let zone = &base[base.rules[0].zone].name;
    let point = format!("{}/{}", base.devices[0].name, base.points[0].name);
    let rule = |id: &str, principle: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\nzone = \"{zone}\"\nprinciple = \"{principle}\"\non_unknown = \"hold\"\n\
             [rule.silence]\npoints = [\"{point}\"]\nafter = \"60s\"\nlevel = \"watch\"\nlevel_if_abnormal = \"watch\"\n"
        )
    };
    let below = format!("{BASE}\n{}", rule("mine", "as-it-was"));
    let changes = format!("{}{}", rule("mine", "changed"), rule("one-more", "new"));
    let loaded = load_with_changes(&below, &changes).unwrap();
    let count = base.rules.len();
    let names: Vec<(&str, &str)> =
        loaded.site.rules[count..].iter().map(|rule| (rule.name.as_str(), rule.principle.as_str())).collect();
    assert_eq!(names, [("mine", "changed"), ("one-more", "new")]);
    // A slip in the changes is found where it is.
    let complaints = load_with_changes(BASE, &rule("one-more", "new").replace("60s", "soon")).unwrap_err();
    let place =
        complaints.list.iter().find(|it| it.code == Code::BadDuration).and_then(|it| it.place).unwrap();
    assert_eq!(complaints.locate(place).unwrap().0, std::path::Path::new("changes.toml"));
    // A whole configuration is taken alone.
    let alone = load_with_changes("[site]\nid = \"x\"\n", BASE).unwrap();
    assert_eq!(alone.site.rules.len(), count);
}

#[test]
fn the_shipped_example_loads_without_a_word() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/emberwatch.toml");
    let loaded = load(&[path]).unwrap_or_else(|complaints| panic!("{complaints}"));
    assert!(loaded.warnings.list.is_empty(), "{}", loaded.warnings);
    assert_eq!(loaded.site.sequences.len(), 5);
    assert_eq!(loaded.site.sequences[0].stages.len(), 3);
    assert_eq!((loaded.links[0].devices.len(), loaded.links[1].devices.len()), (5, 2));
    assert_eq!(loaded.site.feeds.len(), 2);
    assert!(loaded.mqtt.is_some() && loaded.web.is_some());
    assert!(loaded.influx.is_none() && loaded.webhooks.is_empty());
}

#[test]
fn every_optional_edge_of_the_example_loads_when_uncommented() {
    let text = format!(
        "{BASE}\n[mqtt]\nhost = \"192.0.2.1\"\nallow_plaintext = true\n\
         login = {{ user = \"u\", password = {{ env = \"TOKEN\" }} }}\n\
         [influx]\nurl = \"https://db.example.com\"\norg = \"o\"\nbucket = \"b\"\ntoken = {{ env = \"TOKEN\" }}\n\
         [[webhook]]\nid = \"duty\"\nurl = \"https://a.example.com/x\"\nsecret = {{ env = \"WHSEC\" }}\n\
         [web]\nlisten = \"0.0.0.0:8080\"\n[[web.operator]]\nname = \"kim\"\ntoken = {{ env = \"TOKEN\" }}\n\
         [log]\nlevel = \"debug\"\nformat = \"json\"\n"
    );
    let loaded = load_texts(&[&text]).unwrap_or_else(|complaints| panic!("{complaints}"));
    let mqtt = loaded.mqtt.unwrap();
    assert_eq!(
        (mqtt.port, mqtt.client_id.as_str(), mqtt.root.as_str()),
        (1883, "emberwatch-gw-1", "emberwatch")
    );
    assert_eq!(loaded.influx.unwrap().batch_lines_max, 5_000);
    assert_eq!(loaded.webhooks[0].hears.priority_min, Some(crate::safety::site::Priority::High));
    let token = &loaded.web.unwrap().operators[0].token;
    assert_eq!(token.expose_secret(), "0123456789abcdef", "trimmed");
    assert!(!format!("{token:?}").contains("0123456789abcdef"));
    assert_eq!(loaded.log, LogOptions { level: LogLevel::Debug, format: LogFormat::Json });
}

#[test]
fn what_is_not_taken_waits_on_disk_unless_the_site_says_otherwise() {
    let text = format!(
        "{BASE}\n[mqtt]\nbrokers = [\"localhost\", \"127.0.0.2:1884\", \"[::1]:1885\"]\nport = 1900\n\
         [mqtt.spool]\nbytes_max = 0\n\
         [influx]\nurl = \"http://localhost:8086\"\norg = \"o\"\nbucket = \"b\"\ntoken = {{ env = \"TOKEN\" }}\n"
    );
    let loaded = load_texts(&[&text]).unwrap_or_else(|complaints| panic!("{complaints}"));
    let mqtt = loaded.mqtt.unwrap();
    let brokers: Vec<(&str, u16)> = (0..mqtt.brokers()).map(|broker| mqtt.address(broker)).collect();
    assert_eq!(brokers, [("localhost", 1900), ("127.0.0.2", 1884), ("::1", 1885)]);
    assert_eq!(mqtt.spool, None);
    let spool = loaded.influx.unwrap().spool.unwrap();
    assert_eq!(spool.directory, loaded.state_dir.join("influx/spool"));
    assert_eq!((spool.bytes_max, spool.sync_every), (1 << 30, Millis(1_000)));
}

#[test]
fn events_may_go_to_a_bucket_of_their_own_and_the_clock_has_its_usual_mark() {
    let influx = "[influx]\nurl = \"http://localhost:8086\"\norg = \"o\"\nbucket = \"b\"\ntoken = { env = \"TOKEN\" }\n";
    let load = |more: &str| {
        let loaded = load_texts(&[&format!("{BASE}\n{more}")]);
        loaded.unwrap_or_else(|complaints| panic!("{complaints}"))
    };
    let loaded = load(influx);
    assert_eq!(loaded.influx.unwrap().of_events().map(|events| events.bucket), None);
    assert_eq!(loaded.clock, SyncMark::of_timesyncd());
    let clock = "[clock]\nsynchronised_file = \"/run/clock\"\nfresh_for = \"30min\"\n";
    let loaded = load(&format!("{influx}events_bucket = \"e\"\n{clock}"));
    let events = loaded.influx.unwrap().of_events().unwrap();
    assert_eq!(events.bucket, "e");
    assert_eq!(events.spool.unwrap().directory, loaded.state_dir.join("influx/events-spool"));
    assert_eq!(events.dead_letters.unwrap(), loaded.state_dir.join("influx/dead-events.lp"));
    assert_eq!(loaded.clock, SyncMark { file: "/run/clock".into(), fresh_for: Millis::from_secs(1800) });
}

#[test]
fn the_site_is_numbered_as_the_core_expects() {
    let loaded = load_texts(&[BASE]).unwrap();
    let site = &loaded.site;
    let mut next = 0;
    for (index, device) in site.devices.iter().enumerate() {
        assert_eq!(device.points.start, next);
        next = device.points.end;
        assert!(device.points.clone().all(|point| site.points[point as usize].device.index() == index));
        let mut of_links = loaded.links.iter().flat_map(|link| &link.devices);
        let options = of_links.find(|options| options.device.index() == index).unwrap();
        assert_eq!(options.points.len(), device.points.len());
    }
    assert_eq!(next as usize, site.points.len());
    let fast = site.points.iter().find(|point| point.name == "cell-temp-max").unwrap();
    let slow = site.points.iter().find(|point| point.name == "cell-temp-1").unwrap();
    assert_eq!((fast.stale_after, slow.stale_after), (Millis(3_000), Millis(45_000)));
    assert_eq!(site.devices[0].silent_after, Millis(3_000));
    assert_eq!(site.devices.iter().map(|device| device.switches).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(site.actions[0].name, "box-1/switch");
    assert_eq!(loaded.links[0].devices[1].actions, [(crate::safety::site::ActionId(0), "switch".to_owned())]);
    let crate::safety::rules::RuleKind::Rate(rate) = &site.rules[1].kind else { panic!("a rate") };
    assert!((rate.steps[2].unwrap().limit - 60.0).abs() < 1e-9, "per second becomes per minute");
}

#[test]
fn everything_that_can_fail_has_an_alarm_with_words() {
    let loaded = load_texts(&[BASE]).unwrap();
    let alarms = &loaded.site.alarms;
    let names: BTreeSet<&str> = alarms.iter().map(|alarm| alarm.name.as_str()).collect();
    assert_eq!(names.len(), alarms.len());
    assert!(alarms.iter().any(|alarm| matches!(alarm.source, AlarmSource::Flood(_))));
    for name in [
        "b1-flood",
        "temp",
        "vote",
        "vote-blind",
        "bms-1-silent",
        "cut-not-armed",
        "cut-cutting",
        "cut-failed",
    ] {
        assert!(names.contains(name), "{name}");
    }
    for (fault, name) in SystemFault::TABLE {
        assert!(alarms.iter().any(|alarm| alarm.source == AlarmSource::System(fault) && alarm.name == name));
    }
    assert!(alarms.iter().all(|alarm| {
        !alarm.message.is_empty() && !alarm.consequence.is_empty() && !alarm.action.is_empty()
    }));
}

#[test]
fn settings_of_alarms_have_defaults_and_the_example_shows_them() {
    use crate::safety::alarm::settings::AlarmSettings;
    let settings = |text: &str| load_texts(&[BASE, text]).unwrap().site.alarm_settings;
    let defaults = AlarmSettings::default();
    assert_eq!(settings(""), defaults);
    let example = include_str!("../../../config/emberwatch.toml");
    assert_eq!(load_texts(&[example]).unwrap().site.alarm_settings, defaults);
    let own = settings("[alarms]\nre_alarm = \"1h\"\nflood_begins = 3\n");
    assert_eq!((own.re_alarm, own.flood_begins, own.flood_ends), (Millis(3_600_000), 3, 3));
    assert_eq!(own.shelve_max, defaults.shelve_max);
}

#[test]
fn the_fingerprint_changes_with_any_letter_and_with_nothing_else() {
    let one = load_texts(&[BASE]).unwrap().fingerprint;
    let same = load_texts(&[BASE]).unwrap().fingerprint;
    let other = load_texts(&[&BASE.replace("45 degC", "46 degC")]).unwrap().fingerprint;
    assert_eq!(one.len(), 64);
    assert_eq!(one, same);
    assert_ne!(one, other);
}

/// What the proof test of the only sequence is of.
fn proven_of(text: &str) -> String {
    let text = text.replace("countdown = \"15s\"\n", "countdown = \"15s\"\nproof_test_every = \"365d\"\n");
    let loaded = load_texts(&[&text]).unwrap_or_else(|complaints| panic!("{complaints}"));
    let proof = loaded.site.sequences[0].proof.clone().expect("it asks for a proof");
    assert_eq!((proof.every, proof.of.len()), (Millis(365 * 86_400_000), 64));
    proof.of.to_string()
}

#[test]
fn i4_a_proof_test_is_of_all_that_the_sequence_goes_by_and_of_nothing_else() {
    let base = proven_of(BASE);
    for (what, from, to) in [
        ("a limit of a rule that votes", "45 degC", "46 degC"),
        ("how many must agree", "hold = \"60s\"", "hold = \"59s\""),
        ("a permissive", "at_most = \"100 A\"", "at_most = \"101 A\""),
        ("the unit of a device that it reads", "unit = 20", "unit = 21"),
        ("where a link leads", "127.0.0.1:1503", "127.0.0.1:1504"),
        ("the countdown", "countdown = \"15s\"\n", "countdown = \"15s\"\n# only a comment\n"),
    ] {
        let changed = BASE.replacen(from, to, 1);
        assert_ne!(changed, BASE, "{what}");
        assert_eq!(proven_of(&changed) == base, what == "the countdown", "{what}");
    }
    for (what, from, to) in [
        ("whether it is armed", "mode = \"armed\"", "mode = \"shadow\""),
        ("words for people", "notice = \"Fail over.\"", "notice = \"Fail over now.\""),
        ("another rule", "[[sequence]]\n", "ANOTHER[[sequence]]\n"),
    ] {
        let another = BASE[BASE.find("[[rule]]").unwrap()..].split("\n[[rule]]").next().unwrap();
        let another = another.replace("id = \"temp\"", "id = \"another\"") + "\n";
        let changed = BASE.replacen(from, &to.replace("ANOTHER", &another), 1);
        assert_ne!(changed, BASE, "{what}");
        assert_eq!(proven_of(&changed), base, "{what}");
    }
}

#[test]
fn several_files_are_one_configuration() {
    let (plant, rules) = BASE.split_at(BASE.find("[[rule]]").unwrap());
    assert!(load_texts(&[plant, rules]).is_ok());
    let again = complaints(&[BASE, "[[room]]\nid = \"b1\"\n"]);
    assert_eq!(codes(&again), [Code::DuplicateId]);
    let text = again.render(Look::Plain);
    assert!(text.contains("0.toml:6:6") && text.contains("1.toml:2:6"), "both places are named: {text}");
}

#[test]
fn all_that_is_wrong_is_said_in_one_run() {
    let text = BASE
        .replacen("unit = 1\n", "unit = 300\n", 1)
        .replacen("45 degC", "45 V", 1)
        .replacen("side = \"rising\"", "side = \"raising\"", 1)
        .replacen("needed = 2", "needed = 5", 1)
        .replacen("attempts = 2", "atempts = 2", 1)
        .replacen("hold = \"60s\"", "hold = 60", 1);
    let found = complaints(&[&text, "x = [1,\n[[room]]\nid = \"B2\"\n"]);
    let codes: BTreeSet<Code> = codes(&found).into_iter().collect();
    for code in [
        Code::OutOfRange,
        Code::WrongUnit,
        Code::BadWord,
        Code::TooFewChannels,
        Code::UnknownKey,
        Code::WrongType,
        Code::Syntax,
    ] {
        assert!(codes.contains(&code), "{code}: {found}");
    }
}

#[test]
fn a_slip_in_a_key_is_one_complaint_that_says_what_was_meant() {
    let found = complaints(&[&BASE.replacen("attempts = 2", "atempts = 2", 1)]);
    assert_eq!(codes(&found), [Code::UnknownKey]);
    assert_eq!(found.list[0].help, "did you mean `attempts`?");
}

#[test]
fn a_complaint_shows_file_line_text_and_help() {
    let found = complaints(&[&BASE.replacen("limit = \"55 degC\"", "limit = \"40 degC\"", 1)]);
    let expected = include_str!("order.txt");
    assert_eq!(found.render(Look::Plain).trim_end(), expected.trim_end());
    assert!(found.render(Look::Styled).contains('\u{1b}'));
}

#[test]
fn programs_get_one_object_a_line() {
    let found = complaints(&[&BASE.replacen("room = \"b1\"", "room = \"b7\"", 1)]);
    let json = found.render_json();
    let object: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(object["code"], "EW0202");
    assert_eq!(object["severity"], "error");
    assert_eq!(
        (&object["file"], &object["line"], &object["column"]),
        (&"0.toml".into(), &9.into(), &8.into())
    );
}

#[test]
fn a_secret_in_plain_text_is_refused_and_not_shown() {
    let text = format!(
        "{BASE}\n[influx]\nurl = \"https://x.example\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"hush-hush\"\n"
    );
    let found = complaints(&[&text]);
    assert_eq!(codes(&found), [Code::PlainSecret]);
    for shown in [found.render(Look::Plain), found.render_json(), format!("{found:?}")] {
        assert!(!shown.contains("hush-hush"), "{shown}");
    }
}

#[test]
fn every_code_is_explained() {
    for code in Code::ALL {
        let text = explain(&code.to_string().to_lowercase()).unwrap();
        assert!(text.contains(code.title()) && 40 < code.paragraph().len(), "{code}");
    }
    assert_eq!(explain("EW9999"), None);
}

#[test]
fn every_code_is_reached_by_a_case() {
    let mut reached: BTreeSet<Code> = corpus::reached();
    reached.extend(files::reached());
    reached.extend(links::reached());
    reached.extend(several::reached());
    reached.extend(nut::reached());
    reached.extend(presets::reached());
    let unreached: Vec<&Code> = Code::ALL.iter().filter(|code| !reached.contains(code)).collect();
    assert!(unreached.is_empty(), "{unreached:?}");
}

#[test]
fn home_assistant_is_told_makers_and_models_and_only_where_it_is_enabled() {
    let with = |table: &str| format!("{BASE}\n[mqtt]\nhost = \"localhost\"\n[mqtt.homeassistant]\n{table}");
    let assistant = |table: &str| load_texts(&[&with(table)]).unwrap().mqtt.unwrap().homeassistant;
    assert!(assistant("enable = false\nprefix = \"ha\"\n").is_none());
    let told = assistant("enable = true\n").unwrap();
    assert_eq!((told.prefix.as_str(), told.birth_topic.as_str()), ("homeassistant", "homeassistant/status"));
    assert!(told.alarms);
    assert!(!told.models.is_empty() && told.models.iter().flatten().all(|model| !model.vendor.is_empty()));
    let other =
        assistant("enable = true\nprefix = \"house/ha\"\nbirth_topic = \"ha/status\"\nalarms = false\n");
    let other = other.unwrap();
    assert_eq!((other.prefix.as_str(), other.birth_topic.as_str()), ("house/ha", "ha/status"));
    assert!(!other.alarms);
}
