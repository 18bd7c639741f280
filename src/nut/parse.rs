//! One line of the protocol (RFC 9271, and upsd's older words): what a client wants.
//!
//! Words are divided by blanks; between quotes blanks belong to the word, and a backslash takes the next character as
//! it is. Commands are known in capitals and small letters; names of UPSs and variables are taken as written.

/// The longest line.
pub const LINE_BYTES_MAX: usize = 1024;

/// The most words of a line that mean anything.
const WORDS_MAX: usize = 8;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// All UPSs.
    ListUps,
    /// Something of one UPS, as a list.
    List(List, String),
    /// The values that a variable may be set to.
    ListOf(ListOf, String, String),
    /// Something of one UPS.
    Get(Get, String),
    /// Something of one variable.
    GetOf(GetOf, String, String),
    /// Whether writing is tracked.
    GetTracking,
    /// Who it is.
    Username(String),
    /// The proof.
    Password(String),
    /// It draws power from this UPS.
    Login(String),
    /// It leaves.
    Logout,
    /// It shuts down after all others of this UPS.
    Primary {
        /// Of which UPS.
        ups: String,
        /// Said in the old word.
        legacy: bool,
    },
    /// All machines of this UPS are to shut down.
    ForcedShutdown(String),
    /// A variable is to be set, or tracking.
    Set,
    /// A command for the UPS.
    Instant,
    /// Which program this is.
    Version,
    /// Which protocol this is.
    ProtocolVersion,
    /// What may be said.
    Help,
    /// Go on in TLS.
    StartTls,
}

/// What can be listed of a UPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Its variables.
    Var,
    /// Those that can be written.
    Rw,
    /// Its commands.
    Cmd,
    /// Who has logged in.
    Client,
}

/// What can be listed of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOf {
    /// Its words.
    Enum,
    /// Its ranges.
    Range,
}

/// What can be asked of a UPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Get {
    /// How many have logged in.
    NumLogins,
    /// What people call it.
    UpsDesc,
}

/// What can be asked of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetOf {
    /// Its value.
    Var,
    /// Its type.
    Type,
    /// Its meaning.
    Desc,
    /// The meaning of a command.
    CmdDesc,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseFault {
    /// The first word is none of the protocol.
    UnknownCommand,
    /// A word is missing, too much, or not known here.
    InvalidArgument,
}

/// Reads one line, without its end.
pub fn parse(line: &str) -> Result<Command, ParseFault> {
    let words = words(line)?;
    let mut words = words.into_iter();
    let first = words.next().ok_or(ParseFault::UnknownCommand)?.to_ascii_uppercase();
    let rest: Vec<String> = words.collect();
    match (first.as_str(), rest.as_slice()) {
        ("LIST", [what, rest @ ..]) => list(what, rest),
        ("GET", [what, rest @ ..]) => get(what, rest),
        ("USERNAME", [name]) => Ok(Command::Username(name.clone())),
        ("PASSWORD", [password]) => Ok(Command::Password(password.clone())),
        ("LOGIN" | "ATTACH", [ups]) => Ok(Command::Login(ups.clone())),
        ("LOGOUT" | "DETACH", []) => Ok(Command::Logout),
        ("PRIMARY", [ups]) => Ok(Command::Primary { ups: ups.clone(), legacy: false }),
        ("MASTER", [ups]) => Ok(Command::Primary { ups: ups.clone(), legacy: true }),
        ("FSD", [ups]) => Ok(Command::ForcedShutdown(ups.clone())),
        ("SET", [_, ..]) => Ok(Command::Set),
        ("INSTCMD", [_, _, ..]) => Ok(Command::Instant),
        ("VER", []) => Ok(Command::Version),
        ("NETVER" | "PROTVER", []) => Ok(Command::ProtocolVersion),
        ("HELP", []) => Ok(Command::Help),
        ("STARTTLS", []) => Ok(Command::StartTls),
        (
            "LIST" | "GET" | "USERNAME" | "PASSWORD" | "LOGIN" | "ATTACH" | "LOGOUT" | "DETACH" | "PRIMARY"
            | "MASTER" | "FSD" | "SET" | "INSTCMD" | "VER" | "NETVER" | "PROTVER" | "HELP" | "STARTTLS",
            _,
        ) => Err(ParseFault::InvalidArgument),
        _ => Err(ParseFault::UnknownCommand),
    }
}

fn list(what: &str, rest: &[String]) -> Result<Command, ParseFault> {
    match (what.to_ascii_uppercase().as_str(), rest) {
        ("UPS", []) => Ok(Command::ListUps),
        ("VAR", [ups]) => Ok(Command::List(List::Var, ups.clone())),
        ("RW", [ups]) => Ok(Command::List(List::Rw, ups.clone())),
        ("CMD", [ups]) => Ok(Command::List(List::Cmd, ups.clone())),
        ("CLIENT", [ups]) => Ok(Command::List(List::Client, ups.clone())),
        ("ENUM", [ups, variable]) => Ok(Command::ListOf(ListOf::Enum, ups.clone(), variable.clone())),
        ("RANGE", [ups, variable]) => Ok(Command::ListOf(ListOf::Range, ups.clone(), variable.clone())),
        _ => Err(ParseFault::InvalidArgument),
    }
}

fn get(what: &str, rest: &[String]) -> Result<Command, ParseFault> {
    let of = |what, ups: &String, name: &String| Ok(Command::GetOf(what, ups.clone(), name.clone()));
    match (what.to_ascii_uppercase().as_str(), rest) {
        ("VAR", [ups, name]) => of(GetOf::Var, ups, name),
        ("TYPE", [ups, name]) => of(GetOf::Type, ups, name),
        ("DESC", [ups, name]) => of(GetOf::Desc, ups, name),
        ("CMDDESC", [ups, name]) => of(GetOf::CmdDesc, ups, name),
        ("UPSDESC", [ups]) => Ok(Command::Get(Get::UpsDesc, ups.clone())),
        ("NUMLOGINS", [ups]) => Ok(Command::Get(Get::NumLogins, ups.clone())),
        ("TRACKING", _) => Ok(Command::GetTracking),
        _ => Err(ParseFault::InvalidArgument),
    }
}

fn words(line: &str) -> Result<Vec<String>, ParseFault> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let next = chars.next().ok_or(ParseFault::InvalidArgument)?;
                word.get_or_insert_default().push(next);
            }
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
        if WORDS_MAX < words.len() {
            return Err(ParseFault::InvalidArgument);
        }
    }
    words.extend(word);
    if quoted { Err(ParseFault::InvalidArgument) } else { Ok(words) }
}

/// A text between quotes, as clients read it back: on one line.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_read_in_any_case_and_in_its_older_words() {
        let ups = || "ups-a".to_owned();
        let name = || "battery.charge".to_owned();
        for (line, command) in [
            ("LIST UPS", Command::ListUps),
            ("list var ups-a", Command::List(List::Var, ups())),
            ("LIST RW ups-a", Command::List(List::Rw, ups())),
            ("LIST CMD ups-a", Command::List(List::Cmd, ups())),
            ("LIST CLIENT ups-a", Command::List(List::Client, ups())),
            ("LIST ENUM ups-a battery.charge", Command::ListOf(ListOf::Enum, ups(), name())),
            ("LIST RANGE ups-a battery.charge", Command::ListOf(ListOf::Range, ups(), name())),
            ("GET VAR ups-a battery.charge", Command::GetOf(GetOf::Var, ups(), name())),
            ("GET TYPE ups-a battery.charge", Command::GetOf(GetOf::Type, ups(), name())),
            ("GET DESC ups-a battery.charge", Command::GetOf(GetOf::Desc, ups(), name())),
            ("GET CMDDESC ups-a battery.charge", Command::GetOf(GetOf::CmdDesc, ups(), name())),
            ("GET UPSDESC ups-a", Command::Get(Get::UpsDesc, ups())),
            ("GET NUMLOGINS ups-a", Command::Get(Get::NumLogins, ups())),
            ("GET TRACKING", Command::GetTracking),
            ("USERNAME kim", Command::Username("kim".to_owned())),
            ("  PASSWORD\t\"a \\\"b\\\\\" ", Command::Password("a \"b\\".to_owned())),
            ("PASSWORD \"\"", Command::Password(String::new())),
            ("LOGIN ups-a", Command::Login(ups())),
            ("ATTACH ups-a", Command::Login(ups())),
            ("LOGOUT", Command::Logout),
            ("DETACH", Command::Logout),
            ("PRIMARY ups-a", Command::Primary { ups: ups(), legacy: false }),
            ("MASTER ups-a", Command::Primary { ups: ups(), legacy: true }),
            ("FSD ups-a", Command::ForcedShutdown(ups())),
            ("SET VAR ups-a ups.id \"x\"", Command::Set),
            ("INSTCMD ups-a load.off", Command::Instant),
            ("INSTCMD ups-a load.off.delay 120", Command::Instant),
            ("VER", Command::Version),
            ("NETVER", Command::ProtocolVersion),
            ("PROTVER", Command::ProtocolVersion),
            ("HELP", Command::Help),
            ("STARTTLS", Command::StartTls),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_says_why() {
        for line in ["", "   ", "FETCH ups-a", "GET/ HTTP/1.1", "\u{16}\u{3}\u{1}"] {
            assert_eq!(parse(line), Err(ParseFault::UnknownCommand), "{line}");
        }
        for line in [
            "LIST",
            "LIST VAR",
            "LIST UPS a",
            "GET VAR a",
            "GET VAR a b c",
            "GET / HTTP/1.1",
            "USERNAME",
            "USERNAME a b",
            "LOGIN",
            "LOGOUT now",
            "FSD",
            "SET",
            "INSTCMD a",
            "VER 1",
            "PASSWORD \"a",
            "PASSWORD a\\",
            "GET VAR a b c d e f g h i j k",
        ] {
            assert_eq!(parse(line), Err(ParseFault::InvalidArgument), "{line}");
        }
    }

    #[test]
    fn a_text_between_quotes_is_read_back_as_it_was() {
        for text in ["", "OL", "a \"b\" \\ c", "Büro"] {
            let line = format!("PASSWORD {}", quoted(text));
            assert_eq!(parse(&line), Ok(Command::Password(text.to_owned())), "{line}");
        }
        assert_eq!(quoted("one\ntwo"), "\"one two\"");
    }
}
