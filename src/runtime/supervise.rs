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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::metrics::Sources;
    use crate::safety::site::Site;
    use tokio::sync::{broadcast, mpsc};
    use tokio_util::sync::CancellationToken;

    #[tokio::test(start_paused = true)]
    async fn p11_an_edge_that_panics_is_told_of_and_started_again_and_the_loop_goes_on() {
        let (inbox, mut said) = mpsc::channel(8);
        let (facts, site) = (broadcast::Sender::new(1), Arc::new(Site::default()));
        let ears = Ears {
            facts,
            site,
            inbox,
            boot: String::new(),
            sources: Sources::default(),
            stop: CancellationToken::new(),
        };
        let made = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&made);
        let edge = move || {
            let first = count.fetch_add(1, Ordering::Relaxed) == 0;
            async move { tokio::spawn(async move { assert!(!first, "planted") }).await.is_ok() }
        };
        supervise("edge", ears, edge).await;
        assert_eq!(made.load(Ordering::Relaxed), 2, "once more, and then it ended well");
        for failing in [true, false] {
            assert_eq!(
                said.recv().await.unwrap(),
                [Input::System { fault: SystemFault::Restarted, failing }]
            );
        }
    }
}
