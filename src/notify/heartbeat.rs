//! Calls a service that raises an alarm when the calls stop: the one alarm that emberwatch cannot raise itself.
//!
//! Calls are made only while the safety loop speaks. It says something every second; when it stands still or the
//! process is gone, nobody calls, and that is the message.

use std::time::Duration;

use reqwest::{Client, Url};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock;
use crate::exchange::{FaultReport, Hearing};
use crate::notify::Common;
use crate::notify::address::Guard;
use crate::notify::courier::FAILURES_ALARM;
use crate::notify::http::{Answer, SetupFault, builder, checked, reason};
use crate::notify::options::HeartbeatOptions;
use crate::units::{Millis, Uptime};

/// The loop speaks once a second: after this it stands still.
const SILENT_AFTER: Millis = Millis::from_secs(5);

/// Starts calling, in a task of its own, until the stop. Needs a tokio runtime.
pub fn spawn_heartbeat(
    options: &HeartbeatOptions,
    common: &Common,
    hearing: Hearing,
) -> Result<JoinHandle<()>, SetupFault> {
    let caller = Caller::new(options)?;
    let every = Duration::from_millis(options.every.0);
    let (fault, stop) = (common.fault.clone(), common.stop.clone());
    Ok(tokio::spawn(async move {
        tokio::select! {
            () = call_while_heard(&caller, every, hearing, &fault) => {}
            () = stop.cancelled() => {}
        }
    }))
}

async fn call_while_heard(caller: &Caller, every: Duration, mut hearing: Hearing, fault: &FaultReport) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut failures): (Option<Uptime>, usize) = (None, 0);
    loop {
        tokio::select! {
            heard_now = hearing.recv() => match heard_now {
                Ok(publication) => heard = Some(publication.now.uptime),
                // What comes next says when it was said.
                Err(RecvError::Lagged(_)) => {}
                // The loop has ended, and so do the calls.
                Err(RecvError::Closed) => return,
            },
            _ = ticks.tick() => {
                // What was said during the last call first: that call was no silence.
                while let Ok(publication) = hearing.try_recv() {
                    heard = Some(publication.now.uptime);
                }
                if heard.is_none_or(|heard| SILENT_AFTER < clock::uptime().since(heard)) {
                    tracing::error!(heartbeat = %caller.name, "the safety loop is silent: not called");
                    continue;
                }
                let answer = caller.call().await;
                let good = answer.is_good();
                failures = if good { 0 } else { failures.saturating_add(1) };
                if !good {
                    tracing::warn!(heartbeat = %caller.name, why = %answer.line, status = ?answer.status, "not called");
                }
                fault.set(FAILURES_ALARM <= failures);
            }
        }
    }
}

/// Who calls one service.
pub(super) struct Caller {
    pub(super) name: String,
    url: Url,
    client: Client,
}

impl Caller {
    pub(super) fn new(options: &HeartbeatOptions) -> Result<Self, SetupFault> {
        // Without a provider the TLS client would panic when it is built; a second installation is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let guard = Guard::new(options.allow_private);
        let url = checked(&guard, &options.name, &options.url)?;
        let client = builder(guard, options.timeout)
            .build()
            .map_err(|source| SetupFault::Client { target: options.name.clone(), source })?;
        Ok(Self { name: options.name.clone(), url, client })
    }

    pub(super) async fn call(&self) -> Answer {
        match self.client.get(self.url.clone()).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                Answer { status: Some(status), line: format!("answered {status}") }
            }
            Err(error) => Answer { status: None, line: reason(&error) },
        }
    }
}
