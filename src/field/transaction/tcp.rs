//! Transactions on TCP and TLS: replies carry the id of their request.

use std::time::Duration;

use super::{Broken, Connection, Line};
use crate::clock;
use crate::field::frame::{Reject, Station, mbap};
use crate::field::pdu::{Reply, Request};
use crate::safety::reading::ReadFault;
use crate::units::Millis;

/// What a frame turned out to be.
pub(super) enum Verdict {
    /// The reply, or the reason in it.
    Mine(Result<Reply, ReadFault>),
    Foreign(Reject),
}

impl Line {
    pub(super) async fn over_tcp(
        &mut self,
        connection: &mut Connection,
        station: Station,
        request: &Request,
        within: Millis,
    ) -> Result<Reply, Broken> {
        let id = self.next_id(connection);
        connection.out.clear();
        mbap::encode(id, station.unit, request, &mut connection.out);
        self.frames.push(true, &connection.out);
        let (begun, rejected) = (clock::uptime_us(), self.rejected.total());
        let mut sent = false;
        let exchange = async {
            connection.send(&mut sent).await.map_err(|_| ReadFault::Disconnected)?;
            let sent_us = clock::uptime_us();
            self.sent_us = sent_us;
            loop {
                while let Some(verdict) = self.next_frame(connection, id, station, request)? {
                    match verdict {
                        Verdict::Mine(reply) => return reply.map(|reply| (reply, sent_us)),
                        Verdict::Foreign(reject) => self.rejected.count(reject),
                    }
                }
                self.more(connection).await?;
            }
        };
        let outcome = tokio::time::timeout(Duration::from_millis(within.0), exchange).await;
        let heard = match outcome {
            Ok(heard) => heard,
            // Something came, but not the reply: say so, it is the gateway's fault and not silence.
            Err(_) if rejected < self.rejected.total() => Err(ReadFault::Mismatch),
            Err(_) => Err(ReadFault::Timeout),
        };
        let (reply, sent_us) = heard.map_err(|fault| Broken { fault, sent })?;
        let now = clock::uptime_us();
        self.measured.turnaround_us = now.saturating_sub(sent_us);
        self.measured.whole_us = now.saturating_sub(begun);
        Ok(reply)
    }

    pub(super) fn next_id(&mut self, connection: &mut Connection) -> u16 {
        self.transaction = self.transaction.wrapping_add(1);
        connection.first.get_or_insert(self.transaction);
        self.transaction
    }

    /// Waits for more bytes.
    pub(super) async fn more(&self, connection: &mut Connection) -> Result<(), ReadFault> {
        match connection.stream.read(&mut connection.got).await {
            Ok(0) if connection.got.is_empty() => Err(ReadFault::Disconnected),
            Ok(0) => {
                self.frames.push(false, &connection.got);
                Err(ReadFault::Malformed)
            }
            Ok(_) => Ok(()),
            Err(_) => Err(ReadFault::Disconnected),
        }
    }

    /// Takes the first frame off what came, if it is complete, and judges it.
    fn next_frame(
        &self,
        connection: &mut Connection,
        id: u16,
        station: Station,
        request: &Request,
    ) -> Result<Option<Verdict>, ReadFault> {
        let Some(frame) = self.first_frame(&connection.got)? else { return Ok(None) };
        let verdict = if self.match_ids && frame.transaction != id {
            Verdict::Foreign(foreign(frame.transaction, id, connection.first))
        } else if frame.unit == station.replies_as {
            let reply = request.decode(frame.pdu);
            if matches!(reply, Err(ReadFault::Mismatch | ReadFault::Malformed)) {
                self.rejected.count(Reject::Content);
            }
            Verdict::Mine(reply)
        } else {
            Verdict::Foreign(Reject::Unit)
        };
        let bytes = frame.bytes();
        connection.got.drain(..bytes);
        Ok(Some(verdict))
    }

    /// The first frame of what came, kept in the log.
    pub(super) fn first_frame<'a>(&self, got: &'a [u8]) -> Result<Option<mbap::Frame<'a>>, ReadFault> {
        match mbap::first(got) {
            Ok(frame) => {
                if let Some(frame) = &frame {
                    self.frames.push(false, &got[..frame.bytes()]);
                }
                Ok(frame)
            }
            Err(reject) => {
                self.frames.push(false, got);
                self.rejected.count(reject);
                Err(ReadFault::Malformed)
            }
        }
    }
}

/// A reply to an earlier request of this connection, or one that never was.
pub(super) fn foreign(transaction: u16, now: u16, first: Option<u16>) -> Reject {
    let asked = first.map_or(0, |first| now.wrapping_sub(first));
    if now.wrapping_sub(transaction) <= asked { Reject::Late } else { Reject::Transaction }
}
