//! `[mqtt.spool]` and `[influx.spool]`: what the server has not accepted yet, on disk. There is one unless `bytes_max = 0`.

use std::path::Path;

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::table::Table;
use crate::config::value;
use crate::sinks::spool::options::SpoolOptions;
use crate::units::Millis;

/// A week without its server at 100 values a second, with room to spare.
const BYTES_DEFAULT: u64 = 1 << 30;
const BYTES_MIN: i64 = 1 << 20;
const BYTES_MAX: i64 = 1 << 40;
/// How often telemetry is made durable. More often would only wear the flash.
const SYNC_MS: std::ops::RangeInclusive<u64> = 1_000..=60_000;

/// Reads the table `spool` of a sink. `None`: there is none.
pub(super) fn read(desk: &mut Desk, sink: &mut Table, home: Option<&Path>) -> Option<SpoolOptions> {
    let (mut bytes_max, mut sync_every) = (BYTES_DEFAULT, Millis(1_000));
    if let Some(mut table) = sink.table(desk, "spool") {
        if let Some(bytes) = table.may(desk, "bytes_max", value::whole(0..=BYTES_MAX)) {
            if 0 < bytes.value && bytes.value < BYTES_MIN {
                desk.say(Code::OutOfRange, bytes.at, "`bytes_max` is too small to be of use")
                    .help(format!("write {BYTES_MIN} or more, or 0 to keep nothing on disk"));
            }
            bytes_max = u64::try_from(bytes.value).unwrap_or(BYTES_DEFAULT);
        }
        if let Some(every) = table.may(desk, "sync_every", value::duration(SYNC_MS)) {
            sync_every = every.value;
        }
        table.finish(desk);
    }
    let directory = home?.join("spool");
    (0 < bytes_max).then_some(SpoolOptions { directory, bytes_max, sync_every })
}
