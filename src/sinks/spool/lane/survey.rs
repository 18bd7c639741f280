//! What a lane finds at the start: which files, up to where they are settled, and where the numbers go on.
//!
//! Only the newest file is read: it says what is done, and names say where each file begins. An older one is read for that
//! only where the newest is damaged. Nothing of the lane changes before all of the disk has been looked at.

use std::collections::VecDeque;
use std::io;

use super::super::frame::{self, Kind as FrameKind};
use super::{Lane, Segment};
use crate::disk::Disk;

/// What the files of a lane hold.
#[derive(Debug, Default)]
pub(in crate::sinks::spool) struct Survey {
    segments: VecDeque<Segment>,
    next_file: u64,
    low: u64,
    end: u64,
    /// Whether the end of the newest file is not whole.
    pub(in crate::sinks::spool) damaged: bool,
}

impl Survey {
    /// What one file says. True if it says what is done.
    fn learn(&mut self, scan: &frame::Scan<'_>, first: u64) -> bool {
        self.damaged |= scan.damaged;
        let ends = scan.frames.iter().map(|it| it.first + u64::from(it.count)).max();
        let dones = scan.frames.iter().filter(|it| it.kind == FrameKind::Done).map(|it| it.first);
        let done = dones.chain(scan.header.map(|header| header.1)).max();
        self.low = self.low.max(done.unwrap_or(0));
        self.end = self.end.max(ends.unwrap_or(first)).max(self.low);
        done.is_some()
    }
}

impl Lane {
    /// Looks at what files hold, and changes nothing here.
    pub(in crate::sinks::spool) fn survey(
        &self,
        disk: &mut dyn Disk,
        names: &[String],
    ) -> io::Result<Survey> {
        let mut found: Vec<(u64, u64, &String)> = names
            .iter()
            .filter_map(|name| self.parse(name).map(|(file, first)| (file, first, name)))
            .collect();
        found.sort_unstable();
        let newest = found.last().map_or(0, |last| last.0);
        let mut survey = Survey { next_file: found.last().map_or(0, |last| last.0 + 1), ..Survey::default() };
        let mut known = false;
        for &(file, first, name) in found.iter().rev() {
            let (bytes, mut spared) = (disk.size(name)?, false);
            if bytes <= frame::HEADER_BYTES as u64 && file != newest {
                // Begun and never used.
                let _ = disk.remove(name);
                continue;
            }
            if !known {
                // The newest says what is done; an older one is asked only where that is damaged.
                match frame::scan(&disk.read(name)?) {
                    None => spared = true,
                    Some(scan) => known = survey.learn(&scan, first),
                }
            }
            survey.end = survey.end.max(first);
            survey.segments.push_front(Segment { name: name.clone(), first, bytes, spared });
        }
        let first = survey.segments.front().map_or(0, |segment| segment.first);
        survey.low = survey.low.max(first).min(survey.end);
        Ok(survey)
    }

    /// Takes over what a survey found, below what was put in since. Returns by how much the numbers of these moved up.
    pub(in crate::sinks::spool) fn adopt(&mut self, survey: Survey) -> u64 {
        let Survey { segments, next_file, low, end, .. } = survey;
        for pending in &mut self.unsynced {
            pending.numbers = pending.numbers.start + end..pending.numbers.end + end;
        }
        self.settled.shift(end);
        self.settled.add(end..self.low + end);
        self.todo.shift(end);
        self.todo.add(low..end);
        (self.segments, self.next_file) = (segments, next_file);
        (self.low, self.low_saved, self.next) = (low, low, self.next + end);
        self.advance();
        end
    }
}
