//! The checks, in their order. What passes all of them is a request that the core may follow or refuse.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;

use super::bounds::Seen;
use super::{Answer, Recent, Rejection, Said, signed_bytes};
use crate::safety::fact::{Operator, Request};
use crate::safety::sequence::{Phase, RunId};
use crate::safety::site::{AlarmId, RoomId, SequenceId};
use crate::sinks::mqtt::options::{CommandOptions, Verb};
use crate::units::{Millis, Now, WallTime};
use crate::wire::{Board, time};

/// The largest command.
const BYTES_MAX: usize = 64 << 10;
/// How far the sender's clock may be from ours.
const SKEW_MAX: Millis = Millis::from_secs(30);
/// The longest id, and the longest text of a person.
const ID_CHARS_MAX: usize = 64;
const TEXT_CHARS_MAX: usize = 200;

/// What a command says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    id: String,
    ts: String,
    /// Who, as the sender claims.
    #[serde(default)]
    actor: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    expect: Expect,
    /// For how long to shelve, in seconds.
    for_s: Option<u64>,
    /// Shelve until the cause goes, if that is earlier.
    #[serde(default)]
    one_shot: bool,
}

/// What must still be so.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// The occurrence of the alarm that was seen, as its document has it.
    occ: Option<String>,
    /// The revision of the alarm that was seen.
    rev: Option<u32>,
    /// The run that was seen, as the sequence's document has it.
    run: Option<String>,
}

/// What a command wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sinks::mqtt) enum Wish {
    /// Something of the core.
    Ask(Request),
    /// Everything that stands, told again.
    Refresh,
}

/// A command that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sinks::mqtt) struct Passed {
    pub(in crate::sinks::mqtt) id: String,
    /// Who asks, for the core and for all records: the name of the key, and that it came over MQTT.
    pub(in crate::sinks::mqtt) by: Operator,
    /// Who, as the sender claims.
    pub(in crate::sinks::mqtt) actor: String,
    pub(in crate::sinks::mqtt) reason: String,
    pub(in crate::sinks::mqtt) wish: Wish,
}

/// What came of the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sinks::mqtt) enum Judged {
    /// All of them hold.
    Passed(Passed),
    /// It is answered at once.
    Answered(Answer),
    /// The same command is being carried out; its answer comes to whoever asked first.
    UnderWay,
}

/// Who stands at the door.
#[derive(Debug)]
pub(in crate::sinks::mqtt) struct Gate {
    options: CommandOptions,
    /// Before `cmd/`, by room.
    prefixes: BTreeMap<String, RoomId>,
    recent: Recent,
    /// Nothing from before this is carried out: it may have been, by whoever ran here before. Half a minute after the start,
    /// since a clock may be that far ahead; and whenever the clock is set back, what it showed at the latest.
    not_before: WallTime,
    /// The latest that our clock has shown.
    latest: WallTime,
}

impl Gate {
    /// `prefixes` are the topics before `cmd/`, each with its room.
    pub(in crate::sinks::mqtt) fn new(
        options: CommandOptions,
        prefixes: BTreeMap<String, RoomId>,
        now: Now,
    ) -> Self {
        let not_before = WallTime(now.wall.0.saturating_add_unsigned(SKEW_MAX.0));
        Self { options, prefixes, recent: Recent::default(), not_before, latest: now.wall }
    }

    /// What is subscribed.
    pub(in crate::sinks::mqtt) fn filters(&self) -> Vec<String> {
        self.prefixes.keys().map(|prefix| format!("{prefix}/cmd/+")).collect()
    }

    /// The room and the verb of a topic; `None`: no command.
    pub(in crate::sinks::mqtt) fn place<'a>(&self, topic: &'a str) -> Option<(RoomId, &'a str)> {
        let (prefix, verb) = topic.rsplit_once("/cmd/")?;
        Some((*self.prefixes.get(prefix)?, verb))
    }

    /// Where the sender may be answered: below our own results, or where the site allows it.
    pub(in crate::sinks::mqtt) fn may_answer_on(&self, topic: &str) -> bool {
        let plain = !topic.is_empty() && !topic.contains(['+', '#', '\0']);
        let own = self
            .prefixes
            .keys()
            .any(|prefix| topic.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with("/res/")));
        let allowed = self.options.respond_to.iter().any(|prefix| topic.starts_with(prefix.as_str()));
        plain && (own || allowed)
    }

    /// Judges a command of this room and with this verb.
    pub(in crate::sinks::mqtt) fn judge(
        &mut self,
        said: &Said,
        (room, verb): (RoomId, &str),
        board: &Board,
        now: Now,
    ) -> Judged {
        let mut id = None;
        match self.check(said, room, verb, board, now, &mut id) {
            Ok(judged) => judged,
            Err(rejection) => {
                let answer = Answer { id, rejection: Some(rejection), again: false };
                self.recent.answered(&answer);
                Judged::Answered(answer)
            }
        }
    }

    /// What became of a command that had passed.
    pub(in crate::sinks::mqtt) fn answered(&mut self, answer: &Answer) {
        self.recent.answered(answer);
    }

    fn check(
        &mut self,
        said: &Said,
        room: RoomId,
        verb: &str,
        board: &Board,
        now: Now,
        id: &mut Option<String>,
    ) -> Result<Judged, Rejection> {
        if said.retained {
            return Err(Rejection::Retained);
        }
        if BYTES_MAX < said.payload.len() {
            return Err(Rejection::TooLarge);
        }
        let command = read(&said.payload)?;
        let verb =
            Verb::of(verb).filter(|verb| self.options.allow.contains(verb)).ok_or(Rejection::NotAllowed)?;
        let by = self.sender(said, verb)?;
        // From here on it is who it says: its id may be repeated to it, and is remembered.
        *id = Some(command.id.clone());
        self.is_of_now(&command, now)?;
        match self.recent.of(&command.id) {
            Seen::Never => {}
            Seen::UnderWay => return Ok(Judged::UnderWay),
            Seen::Answered(answer) => return Ok(Judged::Answered(Answer { again: true, ..answer.clone() })),
        }
        if !self.recent.see(&command.id, now.uptime, SKEW_MAX.times(4)) {
            return Err(Rejection::Busy);
        }
        let wish = wish(&command, verb, room, board)?;
        let Command { id, actor, reason, .. } = command;
        Ok(Judged::Passed(Passed { id, by, actor, reason, wish }))
    }

    /// Who has signed it, if that one may.
    fn sender(&self, said: &Said, verb: Verb) -> Result<Operator, Rejection> {
        let (name, signature) = match (&said.key, &said.signature) {
            (None, None) if verb.may_be_unsigned() && !self.options.require_signature => {
                return Ok(Operator::from("mqtt"));
            }
            (Some(name), Some(signature)) => (name, signature),
            _ => return Err(Rejection::Unauthorised),
        };
        let key = self.options.keys.iter().find(|key| key.name == *name).ok_or(Rejection::Unauthorised)?;
        let signature = signature.strip_prefix("v1a,").and_then(|text| STANDARD.decode(text).ok());
        let signature = signature.ok_or(Rejection::Unauthorised)?;
        let public = UnparsedPublicKey::new(&ED25519, &key.public_key);
        let bytes = signed_bytes(&said.topic, &said.payload);
        public.verify(&bytes, &signature).map_err(|_| Rejection::Unauthorised)?;
        if !key.allow.contains(&verb) {
            return Err(Rejection::NotAllowed);
        }
        Ok(Operator::from(format!("mqtt:{name}")))
    }

    fn is_of_now(&mut self, command: &Command, now: Now) -> Result<(), Rejection> {
        if now.wall.0 < self.latest.0 {
            // Set back: what was said until then must not become young again.
            self.not_before = WallTime(self.not_before.0.max(self.latest.0));
        }
        self.latest = WallTime(self.latest.0.max(now.wall.0));
        let at = time::parse(&command.ts)
            .ok_or_else(|| Rejection::Malformed("`ts` is no RFC 3339 time".to_owned()))?;
        let skew = at.0.abs_diff(now.wall.0);
        if SKEW_MAX.0 < skew || at.0 < self.not_before.0 {
            return Err(Rejection::Expired);
        }
        Ok(())
    }
}

/// The JSON, within its bounds.
fn read(payload: &[u8]) -> Result<Command, Rejection> {
    let command: Command =
        serde_json::from_slice(payload).map_err(|error| Rejection::Malformed(error.to_string()))?;
    let bad = |what: &str| Err(Rejection::Malformed(what.to_owned()));
    let plain = |text: &str| !text.chars().any(char::is_control);
    if command.id.is_empty() || ID_CHARS_MAX < command.id.chars().count() || !plain(&command.id) {
        return bad("`id` must have 1 to 64 characters");
    }
    for text in [&command.actor, &command.reason, &command.target] {
        if TEXT_CHARS_MAX < text.chars().count() || !plain(text) {
            return bad("`actor`, `reason` and `target` have at most 200 characters, in one line");
        }
    }
    Ok(command)
}

/// What it wants, of things that are as it expects.
fn wish(command: &Command, verb: Verb, room: RoomId, board: &Board) -> Result<Wish, Rejection> {
    let seconds =
        || command.for_s.ok_or_else(|| Rejection::Malformed("`for_s` is missing: for how long?".to_owned()));
    let request = match verb {
        Verb::Refresh => return Ok(Wish::Refresh),
        Verb::Ack => {
            let alarm = alarm(command, room, board)?;
            Request::Acknowledge { alarm, occurrence: occurrence(command, alarm, board)? }
        }
        Verb::Shelve => {
            let alarm = alarm(command, room, board)?;
            let occurrence = Some(occurrence(command, alarm, board)?);
            let lasting = Millis::from_secs(seconds()?);
            Request::Shelve { alarm, occurrence, lasting, one_shot: command.one_shot }
        }
        Verb::Unshelve => Request::Unshelve { alarm: alarm(command, room, board)? },
        Verb::Abort => {
            let sequence = sequence(command, room, board)?;
            Request::Abort { sequence, run: Some(run(command, sequence, board)?) }
        }
    };
    Ok(Wish::Ask(request))
}

fn alarm(command: &Command, room: RoomId, board: &Board) -> Result<AlarmId, Rejection> {
    let site = board.site();
    let found = site.alarms.iter().position(|alarm| alarm.name == command.target && alarm.room == room);
    let alarm = found.map(AlarmId::at).ok_or(Rejection::UnknownTarget)?;
    let revision = board.alarm(alarm).revision;
    if command.expect.rev.is_some_and(|expected| expected != revision) {
        return Err(Rejection::StaleRevision);
    }
    Ok(alarm)
}

/// The occurrence that was seen: it must be said, and be the one that stands.
fn occurrence(command: &Command, alarm: AlarmId, board: &Board) -> Result<u64, Rejection> {
    let seen = command.expect.occ.as_deref();
    let seen =
        seen.ok_or_else(|| Rejection::Malformed("`expect.occ` is missing: what was seen?".to_owned()))?;
    let stands = board.alarm(alarm).occurrence;
    (seen == board.envelope().occurrence(stands)).then_some(stands).ok_or(Rejection::StaleRevision)
}

fn sequence(command: &Command, room: RoomId, board: &Board) -> Result<SequenceId, Rejection> {
    let site = board.site();
    let found = site
        .sequences
        .iter()
        .position(|sequence| sequence.name == command.target && site[sequence.zone].room == room);
    found.map(SequenceId::at).ok_or(Rejection::UnknownTarget)
}

/// The run that was seen: it must be said, and be the one that there is.
fn run(command: &Command, sequence: SequenceId, board: &Board) -> Result<RunId, Rejection> {
    let seen = command.expect.run.as_deref();
    let seen =
        seen.ok_or_else(|| Rejection::Malformed("`expect.run` is missing: what was seen?".to_owned()))?;
    let Phase::Run(run) = &board.sequence(sequence).phase else { return Err(Rejection::StaleRevision) };
    (seen == board.envelope().run(run.id.0)).then_some(run.id).ok_or(Rejection::StaleRevision)
}

impl Verb {
    fn of(word: &str) -> Option<Self> {
        Self::TABLE.iter().find(|known| known.0 == word).map(|known| known.1)
    }

    /// What moves nothing and hides nothing: seen, and told again.
    pub(crate) const fn may_be_unsigned(self) -> bool {
        match self {
            Self::Ack | Self::Refresh => true,
            Self::Shelve | Self::Unshelve | Self::Abort => false,
        }
    }
}
