//! Questions of people at commissioning: one request to one unit, over a line of one's own or by way of
//! whoever owns the link.
//!
//! What asks (`scan`, `probe`) does not know which of the two it is. Nothing is ever written this way.

use std::collections::BTreeMap;

use crate::field::frame::Station;
use crate::field::frames::FrameLog;
use crate::field::options::Endpoint;
use crate::field::pdu::{Reply, Request};
use crate::field::profile::Table;
use crate::field::transaction::Line;
use crate::safety::reading::ReadFault;
use crate::units::Millis;

/// Someone who can be asked.
pub trait Asker: Send {
    /// Asks one unit. Writes are refused as `Malformed` and never sent.
    fn ask(&mut self, unit: u8, request: &Request) -> impl Future<Output = Result<Reply, ReadFault>> + Send;

    /// Says that a unit's replies carry another number than its requests. Who goes through a daemon need not
    /// say so: it knows its devices.
    fn expect(&mut self, _station: Station) {}

    /// Why there was no connection, if the last question failed for want of one.
    fn trouble(&self) -> Option<&str>;

    /// Reads words, or bits as words of 0 and 1.
    fn read(
        &mut self,
        unit: u8,
        table: Table,
        address: u16,
        count: u16,
    ) -> impl Future<Output = Result<Vec<u16>, ReadFault>> + Send {
        async move {
            match self.ask(unit, &Request::Read { table, address, count }).await? {
                Reply::Words(words) => Ok(words),
                Reply::Done | Reply::ServerId(_) | Reply::DeviceId { .. } => Err(ReadFault::Mismatch),
            }
        }
    }
}

/// A line that nobody else uses.
#[derive(Debug)]
pub struct OwnLine {
    line: Line,
    within: Millis,
    connect_within: Millis,
    trouble: Option<String>,
    /// Units whose replies carry another number.
    stations: BTreeMap<u8, Station>,
}

impl OwnLine {
    /// Not connected yet: the first question connects. `within` holds for each request, `connect_within` for
    /// each attempt to connect.
    #[must_use]
    pub fn new(endpoint: &Endpoint, within: Millis, connect_within: Millis) -> Self {
        Self { line: Line::new(endpoint), within, connect_within, trouble: None, stations: BTreeMap::new() }
    }

    /// The raw frames that passed.
    #[must_use]
    pub fn frames(&self) -> FrameLog {
        self.line.frames()
    }
}

impl Asker for OwnLine {
    async fn ask(&mut self, unit: u8, request: &Request) -> Result<Reply, ReadFault> {
        if matches!(request, Request::Write(_)) {
            return Err(ReadFault::Malformed);
        }
        self.trouble = None;
        if let Err(error) = self.line.connect(self.connect_within).await {
            self.trouble = Some(error.to_string());
            return Err(ReadFault::Disconnected);
        }
        let station = self.stations.get(&unit).copied().unwrap_or(unit.into());
        self.line.ask(station, request, self.within).await
    }

    fn expect(&mut self, station: Station) {
        self.stations.insert(station.unit, station);
    }

    fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}
