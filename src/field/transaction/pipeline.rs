//! Several requests under way at once, where a device is known to match transaction ids.

use std::collections::VecDeque;
use std::time::Duration;

use super::tcp::foreign;
use super::{Connection, Line};
use crate::field::frame::{Reject, Station, mbap};
use crate::field::pdu::{Reply, Request};
use crate::safety::reading::ReadFault;
use crate::units::Millis;

/// What became of each request.
type Outcomes = Vec<Result<Reply, ReadFault>>;

impl Line {
    /// Sends these requests to one station, at most `depth` ahead of their replies, and gives what became of
    /// each. The deadline begins anew with every reply. On a serial line, one after the other.
    pub async fn ask_all(
        &mut self,
        station: Station,
        requests: &[Request],
        depth: u8,
        within: Millis,
    ) -> Outcomes {
        let mut outcomes = vec![Err(ReadFault::Disconnected); requests.len()];
        if self.endpoint.line().is_some() || !self.match_ids || depth <= 1 {
            for (request, outcome) in requests.iter().zip(&mut outcomes) {
                *outcome = self.ask(station, request, within).await;
            }
            return outcomes;
        }
        let Some(mut connection) = self.connection.take() else { return outcomes };
        let ended = self.pipelined(&mut connection, station, requests, depth, within, &mut outcomes).await;
        self.put_back(connection, ended.err());
        outcomes
    }

    async fn pipelined(
        &mut self,
        connection: &mut Connection,
        station: Station,
        requests: &[Request],
        depth: u8,
        within: Millis,
        outcomes: &mut Outcomes,
    ) -> Result<(), ReadFault> {
        let mut waiting: VecDeque<(u16, usize)> = VecDeque::new();
        let mut next = 0;
        while next < requests.len() || !waiting.is_empty() {
            connection.out.clear();
            while next < requests.len() && waiting.len() < usize::from(depth) {
                let id = self.next_id(connection);
                let start = connection.out.len();
                mbap::encode(id, station.unit, &requests[next], &mut connection.out);
                self.frames.push(true, &connection.out[start..]);
                waiting.push_back((id, next));
                next += 1;
            }
            let step = async {
                connection.send(&mut false).await.map_err(|_| ReadFault::Disconnected)?;
                self.one_reply(connection, station, requests, &mut waiting).await
            };
            let heard = tokio::time::timeout(Duration::from_millis(within.0), step).await;
            match heard.unwrap_or(Err(ReadFault::Timeout)) {
                Ok((at, outcome)) => {
                    let broken = matches!(outcome, Err(ReadFault::Mismatch | ReadFault::Malformed));
                    outcomes[at] = outcome;
                    if broken {
                        return Err(ReadFault::Mismatch);
                    }
                }
                Err(fault) => {
                    // None of the others can be believed to come any more.
                    for (_, at) in waiting {
                        outcomes[at] = Err(fault);
                    }
                    outcomes[next..].fill(Err(fault));
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    /// Waits for the reply to any of the requests under way.
    async fn one_reply(
        &self,
        connection: &mut Connection,
        station: Station,
        requests: &[Request],
        waiting: &mut VecDeque<(u16, usize)>,
    ) -> Result<(usize, Result<Reply, ReadFault>), ReadFault> {
        loop {
            while let Some(frame) = self.first_frame(&connection.got)? {
                let bytes = frame.bytes();
                let mine = waiting.iter().position(|(id, _)| *id == frame.transaction);
                let heard = match mine {
                    Some(place) if frame.unit == station.replies_as => {
                        let at = waiting[place].1;
                        let outcome = requests[at].decode(frame.pdu);
                        waiting.remove(place);
                        Some((at, outcome))
                    }
                    Some(_) => {
                        self.rejected.count(Reject::Unit);
                        None
                    }
                    None => {
                        self.rejected.count(foreign(frame.transaction, self.transaction, connection.first));
                        None
                    }
                };
                connection.got.drain(..bytes);
                if let Some(heard) = heard {
                    return Ok(heard);
                }
            }
            self.more(connection).await?;
        }
    }
}
