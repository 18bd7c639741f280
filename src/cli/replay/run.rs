//! One run over a file, under one set of rules.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Failure, complained};
use crate::cli::Exit;
use crate::clock;
use crate::config::{self, Loaded};
use crate::replay::recording::{Ending, Names, Reader, RecordingSource};
use crate::replay::{
    Answers, CsvSource, Digest, Firsts, Matched, Played, Player, Plot, Series, Source, Step, Timeline,
    at_poll, drawn, header, matched, page,
};
use crate::safety::memory::Memory;
use crate::safety::site::{PointId, Site};
use crate::units::{Millis, Uptime};
use crate::wire::text;

/// Names that a note lists.
const LISTED_MAX: usize = 6;

/// What is to be played, and how.
pub(super) struct Wanted<'a> {
    pub(super) file: &'a Path,
    /// The mapping, for a table.
    pub(super) map: Option<PathBuf>,
    pub(super) poll: Option<Millis>,
    pub(super) phase: Millis,
    pub(super) to: Millis,
    /// `None`: what was recorded if the configuration is the one recorded, else the model.
    pub(super) answers: Option<Answers>,
    pub(super) plot: bool,
}

/// What came of it.
pub(super) struct Run {
    pub(super) site: Arc<Site>,
    pub(super) timeline: Timeline,
    pub(super) firsts: Firsts,
    pub(super) series: Series,
    pub(super) played: Played,
    pub(super) digest: String,
    /// What is to be known of it, one sentence each.
    pub(super) notes: Vec<String>,
    /// Played to its end, or to the end that was wanted.
    pub(super) whole: bool,
    /// How long it took, in microseconds.
    pub(super) took_us: u64,
}

impl Run {
    pub(super) fn page(&self, title: &str) -> String {
        page(&Plot {
            site: &self.site,
            title,
            notes: &self.notes,
            ended_at: self.played.ended_at,
            series: &self.series,
            timeline: &self.timeline,
            firsts: &self.firsts,
        })
    }
}

/// Plays the file under these rules.
pub(super) fn play(wanted: &Wanted<'_>, loaded: &Loaded) -> Result<Run, Failure> {
    match &wanted.map {
        Some(map) => play_table(wanted, map, loaded),
        None => play_recording(wanted, loaded),
    }
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path)
        .map_err(|error| (Exit::Unavailable, format!("cannot read {}: {error}", path.display())))?;
    Ok(BufReader::new(file))
}

fn play_table(wanted: &Wanted<'_>, map: &Path, loaded: &Loaded) -> Result<Run, Failure> {
    let strange = |what: String| (Exit::Config, format!("{}: {what}", wanted.file.display()));
    let columns = header(open(wanted.file)?).map_err(|error| strange(error.to_string()))?;
    let read = config::load_mapping(map, &loaded.site, &columns).map_err(complained)?;
    crate::cli::check::show_complaints(&read.warnings, false);
    let mut mapping = read.mapping;
    mapping.poll = wanted.poll.unwrap_or(mapping.poll);
    let poll = mapping.poll;
    let site = Arc::new(at_poll(&loaded.site, poll));
    let fed = mapping.fed(site.points.len());
    let mut notes = vec![polled(&site, poll)];
    notes.extend(unfed(&site, &fed));
    let mut source = CsvSource::open(open(wanted.file)?, mapping, wanted.phase)
        .map_err(|fault| strange(fault.to_string()))?;
    let answers = wanted.answers.unwrap_or(Answers::Modelled);
    let origin = Some(source.origin());
    let mut run = through(wanted, site, Memory::default(), answers, fed, origin, &mut source);
    run.notes.extend(notes);
    if let Some(fault) = &source.fault {
        run.notes.push(format!("{}: {fault}; played up to there", wanted.file.display()));
        run.whole = false;
    }
    let name = |column: usize| columns.get(column).map_or("?", String::as_str);
    if let Some((line, column)) = source.odd_cells.first() {
        run.notes.push(format!(
            "{} cells are no numbers and were taken as such; the first in line {line}, column `{}`",
            source.odd_cells_count,
            name(*column)
        ));
    }
    Ok(run)
}

fn play_recording(wanted: &Wanted<'_>, loaded: &Loaded) -> Result<Run, Failure> {
    let strange = |what: String| (Exit::Unavailable, format!("{}: {what}", wanted.file.display()));
    let reader = Reader::open(open(wanted.file)?).map_err(|fault| strange(fault.to_string()))?;
    let same = reader.head.configuration == loaded.fingerprint;
    let site = match wanted.poll {
        Some(poll) => Arc::new(at_poll(&loaded.site, poll)),
        None => Arc::clone(&loaded.site),
    };
    let found = matched(&reader.names, &site);
    let fed = found.fed(&site);
    let head = &reader.head;
    let mut notes = vec![format!(
        "recorded at {} by gateway {} of site {} (emberwatch {}){}",
        head.started,
        head.gateway,
        head.site,
        head.emberwatch,
        if same { ", under this configuration" } else { ", under another configuration" }
    )];
    notes.extend(wanted.poll.map(|poll| polled(&site, poll)));
    notes.extend(foreign(&found, &site, &reader.names));
    notes.extend(unfed(&site, &fed));
    for name in &reader.beginning.running {
        notes.push(format!(
            "a run of {name} was under way when the recording began: the replay starts without it"
        ));
    }
    let memory = reader.beginning.memory();
    let usual = if same { Answers::Recorded } else { Answers::Modelled };
    let answers = wanted.answers.unwrap_or(usual);
    let mut source = RecordingSource::new(reader, found, wanted.poll);
    let mut run = through(wanted, site, memory, answers, fed, None, &mut source);
    run.notes.extend(notes);
    about_file(&mut run, &source);
    Ok(run)
}

/// What is to be said of a recording once it was read: what is missing, and how it ended.
fn about_file<R: std::io::Read>(run: &mut Run, source: &RecordingSource<R>) {
    let lost = source.reader.totals;
    if let Some((at, _)) = source.gaps.first() {
        run.notes.push(format!(
            "{} scans with {} inputs are missing, the first before {:.1} s: the recorder was too slow",
            lost.lost_scans,
            lost.lost_inputs,
            at.since(run.played.began.uptime).as_secs_f64()
        ));
    }
    if 0 < source.reader.frames {
        run.notes.push(format!("{} raw frames are in the file", source.reader.frames));
    }
    let ended = format!("{:.1} s", run.played.ended_at.as_secs_f64());
    let Some(ending) = source.reader.ending() else { return };
    let note = match ending {
        Ending::Whole => return,
        Ending::Cut => format!("the file was cut: played up to {ended}, its last whole block"),
        Ending::Damaged(damage) => format!("the file is DAMAGED ({damage}): played up to {ended}"),
    };
    run.notes.push(note);
    run.whole = false;
}

/// A source that ends at a given time.
struct Until<'a> {
    source: &'a mut dyn Source,
    origin: Option<Uptime>,
    to: Millis,
}

impl Source for Until<'_> {
    fn next(&mut self) -> Option<Step> {
        let step = self.source.next()?;
        let origin = *self.origin.get_or_insert(step.now.uptime);
        (step.now.uptime.since(origin) <= self.to).then_some(step)
    }
}

fn through(
    wanted: &Wanted<'_>,
    site: Arc<Site>,
    memory: Memory,
    answers: Answers,
    fed: Vec<bool>,
    origin: Option<Uptime>,
    source: &mut dyn Source,
) -> Run {
    let begun = clock::uptime_us();
    let (mut timeline, mut firsts, mut digest) = (Timeline::default(), Firsts::default(), Digest::default());
    let mut series = if wanted.plot { Series::of(drawn(&site, &fed)) } else { Series::default() };
    let player = Player::new(Arc::clone(&site), memory, answers, fed, origin);
    let mut until = Until { source, origin, to: wanted.to };
    let played = player.play(&mut until, &mut |site, moment| {
        timeline.hear(site, moment);
        firsts.hear(site, moment);
        digest.hear(site, moment);
        series.hear(moment);
    });
    let who = match answers {
        Answers::Recorded => "orders are answered by what was recorded; none is sent",
        Answers::Modelled => "orders are answered by a modelled breaker that obeys; none is sent",
        Answers::Nobody => "orders are answered by nobody; none is sent",
    };
    let took_us = clock::uptime_us().saturating_sub(begun);
    let notes = vec![who.to_owned()];
    Run { site, timeline, firsts, series, played, digest: digest.finish(), notes, whole: true, took_us }
}

/// What follows from another poll.
fn polled(site: &Site, poll: Millis) -> String {
    let stale = site.points.first().map_or(poll, |point| point.stale_after);
    format!(
        "every point is polled every {}: what is older than {} counts as stale, and no rule of silence waits less",
        text::span(poll),
        text::span(stale)
    )
}

/// What of the configuration nothing feeds.
fn unfed(site: &Site, fed: &[bool]) -> Option<String> {
    let unfed: Vec<String> = (0..site.points.len())
        .filter(|index| !fed[*index])
        .map(|index| text::point_key(site, PointId::at(index)))
        .collect();
    (!unfed.is_empty()).then(|| {
        format!("{} of {} points are never seen, so unknown: {}", unfed.len(), fed.len(), listed(&unfed))
    })
}

/// What of the recording the configuration has no use for.
fn foreign(found: &Matched, site: &Site, names: &Names) -> Vec<String> {
    let known: Vec<String> =
        (0..site.points.len()).map(|index| text::point_key(site, PointId::at(index))).collect();
    let mut notes = Vec::new();
    if found.unknown.len() == names.points.len() {
        notes.push("no recorded point is in this configuration: is it another site's?".to_owned());
    } else if !found.unknown.is_empty() {
        let hint = |name: &String| match config::nearest_name(name, known.iter().map(String::as_str)) {
            Some(near) => format!("{name} (did you mean {near}?)"),
            None => name.clone(),
        };
        let hints: Vec<String> = found.unknown.iter().map(hint).collect();
        notes.push(format!(
            "{} recorded points are not in the configuration: {}",
            hints.len(),
            listed(&hints)
        ));
    }
    for (name, recorded, configured) in found.other_unit.iter().take(LISTED_MAX) {
        notes.push(format!("{name} was recorded in {recorded}, but is configured in {configured}: left out"));
    }
    notes
}

fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(LISTED_MAX);
    let mut list = names.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if 0 < more {
        list = format!("{list} and {more} more");
    }
    list
}
