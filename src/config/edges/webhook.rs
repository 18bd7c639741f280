//! `[[webhook]]`.

use secrecy::SecretString;

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::node::At;
use crate::config::secrets::{self, Environment};
use crate::config::table::Table;
use crate::config::value;
use crate::notify::options::{PAGERDUTY_URL, Preset, WebhookOptions, is_key};
use crate::units::Millis;

use super::{QUEUE, address, count, hears};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Standard,
    CloudEvents,
    Alertmanager,
    PagerDuty,
    Slack,
    Teams,
    Ntfy,
}

const PRESETS: &[(&str, Form)] = &[
    ("standard", Form::Standard),
    ("cloudevents", Form::CloudEvents),
    ("alertmanager", Form::Alertmanager),
    ("pagerduty", Form::PagerDuty),
    ("slack", Form::Slack),
    ("teams", Form::Teams),
    ("ntfy", Form::Ntfy),
];

impl Form {
    /// Whether the address itself is what lets one post.
    const fn has_secret_address(self) -> bool {
        matches!(self, Self::Slack | Self::Teams)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::CloudEvents => "cloudevents",
            Self::Alertmanager => "alertmanager",
            Self::PagerDuty => "pagerduty",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Ntfy => "ntfy",
        }
    }
}

pub(super) fn read(
    desk: &mut Desk,
    root: &mut Table,
    env: Environment<'_>,
    zones: &Names,
) -> Vec<WebhookOptions> {
    let mut names = Names::new("webhook");
    let mut targets = Vec::new();
    for (index, mut table) in root.tables(desk, "webhook").into_iter().enumerate() {
        let id = table.need(desk, "id", value::id);
        if let Some(id) = &id {
            names.add(desk, id, index);
        }
        let options = webhook(desk, &mut table, env, zones);
        table.finish(desk);
        if let (Some(id), Some(options)) = (id, options) {
            targets.push(WebhookOptions { name: id.value, ..options });
        }
    }
    targets
}

fn webhook(
    desk: &mut Desk,
    table: &mut Table,
    env: Environment<'_>,
    zones: &Names,
) -> Option<WebhookOptions> {
    let form = table.may(desk, "preset", value::word(PRESETS)).unwrap_or(Form::Standard);
    let read_address = || address::read(form.has_secret_address(), env);
    let url = if form == Form::PagerDuty {
        let given = table.has("url");
        let url = table.may(desk, "url", read_address());
        let usual = At { value: SecretString::from(PAGERDUTY_URL), at: table.at };
        if given { url } else { Some(usual) }
    } else {
        table.need(desk, "url", read_address())
    };
    let url_backup = table.may(desk, "url_backup", read_address());
    let preset = preset(desk, table, env, form);
    let hears = hears::read(desk, table, zones, form == Form::Alertmanager);
    let timeout = table.may(desk, "timeout", value::duration(100..=60_000));
    let queued = table.may(desk, "queued_max", value::whole(QUEUE));
    let allow_private = table.may(desk, "allow_private", value::flag).unwrap_or(false);
    let ca = table.may(desk, "ca", value::text);
    let ca = match ca {
        Some(ca) => Some(secrets::pem(desk, &ca)?),
        None => None,
    };
    for url in [&url, &url_backup].into_iter().flatten() {
        address::check_private(desk, url, allow_private);
    }
    Some(WebhookOptions {
        name: String::new(),
        preset: preset?,
        url: url?.value,
        url_backup: url_backup.map(|url| url.value),
        hears,
        timeout: timeout.map_or(Millis(10_000), |timeout| timeout.value),
        queued_max: count(queued, 1_000),
        allow_private,
        ca,
    })
}

/// The preset with the secrets that it needs; others are refused.
fn preset(desk: &mut Desk, table: &mut Table, env: Environment<'_>, form: Form) -> Option<Preset> {
    let (has_one, has_several) = (table.has("secret"), table.has("secrets"));
    let one = table.may(desk, "secret", |desk, key, node| secrets::read(desk, key, node, env));
    let several = table.may(
        desk,
        "secrets",
        value::filled_list(|desk: &mut Desk, key: &str, node| secrets::read(desk, key, node, env)),
    );
    let refuse = |desk: &mut Desk, help: &str| {
        let sentence = format!("the preset `{}` takes no such secret", form.word());
        desk.say(Code::PresetSecret, table.at, sentence).label("has one").help(help);
    };
    match form {
        Form::Standard | Form::CloudEvents => {
            let keys = keys(desk, table, one, several, (has_one, has_several))?;
            Some(if form == Form::Standard {
                Preset::Standard { keys }
            } else {
                Preset::CloudEvents { keys }
            })
        }
        Form::Alertmanager | Form::Slack | Form::Teams => {
            if has_one || has_several {
                refuse(desk, "leave `secret` out; the address of a chat's webhook is itself the secret");
            }
            Some(match form {
                Form::Slack => Preset::Slack,
                Form::Teams => Preset::Teams,
                _ => Preset::Alertmanager,
            })
        }
        Form::PagerDuty | Form::Ntfy => {
            if has_several {
                refuse(desk, "write one `secret`: only signatures can be made with several keys");
            }
            if form == Form::Ntfy {
                return Some(Preset::Ntfy { token: one.map(|token| token.value) });
            }
            if !has_one {
                need(desk, table, "the routing key of the integration");
            }
            Some(Preset::PagerDuty { routing_key: one?.value })
        }
    }
}

/// `secret`, or `secrets` while they are being rotated.
fn keys(
    desk: &mut Desk,
    table: &Table,
    one: Option<At<SecretString>>,
    several: Option<At<Vec<At<SecretString>>>>,
    (has_one, has_several): (bool, bool),
) -> Option<Vec<SecretString>> {
    match (has_one, has_several) {
        (false, false) => need(desk, table, "a key to sign with"),
        (true, true) => {
            desk.say(Code::PresetSecret, table.at, "both `secret` and `secrets` are written")
                .help("write all keys in `secrets`");
        }
        (true, false) | (false, true) => {}
    }
    let all = several.map_or_else(|| one.into_iter().collect(), |several| several.value);
    for key in &all {
        if !is_key(&key.value) {
            desk.say(Code::SecretForm, key.at, "this is not a webhook secret")
                .label("must be `whsec_` and base64 of 24 to 64 bytes, or `whsk_` and an Ed25519 key")
                .help("make one: echo whsec_$(head -c 32 /dev/urandom | base64)");
        }
    }
    (!all.is_empty()).then(|| all.into_iter().map(|key| key.value).collect())
}

fn need(desk: &mut Desk, table: &Table, what: &str) {
    desk.say(Code::PresetSecret, table.at, format!("this target needs `secret`: {what}"))
        .label("has none")
        .help("write secret = { credential = \"name\" }, { file = \"/path\" } or { env = \"NAME\" }");
}
