//! Addresses that messages go to. Some are secrets: whoever knows the address of a chat's webhook can post there.

use secrecy::{ExposeSecret, SecretString};

use super::url;
use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::node::{At, Node};
use crate::config::secrets::{self, Environment};
use crate::config::value;

/// An address: text, or a reference to a secret. With `secret` only the latter will do.
pub(super) fn read(
    secret: bool,
    env: Environment<'_>,
) -> impl FnOnce(&mut Desk, &str, At<Node>) -> Option<At<SecretString>> {
    move |desk, key, node| {
        if secret || matches!(node.value, Node::Table(_)) {
            return secrets::read(desk, key, node, env).filter(|url| {
                let usable = url::parse(url.value.expose_secret()).is_some();
                if !usable {
                    desk.say(Code::BadUrl, url.at, format!("the secret of `{key}` cannot be used as a URL"))
                        .help("it is to hold https://host/path, without user name or blanks");
                }
                usable
            });
        }
        let text = value::text(desk, key, node)?;
        url::check(desk, &text)?;
        Some(At { value: SecretString::from(text.value), at: text.at })
    }
}

/// Complains about a target that its guard would refuse later.
pub(super) fn check_private(desk: &mut Desk, url: &At<SecretString>, allow_private: bool) {
    let private = url::parse(url.value.expose_secret()).is_some_and(|parts| parts.is_private());
    if private && !allow_private {
        desk.say(Code::PrivateTarget, url.at, "this target is on this machine or in a private network")
            .label("refused when messages are sent")
            .help("write allow_private = true if that is meant");
    }
}
