//! What a client is answered: one command, one answer. It reads how things stand and changes nothing but itself.
//!
//! Nothing that comes over the network may start a cut, shut machines down or write to a device: `FSD`, `SET` and
//! `INSTCMD` are refused to everybody. Looking needs no password, as with upsd; logging in does.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock;
use crate::nut::options::Role;
use crate::nut::options::names;
use crate::nut::parse::{Command, Get, GetOf, List, ListOf, ParseFault, parse, quoted};
use crate::nut::users::{Login, Logins, Users};
use crate::nut::view::{NoData, View};

/// The version of the protocol that is spoken.
const PROTOCOL: &str = "1.3";

/// What all clients share.
#[derive(Debug)]
pub(super) struct House {
    pub(super) view: Mutex<View>,
    pub(super) users: Users,
    pub(super) logins: Arc<Logins>,
    /// Whether STARTTLS can be had.
    pub(super) has_tls: bool,
}

impl House {
    pub(super) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client.
#[derive(Debug)]
pub(super) struct Dialogue {
    house: Arc<House>,
    client: IpAddr,
    /// Nothing but a few words is answered before STARTTLS.
    must_secure: bool,
    secured: bool,
    username: Option<String>,
    password: Option<String>,
    login: Option<(usize, Login)>,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The next line.
    GoOn,
    /// The next line, a little later: it had the wrong password.
    Wait,
    /// Go on in TLS.
    Secure,
    /// The end.
    Leave,
}

type Answer = Result<(String, Then), &'static str>;

#[expect(clippy::unnecessary_wraps, reason = "an answer among others that may be refusals")]
fn say(text: impl Into<String>) -> Answer {
    Ok((text.into(), Then::GoOn))
}

impl Dialogue {
    pub(super) fn new(house: Arc<House>, client: IpAddr, must_secure: bool) -> Self {
        Self { house, client, must_secure, secured: false, username: None, password: None, login: None }
    }

    /// From now on it is in TLS. What was said before counts no more.
    pub(super) fn secured(&mut self) {
        (self.secured, self.username, self.password, self.login) = (true, None, None, None);
    }

    /// Whether it has logged in.
    pub(super) fn has_logged_in(&self) -> bool {
        self.login.is_some()
    }

    /// The answer to a line: one or more lines, each with its end.
    pub(super) fn answer(&mut self, line: &str) -> (String, Then) {
        let answer = match parse(line) {
            Ok(command) => self.follow(command),
            Err(ParseFault::UnknownCommand) => Err("UNKNOWN-COMMAND"),
            Err(ParseFault::InvalidArgument) => Err("INVALID-ARGUMENT"),
        };
        match answer {
            Ok((text, then)) => (format!("{text}\n"), then),
            Err("ACCESS-DENIED") => ("ERR ACCESS-DENIED\n".to_owned(), Then::Wait),
            Err(fault) => (format!("ERR {fault}\n"), Then::GoOn),
        }
    }

    fn follow(&mut self, command: Command) -> Answer {
        match command {
            Command::Version => {
                return say(format!("emberwatch {} (NUT protocol)", env!("CARGO_PKG_VERSION")));
            }
            Command::ProtocolVersion => return say(PROTOCOL),
            Command::Help => {
                return say(
                    "Commands: HELP VER NETVER PROTVER GET LIST USERNAME PASSWORD LOGIN ATTACH LOGOUT DETACH \
                     PRIMARY MASTER STARTTLS",
                );
            }
            Command::Logout => return Ok(("OK Goodbye".to_owned(), Then::Leave)),
            Command::StartTls if self.secured => return Err("TLS-ALREADY-ENABLED"),
            Command::StartTls if !self.house.has_tls => return Err("FEATURE-NOT-CONFIGURED"),
            Command::StartTls => return Ok(("OK STARTTLS".to_owned(), Then::Secure)),
            _ if self.must_secure && !self.secured => return Err("TLS-NOT-ENABLED"),
            _ => {}
        }
        match command {
            Command::Username(_) if self.username.is_some() => Err("ALREADY-SET-USERNAME"),
            Command::Username(name) => {
                self.username = Some(name);
                say("OK")
            }
            Command::Password(_) if self.password.is_some() => Err("ALREADY-SET-PASSWORD"),
            Command::Password(password) => {
                self.password = Some(password);
                say("OK")
            }
            Command::Login(ups) => self.log_in(&ups),
            Command::Primary { ups, legacy } => {
                self.role()?;
                let _known = self.find(&ups)?;
                match self.role()? {
                    Role::Primary if legacy => say("OK MASTER-GRANTED"),
                    Role::Primary => say("OK PRIMARY-GRANTED"),
                    Role::Secondary => Err("ACCESS-DENIED"),
                }
            }
            Command::ForcedShutdown(ups) => self.forced_shutdown(&ups),
            Command::Set | Command::Instant => {
                self.role()?;
                Err("ACCESS-DENIED")
            }
            Command::GetTracking => say("OFF"),
            command => self.look(command),
        }
    }

    /// Who the client is, as far as it may be something.
    fn role(&self) -> Result<Role, &'static str> {
        let name = self.username.as_deref().ok_or("USERNAME-REQUIRED")?;
        let password = self.password.as_deref().ok_or("PASSWORD-REQUIRED")?;
        self.house.users.role(name, password).ok_or("ACCESS-DENIED")
    }

    fn find(&self, ups: &str) -> Result<usize, &'static str> {
        self.house.view().find(ups).ok_or("UNKNOWN-UPS")
    }

    fn log_in(&mut self, name: &str) -> Answer {
        let role = self.role()?;
        let ups = self.find(name)?;
        if self.login.is_some() {
            return Err("ALREADY-ATTACHED");
        }
        tracing::info!(ups = name, client = %self.client, ?role, "a machine logged in");
        self.login = Some((ups, self.house.logins.enter(ups, self.client)));
        say("OK")
    }

    /// A client may not shut the others down. Where they are told already there is nothing left to start, and its
    /// primary may go on in good order.
    fn forced_shutdown(&self, name: &str) -> Answer {
        let role = self.role()?;
        let ups = self.find(name)?;
        if role == Role::Primary && self.house.view().is_forced(ups) {
            return say("OK FSD-SET");
        }
        tracing::warn!(ups = name, client = %self.client, "a client asked for a forced shutdown and was refused");
        Err("ACCESS-DENIED")
    }

    fn look(&self, command: Command) -> Answer {
        let view = self.house.view();
        let find = |name: &str| view.find(name).ok_or("UNKNOWN-UPS");
        let now = clock::uptime();
        match command {
            Command::ListUps => say(list(
                "UPS",
                view.upses().map(|(name, description)| format!("UPS {name} {}", quoted(description))),
            )),
            Command::List(List::Var, name) => {
                let values = view.variables(find(&name)?, now).map_err(code)?;
                let lines = values.iter().map(|(key, value)| format!("VAR {name} {key} {}", quoted(value)));
                say(list(&format!("VAR {name}"), lines))
            }
            Command::List(List::Client, name) => {
                let clients = self.house.logins.of(find(&name)?);
                let lines = clients.iter().map(|client| format!("CLIENT {name} {client}"));
                say(list(&format!("CLIENT {name}"), lines))
            }
            Command::List(what @ (List::Rw | List::Cmd), name) => {
                find(&name)?;
                let word = if what == List::Rw { "RW" } else { "CMD" };
                say(list(&format!("{word} {name}"), std::iter::empty()))
            }
            Command::ListOf(what, name, variable) => {
                view.is_number(find(&name)?, &variable).ok_or("VAR-NOT-SUPPORTED")?;
                let word = if what == ListOf::Enum { "ENUM" } else { "RANGE" };
                say(list(&format!("{word} {name} {variable}"), std::iter::empty()))
            }
            Command::Get(Get::NumLogins, name) => {
                let count = self.house.logins.of(find(&name)?).len();
                say(format!("NUMLOGINS {name} {count}"))
            }
            Command::Get(Get::UpsDesc, name) => {
                let description = quoted(view.description(find(&name)?));
                say(format!("UPSDESC {name} {description}"))
            }
            Command::GetOf(GetOf::Var, name, variable) => {
                let value = view.variable(find(&name)?, &variable, now).map_err(code)?;
                say(format!("VAR {name} {variable} {}", quoted(&value)))
            }
            Command::GetOf(GetOf::CmdDesc, name, _) => {
                find(&name)?;
                Err("CMD-NOT-SUPPORTED")
            }
            Command::GetOf(what @ (GetOf::Type | GetOf::Desc), name, variable) => {
                let number = view.is_number(find(&name)?, &variable).ok_or("VAR-NOT-SUPPORTED")?;
                match (what, number) {
                    (GetOf::Desc, _) => {
                        say(format!("DESC {name} {variable} {}", quoted(names::meaning(&variable))))
                    }
                    (_, true) => say(format!("TYPE {name} {variable} NUMBER")),
                    (_, false) => say(format!("TYPE {name} {variable} STRING:{TEXT_CHARS}")),
                }
            }
            _ => Err("INVALID-ARGUMENT"),
        }
    }
}

/// The longest text that clients are told to expect.
const TEXT_CHARS: usize = 512;

fn list(what: &str, lines: impl Iterator<Item = String>) -> String {
    let mut text = format!("BEGIN LIST {what}\n");
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str("END LIST ");
    text.push_str(what);
    text
}

const fn code(fault: NoData) -> &'static str {
    match fault {
        NoData::NotConnected => "DRIVER-NOT-CONNECTED",
        NoData::Stale => "DATA-STALE",
        NoData::NotSupported => "VAR-NOT-SUPPORTED",
    }
}
