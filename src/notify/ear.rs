//! Hears for one target: picks what it is to be told, at once or when nobody has acknowledged in time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;

use crate::clock;
use crate::exchange::{Hearing, Publication};
use crate::notify::escalate::Escalation;
use crate::notify::message::{Maker, Moment, Sink};
use crate::notify::options::{Hears, Kind};
use crate::notify::outbox::{Outbox, add};
use crate::safety::alarm::AlarmChange;
use crate::safety::fact::Fact;
use crate::units::Now;

/// What one target hears.
pub(super) struct Ear {
    maker: Maker,
    hears: Hears,
    escalation: Option<Escalation>,
}

impl Ear {
    pub(super) fn new(maker: Maker, hears: Hears) -> Self {
        let escalation = hears.escalate_after.map(Escalation::new);
        Self { maker, hears, escalation }
    }

    /// Tells of a start of emberwatch, where that is wanted.
    pub(super) fn started(&self, boot: &str, now: Now, sink: Sink<'_>) {
        if self.hears.takes_starts() {
            let id = self.maker.id(format_args!("started"));
            self.maker.started(boot, Moment { id: &id, seq: 0, now }, sink);
        }
    }

    /// Hears until the end of the task.
    pub(super) async fn listen(
        mut self,
        mut hearing: Hearing,
        outbox: Arc<Outbox>,
        mut sink: impl FnMut(crate::notify::message::Handling, &crate::notify::telling::Telling<'_>),
    ) {
        loop {
            let due = self.escalation.as_ref().and_then(Escalation::next_due);
            let wait = due.map(|due| due.since(clock::uptime()).0);
            tokio::select! {
                heard = hearing.recv() => match heard {
                    Ok(publication) => self.hear(&publication, &mut sink),
                    Err(RecvError::Lagged(missed)) => add(&outbox.missed, missed),
                    // Nothing more will be said; what waits is still delivered, until the stop.
                    Err(RecvError::Closed) => std::future::pending().await,
                },
                () = sleep(Duration::from_millis(wait.unwrap_or(0))), if wait.is_some() => {
                    self.escalate(clock::now(), &mut sink);
                }
            }
        }
    }

    pub(super) fn hear(&mut self, publication: &Publication, sink: Sink<'_>) {
        for (index, fact) in publication.facts.iter().enumerate() {
            let id = self.maker.id(format_args!("{}-{index}", publication.number));
            let at = Moment { id: &id, seq: publication.number, now: publication.now };
            match fact {
                Fact::Alarm(change) if self.takes(change, publication.now) => {
                    self.maker.alarm(change, at, None, sink);
                }
                Fact::Sequence(change) => {
                    let sequence = self.maker.site.sequences.get(change.sequence.index());
                    if sequence.is_some_and(|it| self.hears.takes(Kind::Sequence, it.zone)) {
                        self.maker.sequence(change, at, sink);
                    }
                }
                Fact::Notice(notice) if self.hears.takes(Kind::Notice, notice.zone) => {
                    self.maker.notice(notice, at, sink);
                }
                Fact::Alarm(_)
                | Fact::Notice(_)
                | Fact::Reading { .. }
                | Fact::AlarmFigures(_)
                | Fact::Finding(_)
                | Fact::Outlook(_)
                | Fact::Level(_)
                | Fact::LoneVote { .. }
                // Its alarm tells of it.
                | Fact::Waiver(_)
                | Fact::Gap { .. }
                | Fact::ClockStepped { .. }
                | Fact::Commanded(_)
                | Fact::Proposed { .. }
                | Fact::Followed { .. }
                | Fact::Refused { .. } => {}
            }
        }
    }

    fn takes(&mut self, change: &AlarmChange, now: Now) -> bool {
        if !self.hears.takes_alarm(&self.maker.site, change) {
            return false;
        }
        let told = self.escalation.as_mut().is_none_or(|escalation| escalation.hear(change, now.uptime));
        // The alarm of a flood stands for those it suppresses.
        told && !change.event.is_quiet()
    }

    fn escalate(&mut self, now: Now, sink: Sink<'_>) {
        let Some(escalation) = &mut self.escalation else { return };
        let after = escalation.after();
        for change in escalation.due(now.uptime) {
            let id = self.maker.id(format_args!("unacknowledged-{}", change.number));
            self.maker.alarm(&change, Moment { id: &id, seq: 0, now }, Some(after), sink);
        }
    }
}
