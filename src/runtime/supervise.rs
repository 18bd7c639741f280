//! A panic in an edge is caught, counted and the edge restarted; the safety path does not notice.

use std::time::Duration;

use crate::runtime::Ears;
use crate::safety::fact::Input;
use crate::safety::site::SystemFault;

/// How long a task that panicked stays down, so that a broken one cannot spin.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Runs what `make` makes until it ends well (true) or the stop; again whenever it does not. The first is made
/// at once, before this returns: who starts the safety loop afterwards knows that its first word is heard.
pub(super) fn supervise<F, T>(name: &'static str, at: Ears, mut make: F) -> impl Future<Output = ()>
where
    F: FnMut() -> T,
    T: Future<Output = bool>,
{
    let mut running = make();
    async move {
        while !running.await {
            if at.stop.is_cancelled() {
                return;
            }
            tracing::error!(task = name, "panicked; it is restarted");
            report(&at, true).await;
            tokio::select! {
                () = tokio::time::sleep(RESTART_AFTER) => {}
                () = at.stop.cancelled() => return,
            }
            report(&at, false).await;
            running = make();
        }
    }
}

async fn report(at: &Ears, failing: bool) {
    // Closed only when the loop has ended, and then nobody needs to know.
    let _ = at.inbox.send(vec![Input::System { fault: SystemFault::Restarted, failing }]).await;
}
