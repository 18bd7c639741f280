//! What the page shows and scrapers read: the board, with what it takes to count over time.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock;
use crate::exchange::Publication;
use crate::metrics::{Form, Samples, Sources};
use crate::runtime::measure;
use crate::safety::fact::Fact;
use crate::safety::sequence::{Phase, SequenceEvent};
use crate::safety::site::{AlarmId, SequenceId, Site};
use crate::web::{Readiness, Screen};
use crate::wire::Board;
use crate::wire::payload::device::Link;

/// Without a publication for this many milliseconds the loop is silent: it publishes at least every second.
const SILENT_AFTER_MS: u64 = 2500;

/// The board, as the page sees it.
pub(super) struct BoardScreen {
    board: Board,
    sources: Sources,
    /// Whether cells have samples of their own.
    cells: bool,
    counted: Counted,
}

/// What happened since the page was started.
#[derive(Default)]
pub(super) struct Counted {
    /// Changes of alarms, by their words.
    pub(super) alarms: BTreeMap<(AlarmId, &'static str), u64>,
    /// Runs that came to an end: the sequence, whether live, shadow or drill, and how.
    pub(super) runs: BTreeMap<(SequenceId, &'static str, &'static str), u64>,
}

impl BoardScreen {
    pub(super) fn new(site: Arc<Site>, boot: String, sources: Sources, cells: bool) -> Self {
        Self { board: Board::new(site, boot), sources, cells, counted: Counted::default() }
    }
}

impl Counted {
    fn hear(&mut self, fact: &Fact) {
        match fact {
            Fact::Alarm(change) => *self.alarms.entry((change.alarm, change.event.word())).or_default() += 1,
            Fact::Sequence(change) => {
                let over = matches!(
                    change.event,
                    SequenceEvent::Done | SequenceEvent::Failed | SequenceEvent::Aborted { .. }
                );
                if let (true, Phase::Run(run)) = (over, &change.now.phase) {
                    let mode = match (run.cause.is_drill(), run.shadow) {
                        (true, _) => "drill",
                        (false, true) => "shadow",
                        (false, false) => "live",
                    };
                    *self.runs.entry((change.sequence, mode, change.event.word())).or_default() += 1;
                }
            }
            _ => {}
        }
    }
}

impl Screen for BoardScreen {
    fn apply(&mut self, publication: &Publication) -> Option<serde_json::Value> {
        publication.facts.iter().for_each(|fact| self.counted.hear(fact));
        self.board.apply(publication);
        self.board.patch(publication)
    }

    fn snapshot(&self) -> serde_json::Value {
        self.board.snapshot()
    }

    fn metrics(&self, form: Form) -> String {
        let mut samples = Samples::default();
        measure::plant(&self.board, &self.counted, self.cells, &mut samples);
        self.sources.read(&mut samples);
        samples.text(form)
    }

    fn readiness(&self) -> Vec<Readiness> {
        let site = self.board.site();
        let silent = clock::uptime().since(self.board.now().uptime).0;
        let untried: Vec<&str> = (0_u32..)
            .zip(&site.devices)
            .filter(|(id, _)| {
                let status = self.board.device(crate::safety::site::DeviceId(*id));
                status.link == Link::NeverSeen && status.why.is_none()
            })
            .map(|(_, device)| device.name.as_str())
            .collect();
        let failing = self.board.failing();
        let heard = 0 < self.board.seq();
        vec![
            Readiness::of("safety-loop", heard && silent <= SILENT_AFTER_MS, || {
                if heard {
                    format!("it has said nothing for {silent} ms")
                } else {
                    "it has not spoken yet".to_owned()
                }
            }),
            Readiness::of("devices-tried", untried.is_empty(), || {
                format!("not tried since the start: {}", untried.join(", "))
            }),
            Readiness::of("journal", !failing.contains(&"journal-failing"), || {
                "decisions are not being recorded durably: check the disk".to_owned()
            }),
        ]
    }
}
