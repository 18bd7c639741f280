//! A panic in an edge is caught, counted and the edge restarted; the safety path does not notice.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::exchange::Inbox;
use crate::safety::fact::Input;
use crate::safety::site::SystemFault;

/// How long a task that panicked stays down, so that a broken one cannot spin.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Runs what `make` makes until the stop; again whenever it panics.
pub(super) async fn supervise<F, T>(name: &'static str, inbox: Inbox, stop: CancellationToken, mut make: F)
where
    F: FnMut() -> T,
    T: Future<Output = ()> + Send + 'static,
{
    while !stop.is_cancelled() {
        let ended = tokio::spawn(make()).await;
        match ended {
            Ok(()) => return,
            Err(error) if error.is_cancelled() => return,
            Err(_) => {
                tracing::error!(task = name, "panicked; it is restarted");
                report(&inbox, true).await;
                tokio::select! {
                    () = tokio::time::sleep(RESTART_AFTER) => {}
                    () = stop.cancelled() => return,
                }
                report(&inbox, false).await;
            }
        }
    }
}

async fn report(inbox: &Inbox, failing: bool) {
    let _ = inbox.send(vec![Input::System { fault: SystemFault::Restarted, failing }]).await;
}
