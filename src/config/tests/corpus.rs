//! Small broken configurations: the base with one thing changed, the code it must raise, and where.

use super::*;

/// (what is replaced in the base, by what; nothing replaced: appended; the code; a part of the marked line).
pub(super) type Case = (&'static str, &'static str, Code, &'static str);

const SHAPES: &[Case] = &[
    ("unit = 1\n", "unit =\n", Code::Syntax, "unit ="),
    ("unit = 1\n", "unit = 1\nunits = 2\n", Code::UnknownKey, "units"),
    ("", "[extra]\n", Code::UnknownKey, "[extra]"),
    ("needed = 2\n", "", Code::MissingKey, "[rule.together]"),
    ("on_unknown = \"hold\"\n", "", Code::MissingKey, "[[rule]]"),
    ("on_restart = \"hold\"\n", "", Code::MissingKey, "[[sequence]]"),
    ("on_channel_fault = \"safety\"\n", "", Code::MissingKey, "[rule.together]"),
    ("state_dir = \"/var/lib/emberwatch\"\n", "", Code::MissingKey, "[site]"),
    ("unit = 1\n", "unit = \"one\"\n", Code::WrongType, "unit"),
    ("", "[webhook]\nid = \"b1\"\n", Code::WrongType, "[webhook]"),
    ("id = \"rack-2\"", "id = \"Rack 2\"", Code::BadId, "Rack 2"),
    ("mode = \"armed\"", "mode = \"on\"", Code::BadWord, "mode"),
    ("countdown = \"15s\"", "countdown = \"15\"", Code::BadDuration, "countdown"),
    ("countdown = \"15s\"", "countdown = \"-15s\"", Code::BadDuration, "countdown"),
    ("deadband = \"2 degC\"", "deadband = \"two degC\"", Code::BadQuantity, "two"),
    ("deadband = \"2 degC\"", "deadband = \"2 V\"", Code::WrongUnit, "2 V"),
    ("deadband = \"2 degC\"", "deadband = 2", Code::WrongUnit, "deadband = 2"),
    ("limit = \"1 degC/s\"", "limit = \"1 degC\"", Code::WrongUnit, "1 degC\""),
    ("limit = \"80 degC\"", "limit = \"nan degC\"", Code::NotFinite, "nan"),
    ("limit = \"80 degC\"", "limit = \"inf degC\"", Code::NotFinite, "inf"),
    ("unit = 1\n", "unit = 256\n", Code::OutOfRange, "256"),
    ("timeout = \"500ms\"", "timeout = \"0s\"", Code::OutOfRange, "0s"),
    ("attempts = 2", "attempts = 0", Code::OutOfRange, "attempts"),
    ("attempts = 2", "attempts = 4", Code::OutOfRange, "attempts"),
    ("needed = 2", "needed = 0", Code::OutOfRange, "needed"),
    ("countdown = \"15s\"", "countdown = \"400h\"", Code::OutOfRange, "400h"),
    ("moved = \"1 degC\"", "moved = \"0 degC\"", Code::OutOfRange, "moved"),
    ("[rule.silence]", "[rule.state]\n[rule.silence]", Code::KindCount, "[[rule]]"),
    ("any_bit = [\"alarm-1\"], level", "level", Code::KindCount, "cases"),
    ("at_most = \"100 A\" }", "at_most = \"100 A\", at_least = \"0 A\" }", Code::KindCount, "at_least"),
    ("points = [\"bms-1/current\"]", "points = []", Code::EmptyList, "points"),
    ("", "[alarms]\nre_alarms = \"8h\"\n", Code::UnknownKey, "re_alarms"),
    ("", "[alarms]\nshelve_max = \"200h\"\n", Code::OutOfRange, "200h"),
    ("", "[alarms]\nflood_begins = 1\n", Code::OutOfRange, "flood_begins"),
    ("", "[alarms]\nflood_begins = 5\nflood_ends = 6\n", Code::OutOfRange, "flood_ends"),
    ("", "[alarms]\nflood_within = 10\n", Code::WrongType, "flood_within"),
];

const NAMES: &[Case] = &[
    ("id = \"rack-2\"", "id = \"rack-1\"", Code::DuplicateId, "rack-1"),
    ("id = \"rise\"", "id = \"temp\"", Code::DuplicateId, "temp"),
    ("zone = \"rack-1\"\nlink", "zone = \"rakc-1\"\nlink", Code::UnknownName, "rakc-1"),
    ("profile = \"sim-bms\"", "profile = \"sim-bsm\"", Code::UnknownName, "sim-bsm"),
    ("point = \"gas-1/concentration\"", "point = \"gas-1/concentrate\"", Code::UnknownName, "concentrate"),
    ("point = \"gas-1/concentration\"", "point = \"concentration\"", Code::UnknownName, "concentration"),
    ("channels = [\"temp\", \"gas\"]", "channels = [\"temp\", \"gsa\"]", Code::UnknownName, "gsa"),
    ("is = \"open\"", "is = \"opened\"", Code::UnknownName, "opened"),
    ("any_bit = [\"alarm-1\"]", "any_bit = [\"alarm-9\"]", Code::UnknownName, "alarm-9"),
    ("[[room]]\n", "[[room]]\nid = \"gateway\"\n[[room]]\n", Code::ReservedId, "gateway"),
    ("id = \"rise\"", "id = \"gas-1-silent\"", Code::AlarmNameTaken, "gas-1-silent"),
    ("id = \"rise\"", "id = \"mqtt-down\"", Code::AlarmNameTaken, "mqtt-down"),
];

const DEVICES: &[Case] = &[
    ("127.0.0.1:1502", "127.0.0.1", Code::BadAddress, "address"),
    ("127.0.0.1:1502", "127.0.0.1:0", Code::BadAddress, "address"),
    ("unit = 50\n", "unit = 1\n", Code::UnitTaken, "unit = 1"),
    ("scan = { fast = \"1s\", slow = \"15s\" }", "scan = { fast = \"1s\" }", Code::ScanClass, "scan"),
    ("slow = \"15s\"", "slow = \"15s\", solw = \"1s\"", Code::ScanClass, "solw"),
    ("siblings = [\"cell-temp-min\"]", "siblings = [\"cell-temp-max\"]", Code::FrozenSibling, "siblings"),
    ("[\"cell-temp-min\"]", "[\"cell-temp-min\", \"current\"]", Code::FrozenSibling, "siblings"),
    ("after = \"10min\"", "after = \"20s\"", Code::FrozenSibling, "after"),
    ("slow = \"15s\"", "slow = \"0s\"", Code::OutOfRange, "slow"),
];

/// What makes a point doubtful, after the frozen rule of the first device.
const DOUBTS: &[(&str, Code, &str)] = &[
    ("[device.heartbeat]\npoint = \"heartbeat\"\nafter = \"2s\"\n", Code::Doubt, "after"),
    ("[device.heartbeat]\npoint = \"state\"\nafter = \"10s\"\n", Code::Doubt, "state"),
    ("[device.heartbeat]\npoint = \"pulse\"\nafter = \"10s\"\n", Code::UnknownName, "pulse"),
    ("WITH = [\"bms-1/cell-temp-max\"]\nREST", Code::Doubt, "with"),
    ("WITH = [\"bms-1/voltage\"]\nREST", Code::Doubt, "with"),
    ("WITH = []\nREST", Code::EmptyList, "with"),
    ("WITH = [\"bms-1/cell-temp-min\"]\nby = \"0 degC\"\nREST", Code::OutOfRange, "by"),
    ("WITH = [\"bms-1/cell-temp-min\"]\nREST WITH = [\"bms-1/cell-temp-min\"]\nREST", Code::Doubt, "point"),
];

#[test]
fn doubts_that_do_not_fit_are_found() {
    for (lines, code, marked) in DOUBTS {
        let with = "[[device.redundant]]\npoint = \"cell-temp-max\"\nwith";
        let by = if lines.contains("by =") { "" } else { "by = \"5 degC\"\n" };
        let lines = lines
            .replace("WITH", with)
            .replace("REST", &format!("{by}after = \"30s\"\ndangerous = \"above\"\n"));
        let text = changed("moved = \"1 degC\"\n", &format!("moved = \"1 degC\"\n{lines}"));
        let found = complaints(&[&text]);
        assert!(codes(&found).contains(code), "{lines}\nwanted {code}, found\n{found}");
        let at = text.lines().nth(line(&found, *code) - 1).unwrap();
        assert!(at.contains(marked), "{code} marks `{at}`");
    }
    let good = "moved = \"1 degC\"\n[device.heartbeat]\npoint = \"heartbeat\"\nafter = \"10s\"\n";
    assert_eq!(codes(&complaints(&[&changed("moved = \"1 degC\"\n", good)])), []);
}

const RULES: &[Case] = &[
    ("limit = \"55 degC\"", "limit = \"40 degC\"", Code::LimitOrder, "40 degC"),
    (
        "",
        "[[rule]]\nid = \"low\"\nzone = \"rack-1\"\nprinciple = \"voltage\"\non_unknown = \"hold\"\n[rule.limit]\n\
         point = \"bms-1/cell-v-min\"\nside = \"below\"\ndeadband = \"0 V\"\n\
         watch = { limit = \"3 V\", on_delay = \"1s\", off_delay = \"1s\" }\n\
         danger = { limit = \"3.2 V\", on_delay = \"1s\", off_delay = \"1s\" }\n",
        Code::LimitOrder,
        "3.2 V",
    ),
    (
        "danger = { limit = \"25 %LFL\", on_delay = \"3s\", off_delay = \"60s\" }\n",
        "",
        Code::NoLimit,
        "[rule.limit]",
    ),
    ("deadband = \"2 degC\"", "deadband = \"-2 degC\"", Code::Deadband, "deadband"),
    ("deadband = \"2 degC\"", "deadband = \"12 degC\"", Code::Deadband, "deadband"),
    ("deadband = \"1 %LFL\"", "deadband = \"25 %LFL\"", Code::Deadband, "deadband"),
    ("limit = \"25 %LFL\"", "limit = \"125 %LFL\"", Code::Unreachable, "125"),
    ("limit = \"1 degC/s\"", "limit = \"-1 degC/s\"", Code::Unreachable, "-1 degC/s"),
    ("limit = \"1 degC/s\"", "limit = \"0 degC/s\"", Code::Deadband, "deadband"),
    ("extreme = \"100 degC\"", "extreme = \"70 degC\"", Code::Extreme, "extreme"),
    ("point = \"gas-1/alarms\"", "point = \"gas-1/concentration\"", Code::KindMismatch, "concentration"),
    ("point = \"gas-1/concentration\"", "point = \"box-1/position\"", Code::KindMismatch, "position"),
    ("window = \"60s\"", "window = \"5s\"", Code::Window, "window"),
    ("[\"temp\", \"gas\"]", "[\"temp\", \"temp\", \"gas\"]", Code::ChannelTwice, "channels"),
    ("[\"bms-1/current\"]", "[\"bms-1/current\", \"bms-1/current\"]", Code::ChannelTwice, "points"),
    ("[\"temp\", \"gas\"]", "[\"temp\", \"gas\", \"vote\"]", Code::VoteOfVotes, "channels"),
    ("needed = 2", "needed = 3", Code::TooFewChannels, "needed"),
    ("one_vote_per = []", "one_vote_per = [\"bus\"]", Code::BadWord, "one_vote_per"),
    ("one_vote_per = []\n", "", Code::MissingKey, "[rule.together]"),
    ("repair_within = \"72h\"\n", "", Code::MissingKey, "[rule.together]"),
    ("repair_within = \"72h\"", "repair_within = \"1s\"", Code::OutOfRange, "1s"),
    ("[\"temp\", \"gas\"]", "[\"temp\", \"gas-state\"]", Code::SilentChannel, "channels"),
    ("after = \"10s\"", "after = \"2s\"", Code::SilenceTooShort, "after"),
    ("level = \"watch\"\nlevel_if", "level = \"danger\"\nlevel_if", Code::LevelOrder, "[rule.silence]"),
    ("grace = \"15s\"", "grace = \"2s\"", Code::GraceTooShort, "grace"),
];

const SEQUENCES: &[Case] = &[
    ("action = \"box-1/switch\"", "action = \"box-1/swich\"", Code::NoSuchAction, "swich"),
    ("action = \"box-1/switch\"", "action = \"bxo-1/switch\"", Code::UnknownName, "bxo-1"),
    ("[{ point = \"box-1/position\", is = \"open\" }]", "[]", Code::NoFeedback, "verify"),
    (
        "verify = [{ point = \"box-1/position\"",
        "verify = [{ point = \"box-1/coil\"",
        Code::NotIndependent,
        "verify",
    ),
    ("action = \"box-1/switch\"", "action = \"box-1/kick\"", Code::PulseTwice, "attempts"),
    ("permissive_age_max = \"1s\"", "permissive_age_max = \"6s\"", Code::PermissiveAge, "6s"),
    ("permissive_age_max = \"1s\"", "permissive_age_max = \"500ms\"", Code::PermissiveAge, "500ms"),
    ("verify_within = \"5s\"", "verify_within = \"3s\"", Code::VerifyTooShort, "verify_within"),
    ("trigger = \"vote\"", "trigger = \"temp\"", Code::TriggerNotAVote, "trigger"),
    ("level = \"danger\"\nhold", "level = \"warning\"\nhold", Code::HarmlessTrigger, "trigger"),
    ("link = \"detectors\"", "link = \"room\"", Code::OneLinkVotes, "trigger"),
    ("cuts = \"battery\"", "cuts = \"batteries\"", Code::BadWord, "batteries"),
    ("cuts = \"battery\"\n", "", Code::MissingKey, "[[sequence.stage]]"),
    ("cuts = \"battery\"", "cuts = [\"row-1/c\"]", Code::LoadGroup, "row-1/c"),
    ("cuts = \"battery\"", "cuts = [\"row-1/a\", \"row-1/b\"]", Code::BothFeeds, "row-1/a"),
    (
        "cuts = \"battery\"",
        "cuts = \"battery\"\nrequires = [\"later\"]\nlife_safety = false",
        Code::Requires,
        "later",
    ),
    ("on_fail = \"hold\"", "on_fail = 3", Code::OnFail, "3"),
    ("on_fail = \"hold\"", "on_fail = { hold_for = \"1ms\" }", Code::OutOfRange, "1ms"),
    ("action = \"box-1/switch\"", "action = \"box-1/shut-down\"", Code::CannotAbort, "no_return"),
    ("rate_within = \"10min\"\n", "", Code::MissingKey, "[cut_budget]"),
    (
        "[cut_budget]\nper_zone_max = 3\nrate_max = 10\nrate_within = \"10min\"\n",
        "",
        Code::CutBudget,
        "state_dir",
    ),
    ("zone = \"rack-1\"\nmode", "zone = \"rack-2\"\nmode", Code::TriggerZone, "trigger"),
    ("no_return = 1", "no_return = 2", Code::NoReturn, "no_return"),
    ("at_most = \"100 A\"", "is = 3", Code::Expectation, "is = 3"),
    ("at_most = \"100 A\"", "at_most = \"9000 A\"", Code::Expectation, "9000"),
    ("at_most = \"100 A\"", "within = [\"5 A\", \"1 A\"]", Code::Expectation, "within"),
    ("is = \"open\"", "bit_set = \"open\"", Code::Expectation, "bit_set"),
    ("needed = 2", "needed = 1", Code::OneVoteCuts, "trigger"),
    ("[\"temp\", \"gas\"]", "[\"temp\", \"rise\"]", Code::OneDeviceVotes, "trigger"),
    ("[\"temp\", \"gas\"]", "[\"temp\", \"rise\", \"gas\"]", Code::OneDeviceVotes, "trigger"),
    (
        "",
        "[[rule]]\nid = \"low\"\nzone = \"rack-1\"\nprinciple = \"voltage\"\non_unknown = \"hold\"\n[rule.limit]\n\
         point = \"bms-1/cell-v-1\"\nside = \"below\"\ndeadband = \"0 V\"\n\
         danger = { limit = \"3 V\", on_delay = \"1s\", off_delay = \"1s\" }\n",
        Code::SlowPoll,
        "cell-v-1",
    ),
];

const WEB: &str = "[web]\nlisten = \"127.0.0.1:8080\"\n[[web.operator]]\nname = \"kim\"\n";

const EDGES: &[Case] = &[
    ("", "[web]\nlisten = \"0.0.0.0:8080\"\n", Code::OpenWithoutOperators, "listen"),
    ("", "[web]\nlisten = \"localhost\"\n", Code::BadAddress, "listen"),
    (
        "",
        "[mqtt]\nhost = \"localhost\"\n[mqtt.commands]\nallow = [\"ack\"]\n[[mqtt.commands.key]]\nname = \"a\"\npublic_key = \"AAAA\"\n",
        Code::CommandKey,
        "public_key",
    ),
    (
        "",
        "[mqtt]\nhost = \"localhost\"\n[mqtt.commands]\nallow = [\"abort\"]\nrequire_signature = false\n",
        Code::CommandsUnsigned,
        "mqtt.commands",
    ),
    (
        "",
        "[mqtt]\nhost = \"localhost\"\nversion = \"3.1.1\"\n[mqtt.commands]\nallow = [\"ack\"]\nrequire_signature = false\n",
        Code::CommandsUnsigned,
        "mqtt.commands",
    ),
    ("", "[mqtt]\nhost = \"192.0.2.1\"\n", Code::PlainText, "host"),
    ("", "[mqtt]\nhost = \"a b\"\n", Code::BadAddress, "host"),
    ("", "[mqtt]\nbrokers = [\"localhost\", \"b:0\"]\n", Code::BadAddress, "b:0"),
    ("", "[mqtt]\nbrokers = [\"localhost\", \"192.0.2.1\"]\n", Code::PlainText, "192.0.2.1"),
    ("", "[mqtt]\nhost = \"localhost\"\n[mqtt.spool]\nbytes_max = 1000\n", Code::OutOfRange, "bytes_max"),
    (
        "",
        "[mqtt]\nhost = \"localhost\"\n[mqtt.spool]\nsync_every = \"100ms\"\n",
        Code::OutOfRange,
        "sync_every",
    ),
    ("", "[mqtt]\nhost = \"localhost\"\nroot = \"a/b\"\n", Code::BadTopic, "root"),
    (
        "",
        "[mqtt]\nhost = \"localhost\"\n[mqtt.homeassistant]\nprefix = \"ha\"\n",
        Code::MissingKey,
        "[mqtt.homeassistant]",
    ),
    (
        "",
        "[mqtt]\nhost = \"localhost\"\n[mqtt.homeassistant]\nenable = true\nprefix = \"a//b\"\n",
        Code::BadTopic,
        "prefix",
    ),
    (
        "",
        "[mqtt]\nhost = \"localhost\"\n[mqtt.homeassistant]\nenable = true\nbirth_topic = \"ha/#\"\n",
        Code::BadTopic,
        "birth_topic",
    ),
    ("", "[mqtt]\nhost = \"localhost\"\nkeep_alive = \"1s\"\n", Code::OutOfRange, "keep_alive"),
    ("", "[mqtt]\nhost = \"x\"\n[mqtt.tls]\nca_file = \"/nonexistent/ca.pem\"\n", Code::TlsFile, "ca_file"),
    ("", "[mqtt]\nhost = \"x\"\n[mqtt.tls]\ncert_file = \"/c.pem\"\n", Code::TlsFile, "[mqtt.tls]"),
    (
        "",
        "[[webhook]]\nid = \"w\"\nurl = \"ftp://x.example\"\nsecret = { env = \"WHSEC\" }\n",
        Code::BadUrl,
        "url",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\nurl = \"https://u:pw@x.example\"\nsecret = { env = \"WHSEC\" }\n",
        Code::BadUrl,
        "url",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\nurl = \"https://10.0.0.1/\"\nsecret = { env = \"WHSEC\" }\n",
        Code::PrivateTarget,
        "url",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\nurl = \"https://x.example\"\nsecret = { env = \"TOKEN\" }\n",
        Code::SecretForm,
        "secret",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\nurl = \"https://x.example\"\nsecret = { env = \"NONE\" }\n",
        Code::SecretMissing,
        "secret",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\nurl = \"https://x.example\"\nsecret = { env = \"EMPTY\" }\n",
        Code::SecretMissing,
        "secret",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\nurl = \"https://x.example\"\nsecret = { env = \"WHSEC\", file = \"/x\" }\n",
        Code::KindCount,
        "secret",
    ),
    (
        "",
        "[influx]\nurl = \"http://db.example\"\norg = \"o\"\nbucket = \"b\"\ntoken = { env = \"TOKEN\" }\n",
        Code::ClearToken,
        "url",
    ),
    (
        "",
        "[influx]\nurl = \"http://localhost\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"plain\"\n",
        Code::PlainSecret,
        "token",
    ),
    ("/var/lib/emberwatch", "emberwatch", Code::NotAbsolute, "state_dir"),
    ("", "[log]\nformat = \"xml\"\n", Code::BadWord, "xml"),
];

pub(super) fn changed(old: &str, new: &str) -> String {
    if old.is_empty() {
        return format!("{BASE}{new}");
    }
    assert!(BASE.contains(old), "the base has no `{old}`");
    BASE.replacen(old, new, 1)
}

pub(super) fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for (old, new, code, part) in cases {
        let text = changed(old, new);
        let found = complaints(&[&text]);
        let all = codes(&found);
        if !all.contains(code) || all.iter().any(|other| other != code) {
            wrong.push(format!("{old:?} -> {new:?}: wanted {code}, found {all:?}\n{found}"));
            continue;
        }
        let marked = text.lines().nth(line(&found, *code) - 1).unwrap();
        if !marked.contains(part) && *code != Code::MissingKey {
            wrong.push(format!("{old:?} -> {new:?}: {code} marks `{marked}`\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The codes of all cases.
pub(super) fn reached() -> BTreeSet<Code> {
    let cases = [SHAPES, NAMES, DEVICES, RULES, SEQUENCES, EDGES, super::people::PEOPLE].concat();
    let mut reached: BTreeSet<Code> = cases.iter().map(|case| case.2).collect();
    reached.extend(DOUBTS.iter().map(|case| case.1));
    reached.extend(codes(&complaints(&["state_dir = \"/x\"\n[site]\nid = \"a\"\ngateway = \"b\"\n"])));
    reached.extend(codes(&complaints(&[BASE, "state_dir = \"/x\"\n"])));
    let (plant, _) = BASE.split_at(BASE.find("[[sequence.stage]]").unwrap());
    reached.extend(codes(&complaints(&[plant])));
    reached
}

#[test]
fn shapes_that_are_wrong_are_found() {
    check(SHAPES);
}

#[test]
fn names_that_are_wrong_are_found() {
    check(NAMES);
}

#[test]
fn devices_that_are_wrong_are_found() {
    check(DEVICES);
}

#[test]
fn rules_that_are_wrong_are_found() {
    check(RULES);
}

#[test]
fn sequences_that_are_wrong_are_found() {
    check(SEQUENCES);
}

#[test]
fn edges_that_are_wrong_are_found() {
    check(EDGES);
}

#[test]
fn tokens_of_operators_are_long_and_different() {
    let short = format!("{WEB}token = {{ env = \"SHORT\" }}\n");
    assert_eq!(codes(&complaints(&[BASE, &short])), [Code::SecretForm]);
    let twice = format!(
        "{WEB}token = {{ env = \"TOKEN\" }}\n[[web.operator]]\nname = \"lee\"\ntoken = {{ env = \"TOKEN\" }}\n"
    );
    assert_eq!(codes(&complaints(&[BASE, &twice])), [Code::SecretForm]);
}

#[test]
fn a_file_cut_off_anywhere_is_complained_about_and_never_a_panic() {
    for end in (0..BASE.len()).step_by(7) {
        let text = &BASE[..end];
        if let Err(found) = load_texts(&[text]) {
            assert!(0 < found.errors());
        }
    }
}

#[test]
fn any_line_may_be_missing_or_there_twice_without_a_panic() {
    let lines: Vec<&str> = BASE.lines().collect();
    for index in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(index);
        let mut twice = lines.clone();
        twice.insert(index, lines[index]);
        for text in [without.join("\n"), twice.join("\n")] {
            if let Err(found) = load_texts(&[&text]) {
                assert!(0 < found.errors());
                assert!(!found.render(Look::Plain).is_empty());
            }
        }
    }
}
