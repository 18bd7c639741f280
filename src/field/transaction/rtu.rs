//! Transactions on a serial line, where nothing tells one reply from another but its content.
//!
//! ```text
//! settle ─► quiet ─► send ─► hear ─► reply
//!    no like reply       │ time-out: a late reply may come
//!    can still come      └────────► remembered, until it has come or can come no more
//! ```
//!
//! The epoch of the bus is kept by request: after a time-out the reply that is missing is remembered, with
//! the unit, function and length it would have. While it may come, nothing that it could be mistaken for is
//! asked; other units are, and the late reply is recognised by its unit and thrown away.
//! Before each request the line must have been silent for 3.5 characters; what comes meanwhile is read and
//! thrown away, so that every request begins on an empty line.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::{Broken, Connection, Line};
use crate::clock;
use crate::field::frame::rtu::{self, Expected, FRAME_BYTES_MAX, Found};
use crate::field::frame::{Reject, Station};
use crate::field::options::SerialLine;
use crate::field::pdu::{Reply, Request};
use crate::safety::reading::ReadFault;
use crate::units::Millis;

/// How long a missing reply is waited for, in deadlines of its request. Replies as late as three deadlines are
/// promised to do no harm; the fourth covers what adapters and gateways add.
const LATE_DEADLINES: u64 = 4;

/// Late replies that are remembered: one for each unit of a line is enough.
const LATE_MAX: usize = 256;

/// A reply that pauses for longer in its midst will not go on: adapters deliver bytes in portions of up to
/// 16 ms.
const MIDWAY_US: u64 = 50_000;

/// The same, once a frame of the right length has a wrong checksum.
const DAMAGED_US: u64 = 20_000;

/// How long a request waits for a line that is never quiet.
const QUIET_WITHIN_US: u64 = 500_000;

/// The same for an order: then it goes out all the same, because not to send it fails for certain.
const QUIET_FOR_ORDER_US: u64 = 50_000;

/// Bytes that may come in answer to one request, with noise and echo.
const HEARD_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;

/// What is known of the line's past.
#[derive(Debug, Default)]
pub(super) struct Bus {
    late: Vec<Late>,
    /// Whether the line hears its own requests, as the last read showed; unknown before the first.
    echoes: Option<bool>,
}

/// A reply that may still come.
#[derive(Debug)]
struct Late {
    expected: Expected,
    until_us: u64,
}

impl Bus {
    pub(super) fn unsettled_until_us(&self, unit: u8, now_us: u64) -> Option<u64> {
        let of_unit = self.late.iter().filter(|late| late.expected.unit() == unit);
        of_unit.map(|late| late.until_us).filter(|until| now_us < *until).max()
    }

    pub(super) fn is_ambiguous(&self, unit: u8, request: &Request) -> bool {
        !self.late.is_empty()
            && self.resembling_until_us(&Expected::of(unit, request), clock::uptime_us()).is_some()
    }

    fn resembling_until_us(&self, expected: &Expected, now_us: u64) -> Option<u64> {
        let alike = self.late.iter().filter(|late| late.expected.resembles(expected));
        alike.map(|late| late.until_us).filter(|until| now_us < *until).max()
    }

    fn remember(&mut self, expected: &Expected, until_us: u64, now_us: u64) {
        self.late.retain(|late| now_us < late.until_us && late.expected != *expected);
        if self.late.len() < LATE_MAX {
            self.late.push(Late { expected: expected.clone(), until_us });
        }
    }

    fn forget(&mut self, expected: &Expected) {
        self.late.retain(|late| late.expected != *expected);
    }

    /// Takes replies to earlier requests out of what came; says how many there were.
    fn take_late(&mut self, got: &mut Vec<u8>, waited_for: Option<&Expected>) -> usize {
        let before = self.late.len();
        self.late.retain(|late| {
            if waited_for.is_some_and(|expected| late.expected.resembles(expected)) {
                return true;
            }
            let Found::Reply(start, end) = late.expected.find(got) else { return true };
            got.drain(start..end);
            false
        });
        before - self.late.len()
    }
}

impl Line {
    pub(super) async fn over_rtu(
        &mut self,
        connection: &mut Connection,
        line: SerialLine,
        station: Station,
        request: &Request,
        within: Millis,
    ) -> Result<Reply, Broken> {
        let unsent = |fault| Broken { fault, sent: false };
        let expected = Expected::of(station.replies_as, request);
        self.settle(connection, &expected, within).await.map_err(unsent)?;
        let is_order = matches!(request, Request::Write(_));
        self.quiet(connection, line, is_order).await.map_err(unsent)?;

        connection.out.clear();
        rtu::encode(station.unit, request, &mut connection.out);
        self.frames.push(true, &connection.out);
        let reply_bytes = request.reply_bytes().map_or(FRAME_BYTES_MAX, |pdu| pdu + 3);
        let on_line_us = line.bytes_us(connection.out.len());
        let begun = clock::uptime_us();
        let deadline_us = begun + on_line_us + line.bytes_us(reply_bytes) + within.0 * 1000;
        let window_us =
            on_line_us + line.bytes_us(reply_bytes) + LATE_DEADLINES * within.max(self.ceiling).0 * 1000;
        self.bus.remember(&expected, begun + window_us, begun);

        let mut sent = false;
        let gone = |_| ReadFault::Disconnected;
        let left = connection.send(&mut sent).await.map_err(gone);
        self.sent_us = clock::uptime_us();
        left.map_err(|fault| Broken { fault, sent })?;
        let sent_us = begun + on_line_us;
        connection.busy_us = connection.busy_us.max(sent_us);

        let heard = self.hear(connection, &expected, deadline_us, sent_us).await;
        let rejected = |fault| Broken { fault, sent };
        let (frame, first_us) = heard.map_err(rejected)?;
        self.bus.forget(&expected);
        let now = clock::uptime_us();
        self.measured.turnaround_us = first_us.saturating_sub(sent_us);
        self.measured.whole_us = now.saturating_sub(begun);
        let reply = request.decode(rtu::pdu(&frame));
        if matches!(reply, Err(ReadFault::Mismatch | ReadFault::Malformed)) {
            self.rejected.count(Reject::Content);
        }
        reply.map_err(rejected)
    }

    /// Waits until no reply to an earlier request can be taken for the one to this.
    async fn settle(
        &mut self,
        connection: &mut Connection,
        expected: &Expected,
        within: Millis,
    ) -> Result<(), ReadFault> {
        let give_up_us = clock::uptime_us() + within.0 * 1000;
        loop {
            let now = clock::uptime_us();
            let Some(until_us) = self.bus.resembling_until_us(expected, now) else { return Ok(()) };
            if give_up_us <= now {
                return Err(ReadFault::Timeout);
            }
            if self.wait_for_bytes(connection, until_us.min(give_up_us) - now).await? {
                let late = self.bus.take_late(&mut connection.got, None);
                (0..late).for_each(|_| self.rejected.count(Reject::Late));
            }
        }
    }

    /// Waits until the line was silent for long enough, and throws away what came meanwhile.
    async fn quiet(
        &mut self,
        connection: &mut Connection,
        line: SerialLine,
        is_order: bool,
    ) -> Result<(), ReadFault> {
        let patience_us = if is_order { QUIET_FOR_ORDER_US } else { QUIET_WITHIN_US };
        let give_up_us = clock::uptime_us() + patience_us;
        // What lies in the kernel already came at some time before now.
        if let Some(read) = connection.stream.read(&mut connection.got).now_or_never() {
            heard(&read, connection)?;
        }
        loop {
            let now = clock::uptime_us();
            let quiet_us = connection.busy_us + line.silence_us();
            if quiet_us <= now {
                break;
            }
            if give_up_us <= now || HEARD_BYTES_MAX < connection.got.len() {
                self.discard(connection);
                if is_order {
                    break;
                }
                return Err(ReadFault::Malformed);
            }
            self.wait_for_bytes(connection, quiet_us - now).await?;
        }
        self.discard(connection);
        Ok(())
    }

    /// Throws away what came, and counts what it was.
    fn discard(&mut self, connection: &mut Connection) {
        if connection.got.is_empty() {
            return;
        }
        self.frames.push(false, &connection.got);
        let late = self.bus.take_late(&mut connection.got, None);
        (0..late).for_each(|_| self.rejected.count(Reject::Late));
        if !connection.got.is_empty() {
            self.rejected.count(reject_of(connection));
        }
        connection.got.clear();
    }

    /// Waits for the reply; gives its bytes, and when the first byte came.
    async fn hear(
        &mut self,
        connection: &mut Connection,
        expected: &Expected,
        deadline_us: u64,
        sent_us: u64,
    ) -> Result<(Vec<u8>, u64), ReadFault> {
        let mut first_us = None;
        let mut foreign = false;
        let mut echoed = false;
        loop {
            let now = clock::uptime_us();
            echoed |= self.take_echo(connection, echoed, now <= sent_us);
            let late = self.bus.take_late(&mut connection.got, Some(expected));
            (0..late).for_each(|_| self.rejected.count(Reject::Late));
            foreign |= 0 < late;
            let found = expected.find(&connection.got);
            let patience_us = match found {
                Found::Reply(start, end) => {
                    self.frames.push(false, &connection.got);
                    if is_read(&connection.out) {
                        self.bus.echoes = Some(echoed);
                    }
                    if 0 < start {
                        let foreign = rtu::holds_frame(&connection.got[..start]);
                        self.rejected.count(if foreign { Reject::Stranger } else { Reject::Noise });
                    }
                    let frame = connection.got[start..end].to_vec();
                    connection.last.clone_from(&frame);
                    connection.got.drain(..end);
                    return Ok((frame, first_us.unwrap_or(now)));
                }
                _ if connection.got.is_empty() => u64::MAX,
                Found::Nothing { damaged: true } => DAMAGED_US,
                Found::Begun | Found::Nothing { damaged: false } => MIDWAY_US,
            };
            let silent = patience_us <= now.saturating_sub(connection.busy_us);
            if deadline_us <= now || silent || HEARD_BYTES_MAX < connection.got.len() {
                return Err(self.unheard(connection, expected, found, foreign));
            }
            let wait_us = (deadline_us - now).min(patience_us.saturating_add(connection.busy_us) - now);
            if self.wait_for_bytes(connection, wait_us).await? {
                first_us.get_or_insert(connection.busy_us);
            }
        }
    }

    /// No reply came: says what did.
    fn unheard(
        &mut self,
        connection: &mut Connection,
        expected: &Expected,
        found: Found,
        foreign: bool,
    ) -> ReadFault {
        let came = connection.got.len();
        if came == 0 {
            return if foreign { ReadFault::Mismatch } else { ReadFault::Timeout };
        }
        self.frames.push(false, &connection.got);
        if expected.is_answered_otherwise(&connection.got) {
            self.bus.forget(expected);
            self.rejected.count(Reject::Content);
            connection.got.clear();
            return ReadFault::Mismatch;
        }
        let damaged = found == (Found::Nothing { damaged: true })
            || expected.is_as_long_as(came)
            || expected.is_begun_by(&connection.got);
        if damaged {
            // The reply came, but not whole: nothing is to be expected any more.
            self.bus.forget(expected);
        }
        self.rejected.count(if damaged { Reject::Checksum } else { reject_of(connection) });
        connection.got.clear();
        ReadFault::Malformed
    }

    /// Takes our own request off the begin of what came. A reply to a write looks just like it: there it is an
    /// echo only on a line that is known to echo; where nothing is known yet, before the request can have left.
    fn take_echo(&mut self, connection: &mut Connection, already: bool, still_sending: bool) -> bool {
        if already || !connection.got.starts_with(&connection.out) {
            return false;
        }
        if !(is_read(&connection.out) || self.bus.echoes.unwrap_or(still_sending)) {
            return false;
        }
        self.bus.echoes = Some(true);
        self.rejected.count(Reject::Echo);
        let bytes = connection.out.len();
        connection.got.drain(..bytes);
        true
    }

    /// Waits this long for bytes. True if some came.
    async fn wait_for_bytes(&self, connection: &mut Connection, wait_us: u64) -> Result<bool, ReadFault> {
        let Connection { stream, got, silence, .. } = connection;
        let wait = async {
            match silence {
                Some(silence) if wait_us < 10_000_000 => silence.wait(wait_us).await,
                Some(_) | None => {
                    tokio::time::sleep(Duration::from_micros(wait_us)).await;
                    Ok(())
                }
            }
        };
        tokio::select! {
            biased;
            read = stream.read(got) => heard(&read, connection).map(|()| true),
            waited = wait => waited.map(|()| false).map_err(|_| ReadFault::Disconnected),
        }
    }
}

/// Whether this frame asks for something and changes nothing.
fn is_read(frame: &[u8]) -> bool {
    frame.get(1).is_some_and(|function| matches!(function, 1..=4 | 17 | 43))
}

/// What bytes are that came unasked: the last reply once more, the traffic of another master, or noise.
fn reject_of(connection: &Connection) -> Reject {
    if connection.got == connection.last {
        Reject::Late
    } else if rtu::holds_frame(&connection.got) {
        Reject::Stranger
    } else {
        Reject::Noise
    }
}

/// Notes when the line was last in use.
fn heard(read: &std::io::Result<usize>, connection: &mut Connection) -> Result<(), ReadFault> {
    match read {
        Ok(count) if 0 < *count => {
            connection.busy_us = connection.busy_us.max(clock::uptime_us());
            Ok(())
        }
        Ok(_) | Err(_) => Err(ReadFault::Disconnected),
    }
}
