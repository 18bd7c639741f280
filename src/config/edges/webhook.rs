//! `[[webhook]]`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::node::At;
use crate::config::secrets::{self, Environment};
use crate::config::table::Table;
use crate::config::value;
use crate::notify::options::WebhookOptions;
use crate::safety::site::Priority;
use crate::units::Millis;

use super::{QUEUE, count, url};

const PRIORITIES: &[(&str, Priority)] = &[
    ("low", Priority::Low),
    ("medium", Priority::Medium),
    ("high", Priority::High),
    ("critical", Priority::Critical),
];

/// Bytes of a key by the Standard Webhooks scheme.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

pub(super) fn read(desk: &mut Desk, root: &mut Table, env: Environment) -> Vec<WebhookOptions> {
    let mut names = Names::new("webhook");
    let tables = root.tables(desk, "webhook").into_iter().enumerate();
    tables.filter_map(|(index, table)| webhook(desk, table, env, &mut names, index)).collect()
}

fn webhook(
    desk: &mut Desk,
    mut table: Table,
    env: Environment,
    names: &mut Names,
    index: usize,
) -> Option<WebhookOptions> {
    let id = table.need(desk, "id", value::id);
    if let Some(id) = &id {
        names.add(desk, id, index);
    }
    let url = table.need(desk, "url", value::text);
    let secret = table.need(desk, "secret", |desk, key, node| secrets::read(desk, key, node, env));
    let priority_min = table.may(desk, "priority_min", value::word(PRIORITIES));
    let timeout = table.may(desk, "timeout", value::duration(100..=60_000));
    let queued = table.may(desk, "queued_max", value::whole(QUEUE));
    let allow_private = table.may(desk, "allow_private", value::flag).unwrap_or(false);
    table.finish(desk);
    if let Some(secret) = &secret {
        check_secret(desk, secret);
    }
    let url = url?;
    if url::check(desk, &url)?.is_private() && !allow_private {
        desk.say(Code::PrivateTarget, url.at, "this target is on this machine or in a private network")
            .label("refused when messages are sent")
            .help("write allow_private = true if that is meant");
    }
    Some(WebhookOptions {
        name: id?.value,
        url: url.value,
        secret: secret?.value,
        priority_min: priority_min.unwrap_or(Priority::High),
        timeout: timeout.map_or(Millis(10_000), |timeout| timeout.value),
        queued_max: count(queued, 1_000),
        allow_private,
    })
}

fn check_secret(desk: &mut Desk, secret: &At<SecretString>) {
    let key = secret.value.expose_secret().strip_prefix("whsec_");
    let bytes = key.and_then(|key| BASE64_STANDARD.decode(key).ok()).map(|bytes| bytes.len());
    if !bytes.is_some_and(|bytes| KEY_BYTES.contains(&bytes)) {
        desk.say(Code::SecretForm, secret.at, "this is not a webhook secret")
            .label("must be `whsec_` and base64 of 24 to 64 bytes")
            .help("make one: echo whsec_$(head -c 32 /dev/urandom | base64)");
    }
}
