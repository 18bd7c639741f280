//! A recording on its way to a client: what the safety loop takes in, as blocks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::protocol::{Answer, Recorded};
use super::server::Talk;
use crate::clock;
use crate::replay::recording::{Beginning, Encoder, Head, Names, Totals};
use crate::runtime::tap::{Heard, SCANS_QUEUED_MAX, Taps};
use crate::safety::memory::Memory;
use crate::safety::site::Site;
use crate::units::Millis;
use crate::wire::time::rfc3339;

/// A block under way is closed after this, so that a client that is killed has lost no more.
const BLOCK_LASTS_MAX: Duration = Duration::from_secs(2);

/// Bytes per line; as base64 it stays below the longest line.
const PART_BYTES: usize = 32 * 1024;

/// The longest recording: a day. Who wants more begins another one.
const RECORDING_MAX: Millis = Millis::from_secs(86_400);

/// What recordings are made from.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct Recordings {
    taps: Taps,
    site: Arc<Site>,
    configuration: Arc<str>,
}

impl Recordings {
    pub(in crate::runtime) fn new(taps: Taps, site: &Arc<Site>, fingerprint: &str) -> Self {
        Self { taps, site: Arc::clone(site), configuration: Arc::from(fingerprint) }
    }

    /// Sends a recording until the client says anything, or the longest time has passed.
    pub(super) async fn send(&self, client: &mut Talk) -> io::Result<()> {
        let busy = || Answer::Busy("too many recordings are under way: try again later".to_owned());
        let Some(mut heard) = self.taps.listen() else { return client.say(&busy()).await };
        let Some(Heard::Beginning(memory)) = heard.recv().await else { return client.say(&busy()).await };
        let mut encoder = Encoder::default();
        send(client, encoder.totals(), &self.opening(&memory)).await?;
        let begun = clock::uptime();
        let mut block_ends = tokio::time::interval(BLOCK_LASTS_MAX);
        while clock::uptime().since(begun) < RECORDING_MAX {
            tokio::select! {
                () = client.gone() => break,
                _ = block_ends.tick() => {
                    let block = encoder.close_block();
                    send(client, encoder.totals(), &block).await?;
                }
                next = heard.recv() => {
                    let Some(Heard::Scan { now, inputs, lost }) = next else { break };
                    encoder.add(now, &inputs, lost);
                    if encoder.is_due() {
                        let block = encoder.close_block();
                        send(client, encoder.totals(), &block).await?;
                    }
                }
            }
        }
        // What the loop had handed over when the client said so belongs to the recording.
        for _ in 0..SCANS_QUEUED_MAX {
            let Ok(Heard::Scan { now, inputs, lost }) = heard.try_recv() else { break };
            encoder.add(now, &inputs, lost);
            if encoder.is_due() {
                let block = encoder.close_block();
                send(client, encoder.totals(), &block).await?;
            }
        }
        let totals = encoder.totals();
        let rest = encoder.close();
        send(client, totals, &rest).await?;
        client.say(&Answer::End { next: totals.scans }).await
    }

    fn opening(&self, memory: &Memory) -> Vec<u8> {
        let now = clock::now();
        let head = Head {
            emberwatch: env!("CARGO_PKG_VERSION").to_owned(),
            site: self.site.name.clone(),
            gateway: self.site.gateway.clone(),
            configuration: self.configuration.to_string(),
            started: rfc3339(now.wall),
            started_wall_ms: now.wall.0,
            started_uptime_ms: now.uptime.0,
        };
        Encoder::opening(&head, &Names::of(&self.site), &Beginning::of(memory))
    }
}

async fn send(client: &mut Talk, totals: Totals, bytes: &[u8]) -> io::Result<()> {
    let count = bytes.len().div_ceil(PART_BYTES);
    for (index, part) in bytes.chunks(PART_BYTES).enumerate() {
        let recorded = Recorded {
            bytes: BASE64.encode(part),
            ends_block: index + 1 == count,
            scans: totals.scans,
            inputs: totals.inputs,
            lost_scans: totals.lost_scans,
        };
        client.say(&Answer::Recorded(recorded)).await?;
    }
    Ok(())
}
