//! A table of numbers (CSV) as polls: at each poll the newest row at or before it, as a device would have answered.
//!
//! A cell that is empty is a poll without an answer; one that is no number is told and taken as such. Where rows
//! are missing for longer than three usual steps (and longer than a poll), nothing answers either: old rows are not
//! passed off as new ones.

use std::io::Read;

use jiff::Timestamp;

use super::options::{Feed, From, Mapping, TimeUnit};
use super::{Source, Step};
use crate::safety::TICK;
use crate::safety::fact::Input;
use crate::safety::reading::ReadFault;
use crate::units::{Millis, Now, Uptime, Value, WallTime};

/// Uptime of the replay's time zero: an hour, so that spans before it can be written.
const ORIGIN: Uptime = Uptime(3_600_000);

/// Rows from which the usual step is taken.
const STEPS_MEASURED: usize = 64;

/// A hole is longer than so many usual steps.
const HOLE_STEPS: u64 = 3;

/// Faults that are told one by one.
const FAULTS_TOLD_MAX: usize = 20;

/// Numbers beyond this are no times that begin near zero.
const NEAR_ZERO_MAX_MS: f64 = 1e9;

/// Why a table cannot be played on.
#[derive(Debug, thiserror::Error)]
pub enum CsvFault {
    /// It is not CSV, or cannot be read.
    #[error("{0}")]
    Csv(#[from] csv::Error),
    /// A time is none, or lies before the one of the row above.
    #[error("line {line}: {what}")]
    Time {
        /// Where.
        line: u64,
        /// What is the matter.
        what: String,
    },
    /// There is no row.
    #[error("there is no row of numbers")]
    Empty,
}

/// The names of the columns.
///
/// # Errors
/// Where the first line cannot be read.
pub fn header<R: Read>(reader: R) -> Result<Vec<String>, csv::Error> {
    Ok(reader_of(reader).headers()?.iter().map(|name| name.trim().to_owned()).collect())
}

fn reader_of<R: Read>(reader: R) -> csv::Reader<R> {
    csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(reader)
}

#[derive(Clone, Debug)]
struct Row {
    /// Since the table's own zero.
    at: u64,
    cells: Vec<Result<f64, ReadFault>>,
}

/// A table that is played.
pub struct CsvSource<R> {
    rows: csv::Reader<R>,
    mapping: Mapping,
    /// Rows that were read ahead.
    ahead: std::collections::VecDeque<Row>,
    current: Option<Row>,
    /// What is subtracted from the times of the file, and the wall time of the origin.
    zero: f64,
    wall: WallTime,
    hole: u64,
    next_poll: u64,
    now: u64,
    ended: bool,
    /// Why it ended before its end, if it did.
    pub fault: Option<CsvFault>,
    /// Cells that are no numbers: line and column; the first of them.
    pub odd_cells: Vec<(u64, usize)>,
    /// How many there are.
    pub odd_cells_count: u64,
    /// Rows that were read.
    pub rows_read: u64,
}

impl<R: Read> CsvSource<R> {
    /// `phase`: the first poll comes so long after the first row.
    ///
    /// # Errors
    /// Where not even the first row can be read.
    pub fn open(reader: R, mapping: Mapping, phase: Millis) -> Result<Self, CsvFault> {
        let mut source = Self {
            rows: reader_of(reader),
            mapping,
            ahead: std::collections::VecDeque::new(),
            current: None,
            zero: 0.0,
            wall: WallTime(0),
            hole: 0,
            next_poll: 0,
            now: 0,
            ended: false,
            fault: None,
            odd_cells: Vec::new(),
            odd_cells_count: 0,
            rows_read: 0,
        };
        source.rows.headers()?;
        let Some((time, row)) = source.read_row(None)? else { return Err(CsvFault::Empty) };
        let absolute = source.mapping.time == TimeUnit::Rfc3339;
        if absolute || !(0.0..NEAR_ZERO_MAX_MS).contains(&time) {
            source.zero = time;
        }
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a calendar time")]
        let wall = if absolute { time as i64 } else { 0 };
        source.wall = WallTime(wall);
        let first = Row { at: millis(time - source.zero), ..row };
        (source.now, source.next_poll) = (first.at, first.at.saturating_add(phase.0));
        source.ahead.push_back(first);
        source.measure();
        match source.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(source),
        }
    }

    /// The moment that times of the file are counted from.
    #[must_use]
    pub const fn origin(&self) -> Uptime {
        ORIGIN
    }

    /// Reads ahead, to know how far rows usually lie apart.
    fn measure(&mut self) {
        while self.ahead.len() < STEPS_MEASURED && self.fetch() {}
        let times = self.ahead.iter().map(|row| row.at);
        let mut steps: Vec<u64> = times.clone().zip(times.skip(1)).map(|(a, b)| b - a).collect();
        steps.sort_unstable();
        let usual = steps.get(steps.len() / 2).copied().unwrap_or(0);
        self.hole = usual.saturating_mul(HOLE_STEPS).max(self.mapping.poll.0);
    }

    /// Reads one more row; false at the end or at a fault, which is kept.
    fn fetch(&mut self) -> bool {
        if self.ended {
            return false;
        }
        let before = self.ahead.back().or(self.current.as_ref()).map(|row| row.at);
        match self.read_row(before) {
            Ok(Some((time, row))) => {
                self.ahead.push_back(Row { at: millis(time - self.zero), ..row });
                true
            }
            Ok(None) => {
                self.ended = true;
                false
            }
            Err(fault) => {
                (self.ended, self.fault) = (true, Some(fault));
                false
            }
        }
    }

    fn read_row(&mut self, before: Option<u64>) -> Result<Option<(f64, Row)>, CsvFault> {
        let mut record = csv::StringRecord::new();
        if !self.rows.read_record(&mut record)? {
            return Ok(None);
        }
        self.rows_read += 1;
        let line = record.position().map_or(0, csv::Position::line);
        let text = record.get(self.mapping.time_column).unwrap_or_default();
        let Some(time) = time_ms(text, self.mapping.time) else {
            return Err(CsvFault::Time { line, what: format!("`{text}` is no time") });
        };
        if before.is_some_and(|before| millis(time - self.zero) < before) {
            return Err(CsvFault::Time { line, what: format!("the time {text} lies before the row above") });
        }
        let cells = record.iter().enumerate().map(|(column, text)| {
            if text.is_empty() {
                return Err(ReadFault::Timeout);
            }
            match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(number),
                Ok(_) | Err(_) => {
                    if self.mapping.reads(column) {
                        self.odd_cells_count += 1;
                        if self.odd_cells.len() < FAULTS_TOLD_MAX {
                            self.odd_cells.push((line, column));
                        }
                    }
                    Err(ReadFault::NotANumber)
                }
            }
        });
        let cells = cells.collect();
        Ok(Some((time, Row { at: 0, cells })))
    }

    /// What every point answers at this poll.
    fn poll(&self, at: u64) -> Vec<Input> {
        let taken = ORIGIN.plus(Millis(at));
        let fresh = self.current.as_ref().filter(|row| at - row.at <= self.hole);
        let sample = |feed: &Feed| {
            let read = match &feed.from {
                From::Constant(number) => Ok(*number),
                From::Columns(columns, take) => {
                    let cells = columns.iter().map(|column| {
                        fresh
                            .and_then(|row| row.cells.get(*column).copied())
                            .unwrap_or(Err(ReadFault::Timeout))
                    });
                    cells
                        .collect::<Result<Vec<f64>, ReadFault>>()
                        .and_then(|numbers| take.of(&numbers).ok_or(ReadFault::NotANumber))
                }
            };
            let result = read.and_then(|number| {
                Value::new(number * feed.scale + feed.offset).ok_or(ReadFault::NotANumber)
            });
            Input::Sampled { point: feed.point, asked: taken, taken, result }
        };
        self.mapping.feeds.iter().map(sample).collect()
    }
}

impl<R: Read> Source for CsvSource<R> {
    fn next(&mut self) -> Option<Step> {
        // Rows up to now; one is always read ahead, to know whether there is more.
        while self.ahead.front().is_some_and(|row| row.at <= self.now) {
            self.current = self.ahead.pop_front();
            if self.ahead.is_empty() {
                self.fetch();
            }
        }
        // The last row is polled once, wherever it lies between two polls.
        let polled = |row: &Row| row.at.saturating_add(self.mapping.poll.0) < self.now;
        if self.ahead.is_empty() && self.current.as_ref().is_none_or(polled) {
            return None;
        }
        let at = self.now;
        let mut inputs = Vec::new();
        if self.next_poll <= at {
            inputs = self.poll(at);
            self.next_poll += self.mapping.poll.0;
        }
        self.now = (at + TICK.0).min(self.next_poll).max(at + 1);
        let label = self.wall.0.saturating_add(at.cast_signed());
        Some(Step { now: Now { uptime: ORIGIN.plus(Millis(at)), wall: WallTime(label) }, inputs })
    }
}

impl Mapping {
    fn reads(&self, column: usize) -> bool {
        self.feeds.iter().any(|feed| match &feed.from {
            From::Columns(columns, _) => columns.contains(&column),
            From::Constant(_) => false,
        })
    }

    /// Which points of a site with so many are fed.
    #[must_use]
    pub fn fed(&self, points: usize) -> Vec<bool> {
        let mut fed = vec![false; points];
        for feed in &self.feeds {
            if let Some(fed) = fed.get_mut(feed.point.index()) {
                *fed = true;
            }
        }
        fed
    }
}

fn time_ms(text: &str, unit: TimeUnit) -> Option<f64> {
    let time = match unit {
        TimeUnit::Number(ms) => text.parse::<f64>().ok()? * f64::from(ms),
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a calendar are below 2^53")]
        TimeUnit::Rfc3339 => text.parse::<Timestamp>().ok()?.as_millisecond() as f64,
    };
    time.is_finite().then_some(time)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
fn millis(time: f64) -> u64 {
    time.max(0.0).round() as u64
}

#[cfg(test)]
mod tests;
