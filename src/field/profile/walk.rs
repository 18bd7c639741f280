//! Finding out where a device keeps what: the questions, one after the other, and what their answers mean.
//!
//! ```text
//! marker ─"SunS"─► header ─► header ─ … ─0xFFFF─► counts ─► Done
//!    │ another word, or refused: next base            │ refused: unknown, nothing is absent
//!    └ no base left ─► Failed        any time-out ─► Failed (ask again later, from the start)
//! ```
//!
//! Pure: it asks for registers and is told words or a reason; who reads them, and when it is tried again, is
//! the link's to decide. A chain is at most [`MODELS_MAX`] models long, so that no device can keep it walking.

use std::collections::BTreeSet;

use crate::safety::reading::ReadFault;

use super::layout::{Layout, ModelAt};
use super::{GroupSpec, Profile, Table};

/// The most models a chain may have.
pub const MODELS_MAX: usize = 512;

/// "SunS": the two words with which a SunSpec map begins.
const MARKER: [u16; 2] = [0x5375, 0x6E53];

/// The number of the model that ends a chain; as a count, "not implemented".
const END: u16 = 0xFFFF;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkStep {
    /// Read these, and tell what came.
    Ask {
        /// From which table.
        table: Table,
        /// The first address.
        address: u16,
        /// 1 or 2 registers.
        count: u16,
    },
    /// All is known.
    Done(Layout),
    /// It cannot be known now: try again later, with a new walk.
    Failed(WalkFault),
}

/// Why a walk ended without a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkFault {
    /// The device did not answer, or not now.
    #[error("no answer while its models were looked up: {0:?}")]
    NoAnswer(ReadFault),
    /// No SunSpec map at any of the bases.
    #[error("no SunSpec map at any of the addresses where one may begin")]
    NoMarker,
    /// Its chain has none of the models that the profile describes.
    #[error("none of its SunSpec models is in the profile")]
    NoModel,
    /// Its chain does not end.
    #[error("its chain of SunSpec models does not end")]
    Endless,
}

/// The look-up of one device's layout, as far as it has come.
#[derive(Clone, Debug)]
pub struct Walk {
    bases: Vec<u16>,
    wanted: BTreeSet<u16>,
    groups: Vec<GroupSpec>,
    found: Layout,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Is there a map at this base?
    Marker(usize),
    /// The header of the model at this address.
    Header(u16),
    /// The number of members of this group.
    Count {
        table: Table,
        address: u16,
    },
    Done,
    Failed(WalkFault),
}

impl Profile {
    /// The look-up that its points need before they have addresses; `None` if they have them already.
    #[must_use]
    pub fn walk(&self) -> Option<Walk> {
        let layout = &self.layout;
        if layout.sunspec_bases.is_empty() && layout.groups.is_empty() {
            return None;
        }
        let mut walk = Walk {
            bases: layout.sunspec_bases.clone(),
            wanted: self.points.iter().filter_map(|point| point.model).collect(),
            groups: layout.groups.clone(),
            found: Layout::default(),
            stage: Stage::Marker(0),
        };
        if walk.bases.is_empty() {
            walk.go_on_counting();
        }
        Some(walk)
    }
}

impl Walk {
    /// What to do next. The same until `heard` is told what came of it.
    #[must_use]
    pub fn next(&self) -> WalkStep {
        let words = |address, count| WalkStep::Ask { table: Table::Holding, address, count };
        match self.stage {
            Stage::Marker(base) => words(self.bases[base], 2),
            Stage::Header(address) => words(address, 2),
            Stage::Count { table, address, .. } => WalkStep::Ask { table, address, count: 1 },
            Stage::Done => WalkStep::Done(self.found.clone()),
            Stage::Failed(fault) => WalkStep::Failed(fault),
        }
    }

    /// Takes in what came of the last question. After the end nothing is taken in any more.
    pub fn heard(&mut self, answer: Result<&[u16], ReadFault>) {
        let answer = match answer {
            // A busy or absent unit behind its gateway says nothing of what it holds.
            Err(fault @ ReadFault::Exception(5 | 6 | 10 | 11)) => {
                return self.fail(WalkFault::NoAnswer(fault));
            }
            Err(ReadFault::Exception(_)) => None,
            Err(fault) => return self.fail(WalkFault::NoAnswer(fault)),
            Ok(words) => Some(words),
        };
        match (self.stage, answer) {
            (Stage::Marker(base), Some(words)) if words == MARKER => {
                self.stage = self.bases[base].checked_add(2).map_or(NO_MARKER, Stage::Header);
            }
            (Stage::Marker(base), None | Some([_, _])) if base + 1 < self.bases.len() => {
                self.stage = Stage::Marker(base + 1);
            }
            (Stage::Marker(_), None | Some([_, _])) => self.stage = NO_MARKER,
            (Stage::Header(_), Some([END, _]) | None) => self.end_chain(),
            (Stage::Header(address), Some([id, length])) => self.model(*id, address, *length),
            (Stage::Count { .. }, None | Some([END])) => self.counted(None),
            (Stage::Count { .. }, Some([count])) => self.counted(Some(*count)),
            (Stage::Marker(_) | Stage::Header(_) | Stage::Count { .. }, Some(_)) => {
                self.fail(WalkFault::NoAnswer(ReadFault::Malformed));
            }
            (Stage::Done | Stage::Failed(_), _) => {}
        }
    }

    fn fail(&mut self, fault: WalkFault) {
        if !matches!(self.stage, Stage::Done | Stage::Failed(_)) {
            self.stage = Stage::Failed(fault);
        }
    }

    fn model(&mut self, id: u16, address: u16, length: u16) {
        self.found.models.push(ModelAt { id, address, length });
        let next = address.checked_add(2).and_then(|address| address.checked_add(length));
        self.stage = match next {
            Some(next) if self.found.models.len() < MODELS_MAX => Stage::Header(next),
            _ => Stage::Failed(WalkFault::Endless),
        };
    }

    /// The end mark, or a device that refuses to be read beyond its last model.
    fn end_chain(&mut self) {
        if self.found.models.iter().any(|model| self.wanted.contains(&model.id)) {
            self.go_on_counting();
        } else {
            self.stage = Stage::Failed(WalkFault::NoModel);
        }
    }

    fn counted(&mut self, count: Option<u16>) {
        self.found.counts.push(count);
        self.go_on_counting();
    }

    /// The next group whose number can be asked for. One in a model that is not there has no members.
    fn go_on_counting(&mut self) {
        while let Some(group) = self.groups.get(self.found.counts.len()) {
            match self.found.address(group.model, group.model_index, group.address, 1) {
                Some(address) => {
                    let table = group.table;
                    self.stage = Stage::Count { table, address };
                    return;
                }
                None => self.found.counts.push(Some(0)),
            }
        }
        self.stage = Stage::Done;
    }
}

const NO_MARKER: Stage = Stage::Failed(WalkFault::NoMarker);
