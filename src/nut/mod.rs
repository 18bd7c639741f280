//! The NUT server: what upsmon on servers, NAS boxes and hypervisors speaks (RFC 9271), so that they shut down cleanly
//! before their feed is cut.
//!
//! ```text
//! hearing ─► view (readings, runs; what lies ahead of each UPS) ─► answers
//! clients ─► gate (connections, lines, silence) ─► dialogue (users, logins) ─► answers
//! ```
//!
//! It only listens: nothing a client says moves the plant, and a client that hangs holds up nobody. The one thing it tells
//! the core is how many machines are left, of UPSs that stages wait for; they wait no longer than they would without it. Everything a client
//! can make grow has a named bound. It decides nothing: when machines must go follows from the run of the sequence that
//! cuts their feed, as the core tells it.

mod dialogue;
pub mod fate;
mod gate;
pub mod options;
pub mod parse;
#[cfg(test)]
mod tests;
mod tls;
mod users;
pub mod view;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::exchange::{Hearing, Inbox};
use crate::safety::fact::Input;
use crate::safety::site::Site;
use dialogue::House;
use options::NutOptions;
use users::{Logins, Users};
use view::View;

/// Of the files that the process may have open, one in so many may be a connection: links and journal come first.
const FILES_SHARE: u64 = 2;
/// Time a client may leave an answer unread before its connection is closed.
pub const READ_WITHIN: Duration = Duration::from_secs(10);
/// Time for the handshake of TLS.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long the answer to a wrong password waits.
pub const WRONG_WAITS: Duration = Duration::from_secs(1);
/// Wrong passwords before the connection is closed.
pub const WRONG_MAX: u32 = 5;

/// How often the machines are counted for stages that wait for them.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Serves NUT clients on `listener` until `stop`. `missed`: publications came before `hearing` that nobody has heard,
/// so that how sequences stand is not known.
pub fn serve(
    listener: TcpListener,
    options: NutOptions,
    site: Arc<Site>,
    hearing: Hearing,
    inbox: Inbox,
    missed: bool,
    stop: &CancellationToken,
) -> JoinHandle<()> {
    let stop = stop.child_token();
    let options = Arc::new(NutOptions { connections_max: affordable(options.connections_max), ..options });
    let waited_for = waited_for(&site, &options);
    let mut view = View::new(site, Arc::clone(&options));
    if missed {
        view.forget();
    }
    let house = Arc::new(House {
        view: Mutex::new(view),
        users: Users::new(&options.users),
        logins: Logins::new(options.upses.len()),
        has_tls: options.tls.is_some(),
    });
    tokio::spawn(async move {
        let _ends_all = stop.clone().drop_guard();
        let serving = gate::serve(listener, options, Arc::clone(&house), stop.clone());
        let listening = listen(&house, hearing);
        let counting = count(&house.logins, &waited_for, &inbox);
        tokio::select! {
            () = serving => {}
            () = listening => {}
            () = counting => {}
            () = stop.cancelled() => {}
        }
    })
}

/// How many connections there may be, by what is configured and by how many files the process may have open.
fn affordable(configured: usize) -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let share = files.map_or(usize::MAX, |files| usize::try_from(files / FILES_SHARE).unwrap_or(usize::MAX));
    if share < configured {
        tracing::warn!(
            configured,
            share,
            "fewer NUT connections than configured: raise LimitNOFILE of the service"
        );
    }
    configured.min(share).max(1)
}

/// Hears publications until there are no more.
async fn listen(house: &House, mut hearing: Hearing) {
    loop {
        match hearing.recv().await {
            Ok(publication) => house.view().apply(&publication),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "the NUT server was too slow for the publications and missed some");
                house.view().forget();
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// The UPSs whose machines a stage waits for.
fn waited_for(site: &Site, options: &NutOptions) -> Vec<(usize, Arc<str>)> {
    let stages = site.sequences.iter().flat_map(|sequence| &sequence.stages);
    let names: BTreeSet<&Arc<str>> =
        stages.filter_map(|stage| stage.wait_for_logins.as_ref()).map(|wait| &wait.ups).collect();
    let place = |name: &&Arc<str>| options.upses.iter().position(|ups| ups.name == ***name);
    names.iter().filter_map(|name| Some((place(name)?, Arc::clone(name)))).collect()
}

/// Tells the core how many machines are left, for ever. It never waits for the core: a count that finds the inbox full is
/// lost, and the next one comes.
async fn count(logins: &Logins, waited_for: &[(usize, Arc<str>)], inbox: &Inbox) {
    let mut beat = tokio::time::interval(COUNT_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let (at, counted) = (clock::uptime(), |ups| u32::try_from(logins.of(ups).len()).unwrap_or(u32::MAX));
        let inputs: Vec<Input> = waited_for
            .iter()
            .map(|(place, ups)| Input::Logins { ups: Arc::clone(ups), at, count: counted(*place) })
            .collect();
        if !inputs.is_empty() {
            let _lost_when_full = inbox.try_send(inputs);
        }
    }
}
