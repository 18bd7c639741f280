//! `[web]` and its operators.

use std::net::SocketAddr;

use secrecy::ExposeSecret;

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::secrets::{self, Environment};
use crate::config::table::Table;
use crate::config::value;
use crate::web::options::{OperatorOptions, WebOptions};

/// The shortest token.
const TOKEN_CHARS_MIN: usize = 16;

pub(super) fn read(desk: &mut Desk, mut table: Table, env: Environment) -> Option<WebOptions> {
    let listen = table.need(desk, "listen", value::text);
    let metrics_cells = table.may(desk, "metrics_cells", value::flag).unwrap_or(false);
    let mut names = Names::new("operator");
    let mut operators: Vec<OperatorOptions> = Vec::new();
    for (index, mut table) in table.tables(desk, "operator").into_iter().enumerate() {
        let name = table.need(desk, "name", value::filled);
        let token = table.need(desk, "token", |desk, key, node| secrets::read(desk, key, node, env));
        table.finish(desk);
        if let Some(name) = &name {
            names.add(desk, name, index);
        }
        let (Some(name), Some(token)) = (name, token) else { continue };
        let text = token.value.expose_secret();
        let known = operators.iter().any(|other| other.token.expose_secret() == text);
        if known || text.chars().count() < TOKEN_CHARS_MIN {
            desk.say(Code::SecretForm, token.at, "this token cannot be used")
                .label(if known { "another operator has the same" } else { "shorter than 16 characters" })
                .help("make one: head -c 24 /dev/urandom | base64");
        }
        operators.push(OperatorOptions { name: name.value, token: token.value });
    }
    table.finish(desk);
    let listen = listen?;
    let Ok(address) = listen.value.parse::<SocketAddr>() else {
        desk.say(Code::BadAddress, listen.at, format!("`{}` is not an address to listen on", listen.value))
            .help("write for instance \"127.0.0.1:8080\"; a host name cannot be listened on");
        return None;
    };
    if !address.ip().is_loopback() && operators.is_empty() {
        desk.say(Code::OpenWithoutOperators, listen.at, "the page is open to the network without operators")
            .label("not loopback")
            .help("add `[[web.operator]]`, or listen on 127.0.0.1");
    }
    Some(WebOptions { listen: address, metrics_cells, operators })
}
