//! How a parcel leaves: by HTTP to one address or two, or by mail.
//!
//! The second address is used from the first failure of the first one on, and as long as that one fails both get
//! what is said, side by side: it is delivered when either takes it. The first one must not fail unseen, so its
//! alarm stands though people are reached.

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use crate::notify::http::{Target, Verdict};
use crate::notify::mail::Mailer;
use crate::notify::parcel::Parcel;

/// How parcels leave.
pub(super) enum Way {
    Http(Http),
    Mail(Box<Mailer>),
}

/// One target, with the state of its first address.
pub(super) struct Http {
    target: Arc<Target>,
    /// The first address failed last, and there is a second one.
    degraded: bool,
    /// The try of the first address that goes on beside the second one.
    probe: Option<AbortOnDropHandle<Verdict>>,
}

impl Way {
    pub(super) fn http(target: Target) -> Self {
        Self::Http(Http { target: Arc::new(target), degraded: false, probe: None })
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Http(http) => &http.target.name,
            Self::Mail(mailer) => &mailer.name,
        }
    }

    /// Whether something of it fails though messages are delivered.
    pub(super) const fn is_degraded(&self) -> bool {
        match self {
            Self::Http(http) => http.degraded,
            Self::Mail(_) => false,
        }
    }

    pub(super) async fn deliver(&mut self, parcel: &Parcel) -> Verdict {
        match self {
            Self::Http(http) => http.deliver(parcel).await,
            Self::Mail(mailer) => mailer.send(&parcel.id, &parcel.line, &parcel.body).await,
        }
    }

    /// Tries what failed beside what works, with what was said last.
    pub(super) async fn look_again(&mut self, parcel: &Parcel) {
        match self {
            Self::Http(http) => {
                let first = http.target.post(&http.target.url, &parcel.id, &parcel.body).await;
                http.degraded = first != Verdict::Delivered;
            }
            Self::Mail(_) => {}
        }
    }
}

impl Http {
    async fn deliver(&mut self, parcel: &Parcel) -> Verdict {
        let target = Arc::clone(&self.target);
        let Some(backup) = &target.url_backup else {
            return target.post(&target.url, &parcel.id, &parcel.body).await;
        };
        self.look_at_probe().await;
        if !self.degraded {
            let first = target.post(&target.url, &parcel.id, &parcel.body).await;
            if first == Verdict::Delivered {
                return first;
            }
            tracing::warn!(target = %target.name, "the first address fails: the second one is used beside it");
            self.degraded = true;
            return target.post(backup, &parcel.id, &parcel.body).await;
        }
        if self.probe.is_none() {
            let (target, parcel) = (Arc::clone(&target), parcel.clone());
            let probe = async move { target.post(&target.url, &parcel.id, &parcel.body).await };
            self.probe = Some(AbortOnDropHandle::new(tokio::spawn(probe)));
        }
        let second = target.post(backup, &parcel.id, &parcel.body).await;
        if second == Verdict::Delivered {
            return second;
        }
        // Neither may have got this very parcel: a probe that began with an earlier one says nothing of it.
        let first = target.post(&target.url, &parcel.id, &parcel.body).await;
        self.probe = None;
        self.degraded = first != Verdict::Delivered;
        if self.degraded { second } else { first }
    }

    async fn look_at_probe(&mut self) {
        if self.probe.as_ref().is_some_and(AbortOnDropHandle::is_finished)
            && let Some(probe) = self.probe.take()
        {
            self.degraded = !matches!(probe.await, Ok(Verdict::Delivered));
        }
    }
}
