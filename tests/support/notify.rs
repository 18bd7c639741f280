//! Targets of messages as the daemon starts them, and what happens at its site.

use std::sync::Arc;

use emberwatch::exchange::{FaultReport, Publication};
use emberwatch::notify::options::{Hears, Preset, WebhookOptions};
use emberwatch::notify::{Common, TargetHandle, Texts, spawn};
use emberwatch::safety::alarm::{AlarmChange, AlarmEvent, AlarmRecord, AlarmState};
use emberwatch::safety::fact::{Fact, Input};
use emberwatch::safety::risk::{Evidence, Level};
use emberwatch::safety::sequence::{Notice, NoticeStage, SequenceChange};
use emberwatch::safety::site::{Priority, SequenceId, Site, SystemFault, ZoneId};
use emberwatch::units::{Millis, Now};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::site;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) struct Plain;

impl Texts for Plain {
    fn alarm(&self, site: &Site, change: &AlarmChange, _: Now) -> String {
        site[change.alarm].message.clone()
    }
    fn sequence(&self, _: &Site, _: &SequenceChange, _: Now) -> String {
        "a sequence changed".into()
    }
    fn notice(&self, _: &Site, _: &Notice, _: Now) -> String {
        "power goes".into()
    }
}

pub(crate) struct Running {
    pub(crate) facts: broadcast::Sender<Arc<Publication>>,
    pub(crate) inputs: mpsc::Receiver<Vec<Input>>,
    pub(crate) handles: Vec<TargetHandle>,
    pub(crate) stop: CancellationToken,
}

pub(crate) fn options(url: String) -> WebhookOptions {
    WebhookOptions {
        name: "ops".into(),
        preset: Preset::Standard { keys: vec![SECRET.into()] },
        url: url.into(),
        url_backup: None,
        hears: Hears { priority_min: Some(Priority::Medium), ..Hears::default() },
        timeout: Millis(2000),
        queued_max: 100,
        allow_private: true,
        ca: None,
    }
}

pub(crate) fn common(inbox: mpsc::Sender<Vec<Input>>, stop: &CancellationToken) -> Common {
    Common {
        site: site::site(),
        boot: "boot-a".into(),
        texts: Arc::new(Plain),
        inbox: inbox.clone(),
        fault: FaultReport::new(inbox, SystemFault::Webhook),
        stop: stop.clone(),
    }
}

pub(crate) fn start(targets: &[WebhookOptions]) -> Running {
    let (facts, hearing) = broadcast::channel(4096);
    let (inbox, inputs) = mpsc::channel(4096);
    let stop = CancellationToken::new();
    let common = common(inbox, &stop);
    let one = |target| spawn(target, &common.clone(), hearing.resubscribe()).unwrap();
    let handles = targets.iter().map(one).collect();
    Running { facts, inputs, handles, stop }
}

/// A change of the alarm of this index.
pub(crate) fn change(
    number: u64,
    alarm: u32,
    event: AlarmEvent,
    state: AlarmState,
    priority: Priority,
) -> Fact {
    let Fact::Alarm(raised) = site::raised(number, alarm, priority) else { unreachable!("an alarm") };
    let stands = matches!(state, AlarmState::UnackActive | AlarmState::AckActive);
    let now = AlarmRecord { state, stands, ..raised.now };
    Fact::Alarm(AlarmChange { event, now, ..raised })
}

/// Power goes in two minutes.
pub(crate) fn notice(number: u64) -> Fact {
    Fact::Notice(Box::new(Notice {
        sequence: SequenceId(0),
        zone: ZoneId(0),
        level: Level::Danger,
        run: None,
        number,
        previous: None,
        stage: NoticeStage::Countdown { earliest: Millis(120_000), abortable: Millis(110_000) },
        shadow: false,
        drill: false,
        next: Some(0),
        evidence: Evidence::None,
        autonomy: None,
    }))
}
