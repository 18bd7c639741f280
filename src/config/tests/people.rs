//! Who is told: presets with their secrets, what a target hears, mail.

use super::corpus::{Case, check};
use super::*;
use crate::notify::options::{Kind, MailTls, PAGERDUTY_URL, Preset};
use crate::safety::site::{Priority, ZoneId};

const KEY: &str = "secret = { env = \"WHSEC\" }\n";

pub(super) const PEOPLE: &[Case] = &[
    ("", "[[webhook]]\nid = \"w\"\nurl = \"https://x.example\"\n", Code::PresetSecret, "[[webhook]]"),
    (
        "",
        "[[webhook]]\nid = \"w\"\npreset = \"alertmanager\"\nurl = \"https://x.example\"\nsecret = { env = \"TOKEN\" }\n",
        Code::PresetSecret,
        "[[webhook]]",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\npreset = \"slack\"\nurl = { env = \"SLACK\" }\nsecret = { env = \"TOKEN\" }\n",
        Code::PresetSecret,
        "[[webhook]]",
    ),
    ("", "[[webhook]]\nid = \"w\"\npreset = \"pagerduty\"\n", Code::PresetSecret, "[[webhook]]"),
    (
        "",
        "[[webhook]]\nid = \"w\"\nurl = \"https://x.example\"\nsecret = { env = \"WHSEC\" }\nsecrets = [{ env = \"WHSEC\" }]\n",
        Code::PresetSecret,
        "[[webhook]]",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\nurl = \"https://x.example\"\nsecrets = [{ env = \"WHSEC\" }, { env = \"TOKEN\" }]\n",
        Code::SecretForm,
        "secrets",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\npreset = \"teams\"\nurl = \"https://x.example/secret\"\n",
        Code::PlainSecret,
        "url",
    ),
    ("", "[[webhook]]\nid = \"w\"\npreset = \"slack\"\nurl = { env = \"TOKEN\" }\n", Code::BadUrl, "url"),
    (
        "",
        "[[webhook]]\nid = \"w\"\nurl = \"https://x.example\"\nsecret = { env = \"WHSEC\" }\nzones = [\"rack-9\"]\n\
         [[webhook]]\nid = \"all\"\npreset = \"slack\"\nurl = { env = \"SLACK\" }\n",
        Code::UnknownName,
        "rack-9",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\npreset = \"alertmanager\"\nurl = \"https://x.example\"\nkinds = [\"alarm\", \"notice\"]\n",
        Code::TargetHears,
        "kinds",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\npreset = \"slack\"\nurl = { env = \"SLACK\" }\nkinds = [\"notice\"]\n\
         escalate_after = \"2min\"\n[[webhook]]\nid = \"all\"\npreset = \"slack\"\nurl = { env = \"SLACK\" }\n",
        Code::TargetHears,
        "kinds",
    ),
    (
        "",
        "[[webhook]]\nid = \"w\"\npreset = \"slack\"\nurl = { env = \"SLACK\" }\nzones = [\"rack-1\"]\n",
        Code::NobodyHears,
        "",
    ),
    (
        "",
        "[[mail]]\nid = \"m\"\nserver = \"mail.example.com\"\nport = 25\ntls = \"none\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n",
        Code::Mail,
        "server",
    ),
    (
        "",
        "[[mail]]\nid = \"m\"\nserver = \"mail.example.com\"\nport = 587\ntls = \"starttls\"\nfrom = \"a@example.com\"\nto = [\"nobody\"]\n",
        Code::Mail,
        "nobody",
    ),
    (
        "",
        "[[mail]]\nid = \"m\"\nserver = \"mail.example.com\"\nport = 587\ntls = \"starttls\"\nuser = \"u\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n",
        Code::Mail,
        "[[mail]]",
    ),
    (
        "",
        "[[heartbeat]]\nid = \"h\"\nurl = \"http://127.0.0.1/x\"\nevery = \"60s\"\n",
        Code::PrivateTarget,
        "url",
    ),
];

#[test]
fn targets_that_are_wrong_are_found() {
    check(PEOPLE);
}

#[test]
fn every_preset_loads_with_the_secret_that_it_needs_and_no_other() {
    let text = format!(
        "{BASE}[[webhook]]\nid = \"a\"\npreset = \"cloudevents\"\nurl = \"https://x.example\"\n{KEY}\
         [[webhook]]\nid = \"b\"\npreset = \"alertmanager\"\nurl = \"https://x.example\"\n\
         [[webhook]]\nid = \"c\"\npreset = \"pagerduty\"\nsecret = {{ env = \"TOKEN\" }}\n\
         [[webhook]]\nid = \"d\"\npreset = \"slack\"\nurl = {{ env = \"SLACK\" }}\n\
         [[webhook]]\nid = \"e\"\npreset = \"teams\"\nurl = {{ env = \"SLACK\" }}\n\
         [[webhook]]\nid = \"f\"\npreset = \"ntfy\"\nurl = \"https://ntfy.example/room\"\n\
         [[webhook]]\nid = \"g\"\nurl = \"https://x.example\"\nurl_backup = \"https://y.example\"\n\
         secrets = [{{ env = \"WHSEC\" }}, {{ env = \"WHSK\" }}]\nzones = [\"rack-1\"]\nkinds = [\"notice\"]\n\
         [[webhook]]\nid = \"h\"\nurl = \"https://x.example\"\n{KEY}escalate_after = \"2min\"\npriority_min = \"critical\"\n"
    );
    let loaded = load_texts(&[&text]).unwrap_or_else(|complaints| panic!("{complaints}"));
    assert_eq!(codes(&loaded.warnings), []);
    let presets: Vec<&Preset> = loaded.webhooks.iter().map(|target| &target.preset).collect();
    assert!(matches!(
        presets[..],
        [
            Preset::CloudEvents { .. },
            Preset::Alertmanager,
            Preset::PagerDuty { .. },
            Preset::Slack,
            Preset::Teams,
            Preset::Ntfy { token: None },
            Preset::Standard { .. },
            Preset::Standard { .. }
        ]
    ));
    let [.., owners, chief] = &loaded.webhooks[..] else { panic!("eight") };
    assert_eq!(
        (&owners.hears.zones, &owners.hears.kinds),
        (&Some(vec![ZoneId(0)]), &Some(vec![Kind::Notice]))
    );
    assert!(owners.url_backup.is_some());
    assert_eq!(
        (chief.hears.escalate_after, chief.hears.priority_min),
        (Some(Millis::from_secs(120)), Some(Priority::Critical))
    );
    assert_eq!(loaded.webhooks[2].url.expose_secret(), PAGERDUTY_URL);
    // Nothing secret is shown.
    let shown = format!("{:?}", loaded.webhooks);
    assert!(!shown.contains("hooks.example") && !shown.contains("0123456789abcdef"), "{shown}");
}

#[test]
fn mail_and_heartbeats_load() {
    let text = format!(
        "{BASE}[[mail]]\nid = \"m\"\nserver = \"mail.example.com\"\nport = 465\ntls = \"implicit\"\n\
         user = \"ember\"\npassword = {{ env = \"TOKEN\" }}\nfrom = \"Room <a@example.com>\"\n\
         to = [\"b@example.com\", \"C <c@example.com>\"]\n\
         [[heartbeat]]\nid = \"h\"\nurl = {{ env = \"SLACK\" }}\nevery = \"60s\"\n"
    );
    let loaded = load_texts(&[&text]).unwrap_or_else(|complaints| panic!("{complaints}"));
    let mail = &loaded.mails[0];
    assert_eq!((mail.port, mail.tls, mail.to.len()), (465, MailTls::Implicit, 2));
    assert!(mail.login.is_some());
    assert_eq!(loaded.heartbeats[0].every, Millis::from_secs(60));
}

#[test]
fn the_blocks_of_the_readme_load_as_they_are_copied() {
    let readme = include_str!("../../../README.md");
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let people = blocks
        .filter(|it| ["[[webhook]]", "[[mail]]", "[[heartbeat]]"].iter().any(|key| it.starts_with(key)));
    // What systemd would pass is a variable here.
    let passed = |line: &str| {
        let variable = if line.starts_with("url") { "SLACK" } else { "WHSEC" };
        let mut parts = line.split("credential = \"");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |line, part| {
            let rest = part.split_once('"').map_or("", |(_, rest)| rest);
            format!("{line}env = \"{variable}\"{rest}")
        })
    };
    let text: String = people.flat_map(str::lines).map(|line| passed(line) + "\n").collect();
    let loaded = load_texts(&[&format!("{BASE}{text}")]).unwrap_or_else(|complaints| panic!("{complaints}"));
    assert_eq!((loaded.webhooks.len(), loaded.mails.len(), loaded.heartbeats.len()), (7, 2, 1));
    assert_eq!(codes(&loaded.warnings), []);
}
