//! Complaints: what is wrong in a configuration, where, why it matters and what to do.
//!
//! A run collects all of them on a `Desk`; nothing stops at the first. A complaint marks the exact text it
//! is about. It never repeats a secret: only names, limits and words of the format are quoted.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use crate::config::explain::Code;

/// One text that was read.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// A stretch of text in one of the files that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which file, in the order of reading.
    pub file: usize,
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
}

impl Place {
    pub(super) fn new(file: usize, span: Range<usize>) -> Self {
        Self { file, start: span.start, end: span.end }
    }
}

/// One thing that is wrong, or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Its code; `explain` tells more.
    pub code: Code,
    /// The marked text, where there is one.
    pub place: Option<Place>,
    /// What is the matter, in one sentence.
    pub sentence: String,
    /// What the marked text is.
    pub label: String,
    /// What to do.
    pub help: String,
    /// A second place that belongs to it, with its label.
    pub also: Option<(Place, String)>,
}

impl Complaint {
    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = label.into();
        self
    }

    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = help.into();
        self
    }

    pub(super) fn also(&mut self, place: Place, label: impl Into<String>) -> &mut Self {
        self.also = Some((place, label.into()));
        self
    }
}

/// All that is wrong or doubtful in one configuration, in the order of the text.
#[derive(Clone, Default)]
pub struct Complaints {
    /// The complaints.
    pub list: Vec<Complaint>,
    pub(super) sources: Vec<Source>,
}

impl Complaints {
    /// How many are errors: a configuration with one is never run.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|complaint| !complaint.code.is_warning()).count()
    }

    /// How many are warnings.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.list.len() - self.errors()
    }

    /// File, line and column (both counted from one, columns in characters) of a place.
    #[must_use]
    pub fn locate(&self, place: Place) -> Option<(&std::path::Path, usize, usize)> {
        let source = self.sources.get(place.file)?;
        let before = source.text.get(..place.start)?;
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
        Some((&source.path, line, column))
    }
}

// The texts stay out: a log line that shows complaints must not show whole files.
impl fmt::Debug for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(super::render::Look::Plain))
    }
}

impl std::error::Error for Complaints {}

/// Where complaints are collected during one run.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) complaints: Complaints,
}

impl Desk {
    /// Takes a complaint about a marked text.
    pub(super) fn say(&mut self, code: Code, place: Place, sentence: impl Into<String>) -> &mut Complaint {
        self.push_at(code, Some(place), sentence.into())
    }

    /// Takes a complaint about something outside of any text.
    pub(super) fn say_outside(&mut self, code: Code, sentence: impl Into<String>) -> &mut Complaint {
        self.push_at(code, None, sentence.into())
    }

    pub(super) fn push_at(&mut self, code: Code, place: Option<Place>, sentence: String) -> &mut Complaint {
        let complaint =
            Complaint { code, place, sentence, label: String::new(), help: String::new(), also: None };
        let list = &mut self.complaints.list;
        list.push(complaint);
        let last = list.len() - 1;
        &mut list[last]
    }

    /// Makes a stretch of text unreadable before anything shows it.
    pub(super) fn mask(&mut self, place: Place) {
        if let Some(source) = self.complaints.sources.get_mut(place.file)
            && place.start <= place.end
            && let (Some(before), Some(after)) =
                (source.text.get(..place.start), source.text.get(place.end..))
        {
            // Byte for byte and line for line, so that later places stay right.
            let hidden = source.text.as_bytes()[place.start..place.end].iter();
            let stars: String = hidden.map(|&byte| if byte == b'\n' { '\n' } else { '*' }).collect();
            source.text = format!("{before}{stars}{after}");
        }
    }

    /// The complaints in the order of the text, each once. What only follows from a syntax error is left out:
    /// the rest of its line, and all that seems to be missing.
    pub(super) fn close(mut self) -> Complaints {
        let line = |place: Place| self.complaints.locate(place).map(|(_, line, _)| (place.file, line));
        let broken: Vec<_> = (self.complaints.list.iter())
            .filter(|complaint| complaint.code == Code::Syntax)
            .map(|complaint| complaint.place.and_then(line))
            .collect();
        let follows = |complaint: &Complaint| match complaint.code {
            Code::Syntax => false,
            Code::MissingKey | Code::NothingToWatch | Code::UnknownName => !broken.is_empty(),
            _ => broken.contains(&complaint.place.and_then(line)),
        };
        let kept = self.complaints.list.iter().filter(|complaint| !follows(complaint)).cloned().collect();
        self.complaints.list = kept;
        self.complaints.list.sort_by_key(|complaint| (complaint.place, complaint.code));
        self.complaints.list.dedup();
        self.complaints
    }
}
