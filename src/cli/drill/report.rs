//! What a drill was: who, when, each stage with its times, what it would have written, what was read back, and whether
//! an inspector would be content.

use serde::Serialize;
use serde_json::Value;

use crate::config::Loaded;
use crate::field::profile::Write;
use crate::safety::sequence::spec::{Cuts, OnFail, Sequence, StageWhen};
use crate::safety::site::{ActionId, Site};
use crate::wire::text;

/// A rehearsal, from its first event to its last.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) site: String,
    pub(super) gateway: String,
    pub(super) sequence: String,
    pub(super) title: String,
    pub(super) zone: String,
    /// Who rehearsed.
    pub(super) by: String,
    /// Against the simulated room: there every command is carried out.
    pub(super) simulated: bool,
    pub(super) began: String,
    pub(super) countdown_ms: u64,
    /// SHA-256 of the configuration, where it was named.
    pub(super) configuration: Option<String>,
    pub(super) stages: Vec<StageReport>,
    /// Everything that was said, in order.
    pub(super) events: Vec<Said>,
    pub(super) verdict: Verdict,
}

/// One stage.
#[derive(Debug, Default, Serialize)]
pub(super) struct StageReport {
    pub(super) name: String,
    pub(super) action: String,
    pub(super) cuts: String,
    pub(super) when: String,
    pub(super) on_fail: String,
    pub(super) delay_ms: u64,
    pub(super) verify_within_ms: u64,
    /// What would be written, or was, in words.
    pub(super) writes: Vec<String>,
    pub(super) begun_ms: Option<u64>,
    pub(super) ordered_ms: Option<u64>,
    pub(super) ended_ms: Option<u64>,
    pub(super) state: String,
    pub(super) why: Option<String>,
    /// What was read when the command was due.
    pub(super) permissives: Vec<Value>,
    /// What was read back when the stage ended.
    pub(super) feedback: Vec<Value>,
}

/// One sentence, and when: milliseconds from the beginning.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    pub(super) ms: u64,
    pub(super) text: String,
}

/// Whether it went as it should.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) passed: bool,
    /// What an inspector would ask about.
    pub(super) findings: Vec<String>,
}

impl Report {
    /// The empty report of this sequence, with what the configuration says of it.
    pub(super) fn of(
        loaded: Option<&Loaded>,
        id: &str,
        (document, status): (&Value, &Value),
        simulated: bool,
    ) -> Self {
        let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
        let steps = document["steps"].as_array().cloned().unwrap_or_default();
        let spec = loaded.and_then(|loaded| loaded.site.sequences.iter().find(|spec| spec.name == id));
        let planned = |(index, step): (usize, &Value)| match (loaded, spec) {
            (Some(loaded), Some(spec)) => planned(loaded, spec, index),
            _ => StageReport {
                name: step["name"].as_str().unwrap_or_default().to_owned(),
                action: step["action"].as_str().unwrap_or_default().to_owned(),
                ..StageReport::default()
            },
        };
        Self {
            site: text(status, "site"),
            gateway: text(status, "gateway"),
            sequence: id.to_owned(),
            title: text(document, "title"),
            zone: text(document, "zone"),
            by: String::new(),
            simulated,
            began: String::new(),
            countdown_ms: document["countdown_ms"].as_u64().unwrap_or(0),
            configuration: loaded.map(|loaded| loaded.fingerprint.clone()),
            stages: steps.iter().enumerate().map(planned).collect(),
            events: Vec::new(),
            verdict: Verdict { passed: false, findings: Vec::new() },
        }
    }

    /// Takes in what happened, `ms` after the beginning; true once the run is over or held.
    pub(super) fn take(&mut self, happened: &Value, ms: u64) -> bool {
        let said = happened["text"].as_str().unwrap_or_default().to_owned();
        self.events.push(Said { ms, text: said });
        let event = happened["event"].as_str().unwrap_or_default();
        let sequence = &happened["sequence"];
        if self.by.is_empty() {
            sequence["trigger"]["by"].as_str().unwrap_or_default().clone_into(&mut self.by);
            happened["at"].as_str().unwrap_or_default().clone_into(&mut self.began);
        }
        let steps = sequence["steps"].as_array().into_iter().flatten();
        for (stage, step) in self.stages.iter_mut().zip(steps) {
            step["state"].as_str().unwrap_or_default().clone_into(&mut stage.state);
            stage.why = step["why"].as_str().map(str::to_owned);
        }
        let number = happened["stage"].as_u64().and_then(|n| usize::try_from(n).ok()?.checked_sub(1));
        if let Some((index, stage)) = number.and_then(|index| Some((index, self.stages.get_mut(index)?))) {
            let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
            match event {
                "stage-begun" => stage.begun_ms = Some(ms),
                "stage-ordered" => {
                    stage.ordered_ms.get_or_insert(ms);
                    stage.permissives = list(&sequence["permissives"]);
                    stage.feedback = list(&happened["feedback"][index]);
                }
                "stage-verified" | "stage-failed" | "stage-skipped" => {
                    stage.ended_ms = Some(ms);
                    stage.feedback = list(&happened["feedback"][index]);
                }
                _ => {}
            }
        }
        matches!(event, "done" | "failed" | "aborted" | "held")
    }

    /// Judges what was taken in. `state` is how the run ended.
    pub(super) fn judge(&mut self, state: &str) {
        let mut findings = Vec::new();
        match state {
            "done" => {}
            "held" => {
                findings.push("it is held: a person, or a second one, must tell it to go on".to_owned());
            }
            other => findings.push(format!("the run ended as `{other}`")),
        }
        for stage in &self.stages {
            if let Some(why) = &stage.why {
                findings.push(format!("{}: {why}", stage.name));
            }
            if stage.ordered_ms.is_none() {
                continue;
            }
            let ids = |wanted: fn(&Value) -> bool| -> Vec<&str> {
                let some = stage.feedback.iter().filter(|read| wanted(&read["ok"]));
                some.filter_map(|read| read["id"].as_str()).collect()
            };
            let unknown = ids(Value::is_null);
            if !unknown.is_empty() {
                findings.push(format!("{}: nothing good is read of {}", stage.name, unknown.join(", ")));
            }
            let all = !stage.feedback.is_empty() && stage.feedback.iter().all(|read| read["ok"] == true);
            if !self.simulated && all {
                findings.push(format!(
                    "{}: what would be read back is so already, without any command: is it open, or is the contact wrong?",
                    stage.name
                ));
            }
        }
        self.verdict = Verdict { passed: findings.is_empty(), findings };
    }
}

fn planned(loaded: &Loaded, spec: &Sequence, index: usize) -> StageReport {
    let (site, stage) = (&*loaded.site, &spec.stages[index]);
    StageReport {
        name: stage.name.clone(),
        action: site[stage.action].name.clone(),
        cuts: cuts(site, &stage.cuts),
        when: match stage.when {
            StageWhen::Always => "always".to_owned(),
            StageWhen::AfterFailure => "if the stage before had no effect".to_owned(),
            StageWhen::ByPersons(1) => "when a person says so".to_owned(),
            StageWhen::ByPersons(persons) => format!("when {persons} persons say so"),
        },
        on_fail: match stage.on_fail {
            OnFail::Next => "the next stage".to_owned(),
            OnFail::Hold => "held for a person".to_owned(),
            OnFail::HoldFor(wait) => format!("held for a person, the next stage after {}", text::span(wait)),
        },
        delay_ms: stage.delay.0,
        verify_within_ms: stage.verify_within.0,
        writes: writes(loaded, stage.action),
        ..StageReport::default()
    }
}

fn cuts(site: &Site, cuts: &Cuts) -> String {
    match cuts {
        Cuts::Nothing => "nothing".to_owned(),
        Cuts::Battery => "the battery".to_owned(),
        Cuts::Feeds(feeds) => feeds.iter().map(|feed| text::feed(site, *feed)).collect::<Vec<_>>().join(", "),
    }
}

/// The exact writes of an action, as its profile has them.
fn writes(loaded: &Loaded, action: ActionId) -> Vec<String> {
    let devices = loaded.links.iter().flat_map(|link| link.devices.iter().map(move |device| (link, device)));
    for (link, device) in devices {
        let Some((_, name)) = device.actions.iter().find(|(id, _)| *id == action) else { continue };
        let found = device.profile.actions.iter().find(|spec| spec.name == *name);
        let line = |write: &Write| {
            format!(
                "{} unit {}: function {}, {}",
                link.endpoint.place(),
                device.unit,
                write.function(),
                words(write)
            )
        };
        return found.into_iter().flat_map(|spec| spec.writes().map(line).collect::<Vec<_>>()).collect();
    }
    Vec::new()
}

fn words(write: &Write) -> String {
    match write {
        Write::Coil { address, on } => format!("coil {address} := {}", if *on { "on" } else { "off" }),
        Write::CoilWord { address, word } => format!("coil {address} := {word:#06X}"),
        Write::Coils { address, bits } => format!("coils from {address} := {bits:?}"),
        Write::Register { address, word } => format!("register {address} := {word:#06X}"),
        Write::Registers { address, words } => format!("registers from {address} := {words:04X?}"),
    }
}
