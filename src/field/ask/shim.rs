//! Stands in for `Line::ask`, `Line::frames`, `Field::ask` and `Field::frames` until they are there.
//!
//! Their own methods win over these of the same names: to remove this file, delete it and the `use` lines that
//! name it, and take `AskFault` from `field::link`.

use crate::field::Field;
use crate::field::frames::FrameLog;
use crate::field::pdu::{Reply, Request};
use crate::field::transaction::Line;
use crate::safety::reading::ReadFault;
use crate::units::Millis;

/// What `field::link` is going to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, dead_code, unreachable_pub, reason = "stands in for one that has them")]
pub enum AskFault {
    NoSuchLink,
    Busy,
    Writes,
    Failed(ReadFault),
}

/// What `Line` is going to have.
pub(crate) trait LineShim {
    fn ask(
        &mut self,
        unit: u8,
        request: &Request,
        within: Millis,
    ) -> impl Future<Output = Result<Reply, ReadFault>> + Send;
    fn frames(&self) -> FrameLog;
}

impl LineShim for Line {
    async fn ask(&mut self, unit: u8, request: &Request, within: Millis) -> Result<Reply, ReadFault> {
        match request {
            Request::Read { table, address, count } => {
                self.read(unit, *table, *address, *count, within).await.map(Reply::Words)
            }
            _ => Err(ReadFault::Exception(1)),
        }
    }

    fn frames(&self) -> FrameLog {
        FrameLog::default()
    }
}

/// What `Field` is going to have.
pub(crate) trait FieldShim {
    fn ask(
        &self,
        link: &str,
        unit: u8,
        request: Request,
    ) -> impl Future<Output = Result<Reply, AskFault>> + Send;
    fn frames(&self, link: &str) -> Option<FrameLog>;
}

impl FieldShim for Field {
    async fn ask(&self, _: &str, _: u8, _: Request) -> Result<Reply, AskFault> {
        Err(AskFault::Busy)
    }

    fn frames(&self, _: &str) -> Option<FrameLog> {
        None
    }
}
