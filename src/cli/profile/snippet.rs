//! Faults of a profile file as people read them: file, line, the marked text, what to do.

use std::io::IsTerminal as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::cli::say;
use crate::field::profile::ProfileFault;

/// Says what is wrong in a file.
pub(super) fn say_faults(file: &str, text: &str, faults: &[ProfileFault]) {
    for fault in faults {
        say_fault(file, text, fault.span.clone(), &fault.sentence, fault.help.as_deref());
    }
}

/// Says one thing that is wrong in a file, on stderr.
pub(super) fn say_fault(file: &str, text: &str, span: Range<usize>, sentence: &str, help: Option<&str>) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let end = span.end.min(text.len());
    let start = span.start.min(end);
    let snippet = Snippet::source(text).path(file).annotation(AnnotationKind::Primary.span(start..end));
    let mut group = Group::with_title(Level::ERROR.primary_title(sentence)).element(snippet);
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    say(&renderer.decor_style(DecorStyle::Ascii).render(&[group]));
    say("");
}
