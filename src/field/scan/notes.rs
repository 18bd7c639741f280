//! What is known of one unit so far: nothing is asked twice.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::field::ask::Asker;
use crate::field::pdu::{Reply, Request};
use crate::field::profile::Table;
use crate::safety::reading::ReadFault;
use crate::units::Millis;

/// Questions by which a device identification is followed to its end.
const DEVICE_ID_PARTS_MAX: usize = 4;

/// Basic device identification: vendor, product, revision.
const BASIC: u8 = 1;

/// Silences in a row after which a unit that answered before is let alone.
const SILENCES_MAX: u32 = 3;

type Words = Result<Vec<u16>, ReadFault>;

/// One unit, and what it said.
pub(super) struct Notes<'a, A> {
    asker: &'a mut A,
    pub(super) unit: u8,
    pause: Millis,
    reads: BTreeMap<(Table, u16, u16), Words>,
    silences: u32,
}

impl<'a, A: Asker> Notes<'a, A> {
    pub(super) fn new(asker: &'a mut A, unit: u8, pause: Millis) -> Self {
        Self { asker, unit, pause, reads: BTreeMap::new(), silences: 0 }
    }

    /// Reads, or remembers.
    pub(super) async fn read(&mut self, table: Table, address: u16, count: u16) -> Words {
        if let Some(known) = self.known(table, address, count) {
            return known;
        }
        let reply = self.ask(&Request::Read { table, address, count }).await;
        let words = reply.and_then(|reply| match reply {
            Reply::Words(words) => Ok(words),
            Reply::Done | Reply::ServerId(_) | Reply::DeviceId { .. } => Err(ReadFault::Mismatch),
        });
        self.reads.insert((table, address, count), words.clone());
        words
    }

    /// The same read, or these words out of a longer one.
    fn known(&self, table: Table, address: u16, count: u16) -> Option<Words> {
        if let Some(same) = self.reads.get(&(table, address, count)) {
            return Some(same.clone());
        }
        let within = |((of, first, long), words): (&(Table, u16, u16), &Words)| {
            let words = words.as_ref().ok()?;
            let offset = usize::from(address.checked_sub(*first)?);
            let fits =
                *of == table && u32::from(address) + u32::from(count) <= u32::from(*first) + u32::from(*long);
            fits.then(|| words[offset..offset + usize::from(count)].to_vec())
        };
        self.reads.iter().find_map(within).map(Ok)
    }

    /// What it says it is, by function 43/14. Empty where it does not know the function.
    pub(super) async fn device_id(&mut self) -> Vec<(u8, String)> {
        let (mut all, mut object) = (Vec::new(), 0);
        for _ in 0..DEVICE_ID_PARTS_MAX {
            let reply = self.ask(&Request::DeviceId { level: BASIC, object }).await;
            let Ok(Reply::DeviceId { objects, more }) = reply else { break };
            all.extend(objects.into_iter().map(|(object, text)| (object, printable(&text))));
            match more {
                Some(next) if object < next => object = next,
                _ => break,
            }
        }
        all
    }

    /// Its server id, by function 17.
    pub(super) async fn server_id(&mut self) -> Option<String> {
        match self.ask(&Request::ServerId).await {
            Ok(Reply::ServerId(bytes)) => Some(printable(&bytes)),
            _ => None,
        }
    }

    async fn ask(&mut self, request: &Request) -> Result<Reply, ReadFault> {
        if SILENCES_MAX <= self.silences {
            return Err(ReadFault::Timeout);
        }
        if 0 < self.silences || !self.reads.is_empty() {
            tokio::time::sleep(Duration::from_millis(self.pause.0)).await;
        }
        let reply = self.asker.ask(self.unit, request).await;
        let silent = matches!(reply, Err(fault) if !fault.is_answer());
        self.silences = if silent { self.silences + 1 } else { 0 };
        reply
    }
}

impl<A: Asker> Asker for Notes<'_, A> {
    async fn ask(&mut self, _: u8, request: &Request) -> Result<Reply, ReadFault> {
        match *request {
            Request::Read { table, address, count } => {
                Notes::read(self, table, address, count).await.map(Reply::Words)
            }
            _ => self.ask(request).await,
        }
    }

    fn trouble(&self) -> Option<&str> {
        self.asker.trouble()
    }
}

/// Text of a device, for people: what cannot be printed is a dot, what pads it is gone.
pub(super) fn printable(bytes: &[u8]) -> String {
    let padding = |byte: &u8| matches!(byte, 0 | b' ' | 0xFF);
    let end = bytes.iter().rposition(|byte| !padding(byte)).map_or(0, |last| last + 1);
    let letter = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
    bytes[..end].iter().map(letter).collect()
}
