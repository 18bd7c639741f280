//! The NUT server: what upsmon on servers, NAS boxes and hypervisors speaks (RFC 9271), so that they shut down cleanly
//! before their feed is cut.
//!
//! ```text
//! hearing ─► view (readings, runs; what lies ahead of each UPS) ─► answers
//! clients ─► gate (connections, lines, silence) ─► dialogue (users, logins) ─► answers
//! ```
//!
//! It only listens: nothing a client says moves the plant, and a client that hangs holds up nobody. Everything a client
//! can make grow has a named bound. It decides nothing: when machines must go follows from the run of the sequence that
//! cuts their feed, as the core tells it.

mod dialogue;
pub mod fate;
mod gate;
pub mod names;
pub mod options;
pub mod parse;
#[cfg(test)]
mod tests;
mod tls;
mod users;
pub mod view;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::exchange::Hearing;
use crate::safety::site::Site;
use dialogue::House;
use options::NutOptions;
use users::{Logins, Users};
use view::View;

/// The most connections that can be configured.
pub const CONNECTIONS_MAX: usize = 4096;
/// Time a client may leave an answer unread before its connection is closed.
pub const READ_WITHIN: Duration = Duration::from_secs(10);
/// Time for the handshake of TLS.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long the answer to a wrong password waits.
pub const WRONG_WAITS: Duration = Duration::from_secs(1);
/// Wrong passwords before the connection is closed.
pub const WRONG_MAX: u32 = 5;

/// Serves NUT clients on `listener` until `stop`. `missed`: publications came before `hearing` that nobody has heard,
/// so that how sequences stand is not known.
pub fn serve(
    listener: TcpListener,
    options: NutOptions,
    site: Arc<Site>,
    mut hearing: Hearing,
    missed: bool,
    stop: &CancellationToken,
) -> JoinHandle<()> {
    let stop = stop.child_token();
    let options = Arc::new(options);
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
        let listening = async {
            loop {
                match hearing.recv().await {
                    Ok(publication) => house.view().apply(&publication),
                    Err(RecvError::Lagged(missed)) => {
                        tracing::warn!(
                            missed,
                            "the NUT server was too slow for the publications and missed some"
                        );
                        house.view().forget();
                    }
                    Err(RecvError::Closed) => break,
                }
            }
        };
        tokio::select! {
            () = serving => {}
            () = listening => {}
            () = stop.cancelled() => {}
        }
    })
}
