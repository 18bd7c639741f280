//! What all presets for people say, each in its own form: a headline, and what, where, what to do.

use crate::notify::telling::{About, Quantity, Stage, Telling};
use crate::safety::site::Priority;

/// How bad, in the words of most receivers. `Ord`: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::notify) enum Severity {
    Info,
    Warning,
    Error,
    Critical,
}

impl Severity {
    pub(in crate::notify) const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    pub(in crate::notify) const fn of(priority: Priority) -> Self {
        match priority {
            Priority::Low => Self::Info,
            Priority::Medium => Self::Warning,
            Priority::High => Self::Error,
            Priority::Critical => Self::Critical,
        }
    }
}

impl Telling<'_> {
    /// A rehearsal and what is only recorded call nobody out of bed.
    pub(in crate::notify) fn severity(&self) -> Severity {
        match &self.data.about {
            _ if self.data.drill || self.data.shadow => Severity::Info,
            About::Alarm(alarm) => Severity::of(alarm.priority),
            About::Sequence(_) | About::Notice(_) => Severity::Critical,
            About::Process { .. } | About::Test { .. } => Severity::Info,
        }
    }

    pub(in crate::notify) fn stage(&self) -> Stage {
        match &self.data.about {
            About::Alarm(alarm) => alarm.stage,
            About::Sequence(sequence) => sequence.progress,
            About::Notice(notice) => notice.progress,
            About::Process { .. } | About::Test { .. } => Stage::Aside,
        }
    }

    /// One line that stands alone: how bad, where, what.
    pub(in crate::notify) fn headline(&self) -> String {
        let what = self.what();
        let how_bad = match self.stage() {
            Stage::Calls | Stage::Aside => self.severity().word().to_uppercase(),
            Stage::Seen => "SEEN".to_owned(),
            Stage::Over => "OVER".to_owned(),
        };
        format!("{how_bad} {}: {what}", self.place())
    }

    /// `site/room/zone`, as far as it is known.
    pub(in crate::notify) fn place(&self) -> String {
        let parts = [Some(self.data.site), self.data.room, self.data.zone];
        parts.into_iter().flatten().collect::<Vec<_>>().join("/")
    }

    fn what(&self) -> String {
        match &self.data.about {
            About::Process { version, .. } => {
                format!("emberwatch {version} started on {}", self.data.gateway)
            }
            About::Test { target, version } => {
                format!("test of {target} by emberwatch {version}: nothing has happened")
            }
            About::Alarm(_) | About::Sequence(_) | About::Notice(_) => self.data.message.to_owned(),
        }
    }

    /// What a person needs besides the headline, in the order of asking.
    pub(in crate::notify) fn details(&self) -> Vec<(&'static str, String)> {
        let mut details = vec![("Where", self.place())];
        let mut add = |label, text: Option<String>| {
            details.extend(text.filter(|text| !text.is_empty()).map(|text| (label, text)));
        };
        match &self.data.about {
            About::Alarm(alarm) => {
                add("What to do", Some(alarm.action.to_owned()));
                add("Otherwise", Some(alarm.consequence.to_owned()));
                add("Measured", alarm.value.as_ref().map(quantity));
                add("Limit", alarm.limit.as_ref().map(quantity));
                add("State", Some(alarm.state.to_owned()));
                add("By", alarm.by.map(str::to_owned));
                add("Since", Some(alarm.since.clone()));
            }
            About::Sequence(sequence) => {
                add("What", Some(sequence.title.to_owned()));
                add("State", Some(sequence.state.to_owned()));
                add("Stage", sequence.stage.as_ref().map(|stage| stage.name.to_owned()));
                add("Cut at the earliest", sequence.deadline.clone());
                add("By", sequence.by.map(str::to_owned));
            }
            About::Notice(notice) => {
                add("What to do", Some(notice.what_to_do.to_owned()));
                add("Cut at the earliest", notice.earliest.clone());
                add("Can be aborted until", notice.abortable_until.clone());
                add("Next", notice.next_stage.map(str::to_owned));
                let loads = notice.affected.iter().map(|it| format!("{} (feed {})", it.title, it.feed));
                add("Affected", Some(loads.collect::<Vec<_>>().join(", ")));
                add("Who votes", Some(notice.evidence.clone()));
                add("Contact", notice.contact.map(str::to_owned));
                add("Notice", Some(notice.number.to_string()));
            }
            About::Process { .. } | About::Test { .. } => {}
        }
        add("At", Some(self.timestamp.clone()));
        details
    }
}

fn quantity(quantity: &Quantity) -> String {
    let number = crate::wire::text::quantity(quantity.v, quantity.u);
    match &quantity.point {
        Some(point) => format!("{number} ({point})"),
        None => number,
    }
}

/// At most this many characters; what is cut off is shown to be.
pub(in crate::notify) fn clip(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let mut clipped: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    clipped.push('…');
    clipped
}
