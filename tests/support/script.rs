//! A scenario file: what it is about, what happens when, and what must follow.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use crate::diary::Entry;
use crate::mirror::{SiteText, merged, with_copies};

/// One scenario, read.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) script: Script,
    pub(crate) site: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    pub(crate) title: String,
    pub(crate) why: String,
    /// A site in `tests/scenarios/sites/` that this scenario's own tables change.
    #[serde(default)]
    based_on: Option<String>,
    /// How long it plays.
    pub(crate) seconds: f64,
    /// The sequence whose decisions must be the same if it were armed and its breakers worked.
    pub(crate) same_decisions_if_armed: Option<String>,
    #[serde(default)]
    pub(crate) at: Vec<Moment>,
    pub(crate) expect: Vec<Expectation>,
}

/// What happens at one time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moment {
    pub(crate) s: f64,
    /// Points that read this from now on.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, f64>,
    /// Points that move steadily.
    #[serde(default)]
    pub(crate) ramp: BTreeMap<String, Ramp>,
    /// The same for every point whose name begins so, one after the other within `spread_s`.
    #[serde(default)]
    pub(crate) ramp_each: BTreeMap<String, Ramp>,
    #[serde(default)]
    pub(crate) spread_s: f64,
    /// Devices that stop answering.
    #[serde(default)]
    pub(crate) silent: Vec<String>,
    /// Devices that answer again.
    #[serde(default)]
    pub(crate) answers: Vec<String>,
    /// Points that the device disowns: it answers with its mark for "no value".
    #[serde(default)]
    pub(crate) no_value: Vec<String>,
    /// Devices that take so many seconds for every answer from now on.
    #[serde(default)]
    pub(crate) slow_s: BTreeMap<String, f64>,
    /// Devices that spoil every so-many-th answer from now on: busy, or damaged on the way.
    #[serde(default)]
    pub(crate) spoils_every: BTreeMap<String, u64>,
    /// How breakers behave from now on.
    #[serde(default)]
    pub(crate) breaker: BTreeMap<String, Behaviour>,
    /// What people ask.
    #[serde(default)]
    pub(crate) asks: Vec<Ask>,
    /// The wall clock is set forward, or back, by so long.
    pub(crate) wall_step_s: Option<f64>,
    /// The loop is held up for so long.
    pub(crate) held_up_s: Option<f64>,
    /// emberwatch ends, and starts again after so long with what it remembers.
    pub(crate) restart_s: Option<f64>,
    /// The same, but the machine was restarted too: no age is known.
    pub(crate) reboot_s: Option<f64>,
    /// The configured mode of sequences after the restart of this moment.
    #[serde(default)]
    pub(crate) configured_mode: BTreeMap<String, String>,
    /// The digest of what sequences go by after the restart of this moment.
    #[serde(default)]
    pub(crate) configured_proof: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ramp {
    pub(crate) to: f64,
    pub(crate) over_s: f64,
}

/// How a breaker takes a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Behaviour {
    Works,
    /// Acknowledges the command and does not move.
    Ignores,
    /// Refuses with a Modbus exception.
    Refuses,
    /// Does not answer, and does not move.
    NoAnswer,
    /// Does not answer, but moves.
    MovesWithoutAnswer,
    /// Answers and moves long after its answer was due.
    Late,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    pub(crate) who: String,
    /// acknowledge, reset-alarm, shelve, unshelve, out-of-service, in-service, abort, arm, disarm, select, start, reset-sequence, drill
    pub(crate) what: String,
    pub(crate) sequence: Option<String>,
    pub(crate) alarm: Option<String>,
    pub(crate) occurrence: Option<u64>,
    pub(crate) run: Option<u64>,
    /// For how long to shelve.
    pub(crate) for_s: Option<f64>,
    #[serde(default)]
    pub(crate) one_shot: bool,
    /// Why it is taken out of service.
    #[serde(default)]
    pub(crate) reason: String,
}

/// What must follow, or must not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    level: Option<String>,
    rule: Option<String>,
    alarm: Option<String>,
    /// Always `"alarms"`.
    figures: Option<String>,
    order: Option<String>,
    stage: Option<String>,
    sequence: Option<String>,
    point: Option<String>,
    vote: Option<String>,
    request: Option<String>,
    waiver: Option<String>,
    notice: Option<String>,
    /// Always `"gap"`.
    r#loop: Option<String>,
    /// How what is said begins; anything if left out.
    #[serde(default)]
    says: String,
    #[serde(default)]
    from_s: f64,
    by_s: Option<f64>,
    #[serde(default)]
    never: bool,
    times: Option<usize>,
}

impl Expectation {
    /// What is wrong with this diary, if anything.
    pub(crate) fn complaint(&self, diary: &[Entry]) -> Option<String> {
        let (kind, subject) = self.subject();
        let by_s = self.by_s.unwrap_or(f64::INFINITY);
        let found: Vec<&Entry> = diary
            .iter()
            .filter(|entry| entry.kind == kind && (subject == "any" || entry.subject == subject))
            .filter(|entry| entry.says.starts_with(&self.says))
            .filter(|entry| self.from_s <= entry.seconds() && entry.seconds() <= by_s)
            .collect();
        let met = match (self.never, self.times) {
            (true, _) => found.is_empty(),
            (false, Some(times)) => found.len() == times,
            (false, None) => !found.is_empty(),
        };
        let window = format!("between {} s and {by_s} s", self.from_s);
        let wanted = match (self.never, self.times) {
            (true, _) => "never".to_owned(),
            (false, Some(times)) => format!("{times} times"),
            (false, None) => "at least once".to_owned(),
        };
        (!met).then(|| {
            format!(
                "expected {kind} `{subject}` to say `{}` {wanted} {window}; it did {} times",
                self.says,
                found.len()
            )
        })
    }

    fn subject(&self) -> (&'static str, &str) {
        let all = [
            ("level", &self.level),
            ("rule", &self.rule),
            ("alarm", &self.alarm),
            ("figures", &self.figures),
            ("order", &self.order),
            ("stage", &self.stage),
            ("sequence", &self.sequence),
            ("point", &self.point),
            ("vote", &self.vote),
            ("request", &self.request),
            ("waiver", &self.waiver),
            ("notice", &self.notice),
            ("loop", &self.r#loop),
        ];
        let mut given = all.into_iter().filter_map(|(kind, name)| Some((kind, name.as_deref()?)));
        let subject = given.next().unwrap_or_else(|| panic!("an expectation needs a subject: {self:?}"));
        assert!(given.next().is_none(), "an expectation has one subject: {self:?}");
        subject
    }
}

impl Scenario {
    pub(crate) fn read(path: &Path) -> Self {
        let name = path.display();
        let text = std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{name}: {why}"));
        let whole: Table = text.parse().unwrap_or_else(|why| panic!("{name}: {why}"));
        let about = ["title", "why", "based_on", "seconds", "same_decisions_if_armed", "at", "expect"];
        let (script, site): (Table, Table) =
            whole.into_iter().partition(|(key, _)| about.contains(&key.as_str()));
        let script: Script = Value::Table(script).try_into().unwrap_or_else(|why| panic!("{name}: {why}"));
        let site = match &script.based_on {
            None => Value::Table(site),
            Some(base) => {
                let path = path.with_file_name("sites").join(format!("{base}.toml"));
                let text =
                    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
                let base: Table = text.parse().unwrap_or_else(|why| panic!("{}: {why}", path.display()));
                merged(Value::Table(base), Value::Table(site))
            }
        };
        Self { script, site }
    }

    pub(crate) fn site(&self) -> SiteText {
        with_copies(self.site.clone()).try_into().unwrap_or_else(|why| panic!("{}: {why}", self.script.title))
    }
}
