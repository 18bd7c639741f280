//! One log event per change, for people who read `journalctl`.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::exchange::Hearing;
use crate::safety::fact::Fact;
use crate::safety::risk::Level;
use crate::safety::site::{Priority, Site};
use crate::wire::text;

/// Logs every change until the stop.
pub(super) async fn log(site: Arc<Site>, mut hearing: Hearing, stop: CancellationToken) {
    loop {
        let heard = tokio::select! {
            heard = hearing.recv() => heard,
            () = stop.cancelled() => return,
        };
        match heard {
            Ok(publication) => publication.facts.iter().for_each(|fact| log_fact(&site, fact)),
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "log fell behind"),
            Err(RecvError::Closed) => return,
        }
    }
}

fn log_fact(site: &Site, fact: &Fact) {
    match fact {
        Fact::Reading { .. } | Fact::Outlook(_) => {}
        Fact::AlarmFigures(figures) => tracing::debug!(?figures, "alarm figures"),
        Fact::Finding(finding) => {
            let (rule, zone) = (&site[finding.rule].name, &site[finding.zone].name);
            let evidence = text::evidence(site, Some(finding.rule), &finding.evidence);
            tracing::debug!(
                rule,
                zone,
                level = finding.level.word(),
                known = finding.known,
                evidence,
                "finding"
            );
        }
        Fact::Level(change) => {
            let (zone, level, was) = (&site[change.zone].name, change.level.word(), change.was.word());
            if change.level < Level::Warning {
                tracing::info!(zone, level, was, "level");
            } else {
                tracing::warn!(zone, level, was, "level");
            }
        }
        Fact::Alarm(change) => {
            let (alarm, event) = (&site[change.alarm].name, change.event.word());
            let state = change.now.state.word();
            if Some(Priority::High) <= change.now.priority && !change.event.is_quiet() {
                tracing::warn!(alarm, event, state, occurrence = change.now.occurrence, "alarm");
            } else {
                tracing::info!(alarm, event, state, occurrence = change.now.occurrence, "alarm");
            }
        }
        Fact::Sequence(change) => {
            let event = text::sequence_event(site, change.sequence, &change.now, &change.event);
            tracing::warn!(sequence = site[change.sequence].name, event, "sequence");
        }
        Fact::Notice(notice) => {
            tracing::warn!(zone = site[notice.zone].name, text = text::notice(site, notice), "notice");
        }
        Fact::LoneVote { rule, channel } => {
            tracing::warn!(
                vote = site[*rule].name,
                channel = site[*channel].name,
                "a vote came and went alone"
            );
        }
        Fact::Waiver(change) => tracing::warn!(text = text::waiver_change(site, change), "put aside"),
        Fact::Commanded(it) => {
            tracing::info!("{}", text::command(&it.by, &it.actor, &it.verb, &it.target, &it.rejected));
        }
        Fact::ClockStepped { by_ms } => tracing::warn!("{}", text::clock_stepped(*by_ms)),
        Fact::Gap { lasted } => tracing::warn!(lasted_ms = lasted.0, "the loop was held up"),
        Fact::Proposed { by, request, .. } => {
            tracing::info!(by = %by, ?request, "request waits for a second person");
        }
        Fact::Followed { by, request } => tracing::info!(by = %by, ?request, "request followed"),
        Fact::Refused { by, request, why } => tracing::warn!(by = %by, ?request, ?why, "request refused"),
    }
}
