//! Complaints as people read them (file, line, marked text, help) and as programs read them (JSON lines).

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use crate::config::complaint::{Complaint, Complaints};

/// How complaints are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Without colour: files, pipes, `NO_COLOR`.
    Plain,
    /// With colour, for a terminal.
    Styled,
}

impl Complaints {
    /// All complaints for people, one block each, separated by empty lines.
    #[must_use]
    pub fn render(&self, look: Look) -> String {
        let renderer = match look {
            Look::Plain => Renderer::plain(),
            Look::Styled => Renderer::styled(),
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut text = String::new();
        for complaint in &self.list {
            text.push_str(&renderer.render(&[self.group(complaint)]));
            text.push_str("\n\n");
        }
        text
    }

    /// All complaints for programs: one JSON object a line.
    #[must_use]
    pub fn render_json(&self) -> String {
        let mut text = String::new();
        for complaint in &self.list {
            let place = complaint.place.and_then(|place| Some((place, self.locate(place)?)));
            let object = serde_json::json!({
                "code": complaint.code.to_string(),
                "severity": if complaint.code.is_warning() { "warning" } else { "error" },
                "message": complaint.sentence,
                "label": complaint.label,
                "help": complaint.help,
                "file": place.map(|(_, (path, _, _))| path.display().to_string()),
                "line": place.map(|(_, (_, line, _))| line),
                "column": place.map(|(_, (_, _, column))| column),
                "span": place.map(|(place, _)| [place.start, place.end]),
            });
            text.push_str(&object.to_string());
            text.push('\n');
        }
        text
    }

    fn group<'a>(&'a self, complaint: &'a Complaint) -> Group<'a> {
        let level = if complaint.code.is_warning() { Level::WARNING } else { Level::ERROR };
        let title = level.primary_title(complaint.sentence.as_str()).id(complaint.code.to_string());
        let mut group = Group::with_title(title);
        if let Some(place) = complaint.place
            && let Some(source) = self.sources.get(place.file)
        {
            let mut snippet = Snippet::source(source.text.as_str())
                .path(source.path.display().to_string())
                .annotation(mark(AnnotationKind::Primary, place.start..place.end, &complaint.label));
            let mut elsewhere = None;
            if let Some((also, label)) = &complaint.also {
                if also.file == place.file {
                    snippet = snippet.annotation(mark(AnnotationKind::Context, also.start..also.end, label));
                } else if let Some(source) = self.sources.get(also.file) {
                    elsewhere = Some(
                        Snippet::source(source.text.as_str())
                            .path(source.path.display().to_string())
                            .annotation(mark(AnnotationKind::Context, also.start..also.end, label)),
                    );
                }
            }
            group = group.element(snippet);
            if let Some(elsewhere) = elsewhere {
                group = group.element(elsewhere);
            }
        }
        if !complaint.help.is_empty() {
            group = group.element(Level::HELP.message(complaint.help.as_str()));
        }
        group.element(Level::NOTE.message(format!("`emberwatch check --explain {}`", complaint.code)))
    }
}

fn mark(kind: AnnotationKind, span: std::ops::Range<usize>, label: &str) -> Annotation<'_> {
    let annotation = kind.span(span);
    if label.is_empty() { annotation } else { annotation.label(label) }
}
