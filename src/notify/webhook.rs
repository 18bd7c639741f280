//! Starts telling targets: for each of them who hears, who delivers, and what lies between.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::exchange::{FaultReport, Hearing, Inbox};
use crate::notify::Texts;
use crate::notify::courier::Courier;
use crate::notify::ear::Ear;
use crate::notify::http::{self, SetupFault, Target};
use crate::notify::mail::Mailer;
use crate::notify::message::{Handling, Maker};
use crate::notify::options::{MailOptions, WebhookOptions};
use crate::notify::outbox::{Counts, Outbox};
use crate::notify::parcel::Packer;
use crate::notify::preset::Renderer;
use crate::notify::preset::words::clip;
use crate::notify::queue::{Body, Message};
use crate::notify::standing::{Standing, Teller};
use crate::notify::telling::Telling;
use crate::notify::way::Way;
use crate::safety::site::Site;
use crate::units::Uptime;

/// The longest line of a message in a group: twenty of them are shown by every chat.
const LINE_CHARS_MAX: usize = 130;

/// What all targets have in common. A clone of it belongs to one target: whether that one fails is its own matter.
#[derive(Clone)]
pub struct Common {
    /// The plant.
    pub site: Arc<Site>,
    /// The machine's boot id.
    pub boot: String,
    /// Sentences for people.
    pub texts: Arc<dyn Texts>,
    /// Where receipts of notices go.
    pub inbox: Inbox,
    /// Told when people are not being reached.
    pub fault: FaultReport,
    /// The end of it.
    pub stop: CancellationToken,
}

/// One target as it runs.
#[derive(Debug)]
pub struct TargetHandle {
    /// The target's name.
    pub name: String,
    outbox: Arc<Outbox>,
    /// Ends soon after the stop token.
    pub task: JoinHandle<()>,
}

impl TargetHandle {
    /// What became of messages so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.outbox.counts()
    }

    /// A way to read that later, also when this has gone.
    pub fn reader(&self) -> impl Fn() -> Counts + Send + use<> {
        let outbox = Arc::clone(&self.outbox);
        move || outbox.counts()
    }
}

/// Starts telling one target what is heard, in a task of its own. Needs a tokio runtime.
pub fn spawn(
    options: &WebhookOptions,
    common: &Common,
    hearing: Hearing,
) -> Result<TargetHandle, SetupFault> {
    // Without a provider the TLS client would panic when it is built; a second installation is refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let way = Way::http(Target::new(options)?);
    let outbox = Arc::new(Outbox::new(&options.name, options.queued_max, common.inbox.clone()));
    let maker = common.maker(clock::uptime());
    let ear = Ear::new(maker.clone(), options.hears.clone());
    let name = options.name.clone();
    let task = match http::renderer(options) {
        Some(renderer) => {
            deliver(ear, (way, Packer::new(renderer.clone(), maker)), renderer, common, hearing, &outbox)
        }
        None => tell_what_stands(ear, way, common, hearing, &outbox),
    };
    Ok(TargetHandle { name, outbox, task })
}

/// Starts mailing what is heard, in a task of its own. Needs a tokio runtime.
pub fn spawn_mail(
    options: &MailOptions,
    common: &Common,
    hearing: Hearing,
) -> Result<TargetHandle, SetupFault> {
    let way = Way::Mail(Box::new(Mailer::new(options, &common.site.gateway)?));
    let outbox = Arc::new(Outbox::new(&options.name, options.queued_max, common.inbox.clone()));
    let maker = common.maker(clock::uptime());
    let ear = Ear::new(maker.clone(), options.hears.clone());
    let packer = Packer::new(Renderer::Mail, maker);
    let task = deliver(ear, (way, packer), Renderer::Mail, common, hearing, &outbox);
    Ok(TargetHandle { name: options.name.clone(), outbox, task })
}

impl Common {
    pub(super) fn maker(&self, now: Uptime) -> Maker {
        let process = Arc::from(format!("{}-{:x}", self.boot, now.0));
        Maker { site: Arc::clone(&self.site), texts: Arc::clone(&self.texts), process }
    }
}

/// A task that hears, renders and delivers message by message.
pub(super) fn deliver(
    ear: Ear,
    (way, packer): (Way, Packer),
    renderer: Renderer,
    common: &Common,
    hearing: Hearing,
    outbox: &Arc<Outbox>,
) -> JoinHandle<()> {
    let takes_starts = renderer.takes_starts();
    let mut put = {
        let outbox = Arc::clone(outbox);
        move |handling: Handling, telling: &Telling<'_>| {
            if let Some(message) = message(&renderer, handling, telling) {
                outbox.put(message);
            }
        }
    };
    if takes_starts {
        ear.started(&common.boot, clock::now(), &mut put);
    }
    let listening = ear.listen(hearing, Arc::clone(outbox), put);
    let courier = Courier::new(way, packer, Arc::clone(outbox), common.fault.clone());
    let stop = common.stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = listening => {}
            () = courier.run(stop) => {}
        }
    })
}

fn tell_what_stands(
    ear: Ear,
    way: Way,
    common: &Common,
    hearing: Hearing,
    outbox: &Arc<Outbox>,
) -> JoinHandle<()> {
    let standing = Arc::new(Standing::default());
    let heard = Arc::clone(&standing);
    let listening = ear.listen(hearing, Arc::clone(outbox), move |_, telling| heard.take(telling));
    let teller = Teller { way, standing, outbox: Arc::clone(outbox), fault: common.fault.clone() };
    let stop = common.stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = listening => {}
            () = teller.run(stop) => {}
        }
    })
}

/// One message for the queue; `None` where the receiver need not know.
pub(super) fn message(renderer: &Renderer, handling: Handling, telling: &Telling<'_>) -> Option<Message> {
    Some(Message {
        id: Arc::from(telling.id),
        handling,
        made: clock::uptime(),
        severity: telling.severity(),
        line: Arc::from(clip(&telling.headline(), LINE_CHARS_MAX)),
        body: Body(Arc::from(renderer.render(telling)?)),
    })
}
