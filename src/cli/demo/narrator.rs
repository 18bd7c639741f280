//! Tells in the terminal what happens, and passes on the keys pressed.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;

use crate::cli::terminal::Keys;
use crate::cli::{Exit, print};
use crate::clock;
use crate::exchange::{Hearing, Inbox};
use crate::runtime::Daemon;
use crate::safety::alarm::AlarmState;
use crate::safety::fact::{Fact, Input, Operator, Request};
use crate::safety::site::{AlarmId, SequenceId, Site};
use crate::units::Uptime;
use crate::wire::text;

/// Tells the story as it happens.
pub(super) struct Narrator {
    site: Arc<Site>,
    inbox: Inbox,
    start: Uptime,
    /// The occurrence of every alarm that nobody has seen.
    unseen: Vec<(AlarmId, u64)>,
}

impl Narrator {
    pub(super) fn new(daemon: &Daemon) -> Self {
        let (site, inbox) = (Arc::clone(&daemon.site), daemon.inbox.clone());
        Self { site, inbox, start: clock::uptime(), unseen: Vec::new() }
    }

    /// Until `q`.
    pub(super) async fn narrate(mut self, mut hearing: Hearing, keys: &mut Keys) -> Exit {
        let mut keys_end = false;
        loop {
            tokio::select! {
                heard = hearing.recv() => match heard {
                    Ok(publication) => publication.facts.iter().for_each(|fact| self.tell(fact)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Exit::Ok,
                },
                key = keys.pressed.recv(), if !keys_end => match key {
                    Some(b'q' | b'Q') => return Exit::Ok,
                    Some(b'a' | b'A') => self.abort().await,
                    Some(b'k' | b'K') => self.acknowledge().await,
                    Some(_) => {}
                    // Stdin has ended, as under a service manager: the story goes on without keys.
                    None => keys_end = true,
                },
            }
        }
    }

    fn tell(&mut self, fact: &Fact) {
        let site = Arc::clone(&self.site);
        match fact {
            Fact::Level(change) => {
                let because: Vec<String> = change
                    .because
                    .iter()
                    .map(|finding| text::evidence(&site, Some(finding.rule), &finding.evidence))
                    .collect();
                let (zone, level) = (&site[change.zone].title, change.level.word().to_uppercase());
                self.line(&format!("{zone}: {level}  {}", because.join("; ")));
            }
            Fact::Alarm(change) => {
                self.unseen.retain(|(alarm, _)| *alarm != change.alarm);
                if change.now.state == AlarmState::UnackActive {
                    self.unseen.push((change.alarm, change.now.occurrence));
                }
            }
            Fact::Sequence(change) => {
                self.line(&text::sequence_event(&site, change.sequence, &change.now, &change.event));
            }
            Fact::Notice(notice) => {
                self.line(&format!("notice to service owners: {}", text::notice(&site, notice)));
            }
            Fact::LoneVote { rule, channel } => self.line(&text::lone_vote(&site, *rule, *channel)),
            Fact::Proposed { by, request, .. } => {
                self.line(&format!("{}; {by} was the first of two", text::waits_for_second(&site, request)));
            }
            Fact::Waiver(change) => self.line(&text::waiver_change(&site, change)),
            Fact::Refused { why, .. } => self.line(&format!("not done: {}", text::refusal(&site, *why))),
            Fact::Reading { .. }
            | Fact::AlarmFigures(_)
            | Fact::Finding(_)
            | Fact::Outlook(_)
            | Fact::Gap { .. }
            | Fact::ClockStepped { .. }
            | Fact::Commanded(_)
            | Fact::Followed { .. } => {}
        }
    }

    fn line(&self, text: &str) {
        let seconds = clock::uptime().since(self.start).as_secs_f64();
        print(&format!("{:>6.1} s  {text}", seconds.max(0.0)));
    }

    async fn abort(&self) {
        for index in 0..self.site.sequences.len() {
            let request = Request::Abort { sequence: SequenceId::at(index), run: None };
            self.ask(request).await;
        }
    }

    async fn acknowledge(&self) {
        for (alarm, occurrence) in self.unseen.clone() {
            self.ask(Request::Acknowledge { alarm, occurrence }).await;
        }
    }

    async fn ask(&self, request: Request) {
        let by: Operator = Arc::from("terminal");
        // Closed only when the daemon is stopping anyway.
        let _ = self.inbox.send(vec![Input::Asked { by, request }]).await;
    }
}
