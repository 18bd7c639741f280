//! One test message to one target, now, and what came back: for people who set it up.

use std::sync::Arc;

use crate::clock;
use crate::notify::Texts;
use crate::notify::heartbeat::Caller;
use crate::notify::http::{Answer, SetupFault, Target, renderer};
use crate::notify::mail::Mailer;
use crate::notify::message::{Maker, Moment};
use crate::notify::options::{HeartbeatOptions, MailOptions, WebhookOptions};
use crate::notify::preset::Renderer;
use crate::notify::preset::alertmanager::Alert;
use crate::safety::alarm::AlarmChange;
use crate::safety::sequence::{Notice, SequenceChange};
use crate::safety::site::Site;
use crate::units::{Millis, Now, WallTime};
use crate::wire::time::rfc3339;

/// A test alert ends by itself.
const TEST_STANDS_FOR: Millis = Millis::from_secs(60);

/// What came of one test message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The second address of a target?
    pub backup: bool,
    /// What came back.
    pub answer: Answer,
    /// How long it took.
    pub took: Millis,
}

impl Answer {
    /// Whether the message was taken.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// Sends a test message to each address of a target. Also gives the keys its signatures are verified with, as far
/// as they are public.
pub async fn try_webhook(
    options: &WebhookOptions,
    site: &Arc<Site>,
) -> Result<(Vec<Trial>, Vec<String>), SetupFault> {
    let target = Target::new(options)?;
    let now = clock::now();
    let maker = maker(site, now);
    let id = maker.id(format_args!("test"));
    let (mut body, mut end) = (Vec::new(), None);
    maker.test(&options.name, Moment { id: &id, seq: 0, now }, &mut |_, telling| {
        if let Some(renderer) = renderer(options) {
            body = renderer.render(telling).unwrap_or_default();
            end = renderer.end_of_test(telling);
        } else {
            let until = rfc3339(WallTime(now.wall.0.saturating_add_unsigned(TEST_STANDS_FOR.0)));
            body = serde_json::to_vec(&[Alert::test(telling).posted(&until)]).unwrap_or_default();
        }
    });
    let mut trials = Vec::new();
    let addresses = [(false, Some(&target.url)), (true, target.url_backup.as_ref())];
    for (backup, url) in addresses.into_iter().filter_map(|(backup, url)| Some((backup, url?))) {
        let begun = clock::uptime();
        let answer = target.ask(url, &id, &body).await;
        trials.push(Trial { backup, answer, took: clock::uptime().since(begun) });
        if let Some(end) = &end {
            // The incident that the test opened is closed; how that went is for its own logs.
            let _ = target.post(url, &id, end).await;
        }
    }
    Ok((trials, target.public_keys()))
}

/// Sends a test mail.
pub async fn try_mail(options: &MailOptions, site: &Arc<Site>) -> Result<Trial, SetupFault> {
    let mailer = Mailer::new(options, &site.gateway)?;
    let now = clock::now();
    let maker = maker(site, now);
    let id = maker.id(format_args!("test"));
    let (mut subject, mut body) = (String::new(), Vec::new());
    maker.test(&options.name, Moment { id: &id, seq: 0, now }, &mut |_, telling| {
        subject = telling.headline();
        body = Renderer::Mail.render(telling).unwrap_or_default();
    });
    let begun = clock::uptime();
    let answer = mailer.ask(&id, &subject, &body).await;
    Ok(Trial { backup: false, answer, took: clock::uptime().since(begun) })
}

/// Calls a dead-man service once.
pub async fn try_heartbeat(options: &HeartbeatOptions) -> Result<Trial, SetupFault> {
    let caller = Caller::new(options)?;
    let begun = clock::uptime();
    let answer = caller.call().await;
    Ok(Trial { backup: false, answer, took: clock::uptime().since(begun) })
}

fn maker(site: &Arc<Site>, now: Now) -> Maker {
    let process = Arc::from(format!("trial-{:x}", now.wall.0));
    Maker { site: Arc::clone(site), texts: Arc::new(Silent), process }
}

/// A test says nothing about the plant.
struct Silent;

impl Texts for Silent {
    fn alarm(&self, _: &Site, _: &AlarmChange, _: Now) -> String {
        String::new()
    }
    fn sequence(&self, _: &Site, _: &SequenceChange, _: Now) -> String {
        String::new()
    }
    fn notice(&self, _: &Site, _: &Notice, _: Now) -> String {
        String::new()
    }
}
