//! Starts every edge that may fail, and starts it again when it panicked.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::config::Loaded;
use crate::exchange::{FaultReport, Hearing, Publication};
use crate::field::Field;
use crate::notify::{self, Common, SetupFault, Texts};
use crate::nut;
use crate::nut::options::NutOptions;
use crate::runtime::Ears;
use crate::runtime::control::{Listening, People, Recordings, Served, socket_in};
use crate::runtime::measure;
use crate::runtime::screen::BoardScreen;
use crate::runtime::supervise::supervise;
use crate::runtime::tap::Taps;
use crate::safety::alarm::AlarmChange;
use crate::safety::fact::Input;
use crate::safety::sequence::{Notice, SequenceChange};
use crate::safety::site::{Site, SystemFault};
use crate::sinks::influx::options::InfluxOptions;
use crate::sinks::influx::{self, Content};
use crate::sinks::mqtt;
use crate::units::Now;
use crate::web;
use crate::web::options::WebOptions;
use crate::wire::text;

/// Starts MQTT, InfluxDB, webhooks, mail and heartbeats, as far as they are configured.
///
/// `last_words` is what an earlier run may not have got away before it was killed: for those who promise every event.
pub(super) fn spawn_sinks(
    ears: &Ears,
    loaded: &Loaded,
    last_words: &[Arc<Publication>],
    edges: &mut JoinSet<()>,
) {
    if let Some(options) = loaded.mqtt.clone() {
        let (at, mut last_words) = (ears.clone(), last_words.to_vec());
        edges.spawn(supervise("mqtt", ears.clone(), move || {
            let (facts, stop) = (at.facts.subscribe(), at.stop.child_token());
            let handle = mqtt::spawn(
                options.clone(),
                Arc::clone(&at.site),
                at.boot.clone(),
                &std::mem::take(&mut last_words),
                facts,
                at.inbox.clone(),
                stop.clone(),
            );
            measure::mqtt(&at.sources, Arc::clone(handle.counters()), handle.spool().cloned());
            async move {
                // Cancelled also when this is dropped, so that no half of it lives on beside a new one.
                let _ends_all = stop.drop_guard();
                handle.stopped().await
            }
        }));
    }
    if let Some(options) = loaded.influx.clone() {
        let faults = influx::Faults::new(&ears.inbox);
        let events =
            options.of_events().map(|options| (options, Content::Events { boot: ears.boot.clone() }));
        for (options, content) in [Some((options, Content::History)), events].into_iter().flatten() {
            spawn_influx(ears, options, content, last_words.to_vec(), faults.clone(), edges);
        }
    }
    // One report for all who tell people: the alarm goes when none of them fails any more.
    let common = Common {
        site: Arc::clone(&ears.site),
        boot: ears.boot.clone(),
        texts: Arc::new(Sentences),
        inbox: ears.inbox.clone(),
        fault: FaultReport::new(ears.inbox.clone(), SystemFault::Webhook),
        stop: ears.stop.clone(),
    };
    for options in loaded.webhooks.clone() {
        let sources = ears.sources.clone();
        let start = move |common: &Common, hearing| {
            let handle = notify::spawn(&options, common, hearing)?;
            measure::target(&sources, handle.name.clone(), handle.reader());
            Ok(handle.task)
        };
        edges.spawn(supervise("webhook", ears.clone(), target(ears, &common, start)));
    }
    for options in loaded.mails.clone() {
        let sources = ears.sources.clone();
        let start = move |common: &Common, hearing| {
            let handle = notify::spawn_mail(&options, common, hearing)?;
            measure::target(&sources, handle.name.clone(), handle.reader());
            Ok(handle.task)
        };
        edges.spawn(supervise("mail", ears.clone(), target(ears, &common, start)));
    }
    for options in loaded.heartbeats.clone() {
        let start = move |common: &Common, hearing| notify::spawn_heartbeat(&options, common, hearing);
        edges.spawn(supervise("heartbeat", ears.clone(), target(ears, &common, start)));
    }
}

/// One bucket of the InfluxDB server.
fn spawn_influx(
    ears: &Ears,
    options: InfluxOptions,
    content: Content,
    mut last_words: Vec<Arc<Publication>>,
    faults: influx::Faults,
    edges: &mut JoinSet<()>,
) {
    let at = ears.clone();
    edges.spawn(supervise("influx", ears.clone(), move || {
        let (site, facts, stop) = (Arc::clone(&at.site), at.facts.subscribe(), at.stop.child_token());
        let words = std::mem::take(&mut last_words);
        let started = influx::spawn(&options, content.clone(), site, &words, facts, faults.clone(), stop);
        if let Ok(handle) = &started {
            let sink = if content == Content::History { "influx" } else { "influx-events" };
            measure::influx(&at.sources, sink, handle.reader());
        }
        let faults = faults.clone();
        async move {
            match started {
                Ok(handle) => handle.task.await.is_ok(),
                Err(fault) => {
                    tracing::error!(%fault, "InfluxDB cannot be used");
                    faults.unusable();
                    true
                }
            }
        }
    }));
}

/// One target of messages, as something that can be started again.
fn target<S>(
    ears: &Ears,
    common: &Common,
    mut start: S,
) -> impl FnMut() -> std::pin::Pin<Box<dyn Future<Output = bool> + Send>> + use<S>
where
    S: FnMut(&Common, Hearing) -> Result<JoinHandle<()>, SetupFault>,
{
    let (at, common) = (ears.clone(), common.clone());
    move || {
        let started = start(&common, at.facts.subscribe());
        let inbox = at.inbox.clone();
        Box::pin(async move {
            match started {
                Ok(task) => task.await.is_ok(),
                Err(fault) => {
                    tracing::error!(%fault, "a target of messages cannot be used");
                    let _ = inbox.send(vec![failing(SystemFault::Webhook)]).await;
                    true
                }
            }
        })
    }
}

fn failing(fault: SystemFault) -> Input {
    Input::System { fault, failing: true }
}

/// Starts the page. After a panic it listens on the same address again.
pub(super) fn spawn_web(
    ears: &Ears,
    options: WebOptions,
    listener: TcpListener,
    banner: Option<String>,
    edges: &mut JoinSet<()>,
) {
    let address = listener.local_addr().unwrap_or(options.listen);
    let (at, mut first) = (ears.clone(), Some(listener));
    edges.spawn(supervise("web", ears.clone(), move || {
        let (at, options, banner, ready) = (at.clone(), options.clone(), banner.clone(), first.take());
        let hearing = at.facts.subscribe();
        async move {
            let listener = match ready {
                Some(listener) => Ok(listener),
                None => TcpListener::bind(address).await,
            };
            let Ok(listener) = listener else { return false };
            let screen = BoardScreen::new(
                Arc::clone(&at.site),
                at.boot.clone(),
                at.sources.clone(),
                options.metrics_cells,
            );
            let screen = Box::new(screen);
            let mut page = web::serve(listener, options, at.site, screen, hearing, at.inbox, at.stop, banner);
            page.finished().await.is_ok()
        }
    }));
}

/// Starts the NUT server. After a panic it listens on the same address again, and takes what it missed for unknown.
pub(super) fn spawn_nut(ears: &Ears, options: NutOptions, listener: TcpListener, edges: &mut JoinSet<()>) {
    let address = listener.local_addr().unwrap_or(options.listen);
    let (at, mut first) = (ears.clone(), Some(listener));
    edges.spawn(supervise("nut", ears.clone(), move || {
        let (at, options, ready) = (at.clone(), options.clone(), first.take());
        let hearing = at.facts.subscribe();
        async move {
            let missed = ready.is_none();
            let listener = match ready {
                Some(listener) => Ok(listener),
                None => TcpListener::bind(address).await,
            };
            let Ok(listener) = listener else { return false };
            nut::serve(listener, options, at.site, hearing, at.inbox, missed, &at.stop).await.is_ok()
        }
    }));
}

/// Starts the local socket. Where it cannot be had, everything else goes on without it.
pub(super) async fn spawn_control(
    ears: &Ears,
    field: Arc<Field>,
    taps: Taps,
    loaded: &Loaded,
    edges: &mut JoinSet<()>,
) {
    let path = socket_in(&loaded.state_dir);
    let people = Arc::new(People::new(ears.clone()));
    let recordings = Recordings::new(taps, &ears.site, &loaded.fingerprint);
    let served = Served::new(field, &loaded.links, Arc::clone(&people), Some(recordings));
    let (stop, mut first) = (ears.stop.clone(), Listening::start(path.clone()).await);
    if first.is_none() {
        return;
    }
    let facts = ears.facts.clone();
    edges.spawn(supervise("control view", ears.clone(), move || {
        let (people, hearing) = (Arc::clone(&people), facts.subscribe());
        async move { tokio::spawn(people.hear(hearing)).await.is_ok() }
    }));
    edges.spawn(supervise("control", ears.clone(), move || {
        let (ready, path) = (first.take(), path.clone());
        let (served, stop) = (served.clone(), stop.clone());
        async move {
            let listening = match ready {
                Some(listening) => Some(listening),
                None => Listening::start(path).await,
            };
            if let Some(listening) = listening {
                // A panic is caught where tasks are joined; the socket's file goes with its listener.
                return tokio::spawn(listening.serve(served, stop)).await.is_ok();
            }
            true
        }
    }));
}

/// What people read in webhooks.
struct Sentences;

impl Texts for Sentences {
    fn alarm(&self, site: &Site, change: &AlarmChange, _: Now) -> String {
        text::alarm_change(site, change)
    }

    fn sequence(&self, site: &Site, change: &SequenceChange, _: Now) -> String {
        text::sequence_event(site, change.sequence, &change.now, &change.event)
    }

    fn notice(&self, site: &Site, notice: &Notice, _: Now) -> String {
        let advice = &site[notice.sequence].notice;
        format!("{}. {advice}", text::notice(site, notice))
    }
}
