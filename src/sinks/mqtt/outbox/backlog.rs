//! Readings that come out of the spool: told late, as what they are.
//!
//! A block of the spool leaves it when all its messages are acknowledged. A historical message is never retained, has
//! `"historical":true` as its first key and, where it is of a device, the topic `backlog` instead of `data`: nobody can
//! take it for a live one.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Message, Step};
use crate::sinks::spool::{Block, Ticket};

/// With more messages in memory nothing more is fetched.
const MESSAGES_MAX: usize = 128;

#[derive(Debug)]
struct Late {
    message: Message,
    step: Step,
    block: u64,
}

/// Messages of the blocks that were fetched.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    messages: BTreeMap<u64, Late>,
    blocks: BTreeMap<u64, (Ticket, usize)>,
    message_next: u64,
    block_next: u64,
    /// No message before this one waits.
    cursor: u64,
    refused: usize,
}

impl Backlog {
    pub(super) fn has_room(&self) -> bool {
        self.messages.len() < MESSAGES_MAX
    }

    pub(super) fn has_refused(&self) -> bool {
        0 < self.refused
    }

    pub(super) fn put(&mut self, block: &Block) {
        let id = self.block_next;
        self.block_next += 1;
        let mut count = 0;
        for message in decoded(&block.payload) {
            let late = Late { message: historical(message), step: Step::Waiting, block: id };
            self.messages.insert(self.message_next, late);
            self.message_next += 1;
            count += 1;
        }
        self.blocks.insert(id, (block.ticket(), count));
    }

    pub(super) fn next(&mut self) -> Option<(u64, Message)> {
        let waiting = self.messages.range_mut(self.cursor..).find(|(_, late)| late.step == Step::Waiting);
        let Some((&id, late)) = waiting else {
            self.cursor = self.message_next;
            return None;
        };
        late.step = Step::Handed;
        self.cursor = id + 1;
        Some((id, late.message.clone()))
    }

    pub(super) fn delivered(&mut self, id: u64) {
        if let Some(late) = self.messages.remove(&id)
            && let Some((_, left)) = self.blocks.get_mut(&late.block)
        {
            self.refused -= usize::from(late.step == Step::Refused);
            *left -= 1;
        }
    }

    pub(super) fn refused(&mut self, id: u64) {
        if let Some(late) = self.messages.get_mut(&id)
            && late.step != Step::Refused
        {
            late.step = Step::Refused;
            self.refused += 1;
        }
    }

    pub(super) fn offer_refused(&mut self) {
        self.wait_again(|step| step == Step::Refused);
    }

    pub(super) fn disconnected(&mut self) {
        self.wait_again(|_| true);
    }

    fn wait_again(&mut self, which: impl Fn(Step) -> bool) {
        for (id, late) in &mut self.messages {
            if which(late.step) {
                self.refused -= usize::from(late.step == Step::Refused);
                late.step = Step::Waiting;
                self.cursor = self.cursor.min(*id);
            }
        }
    }

    /// Blocks of which every message was acknowledged: they are forgotten here.
    pub(super) fn finished(&mut self) -> impl Iterator<Item = Ticket> + use<> {
        let done: Vec<u64> = self.blocks.iter().filter(|it| it.1.1 == 0).map(|it| *it.0).collect();
        let tickets: Vec<Ticket> =
            done.iter().filter_map(|id| self.blocks.remove(id)).map(|it| it.0).collect();
        tickets.into_iter()
    }
}

/// The bytes of a message for the spool: lengths of topic and payload, then both.
pub(super) fn encoded(message: &Message) -> Vec<u8> {
    let (topic, payload) = (message.topic.as_bytes(), &message.payload);
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&length(topic), &length(payload), topic, payload].concat()
}

/// The messages in some bytes of the spool. What cannot be read ends them.
pub(super) fn decoded(mut bytes: &[u8]) -> impl Iterator<Item = Message> {
    std::iter::from_fn(move || {
        let (topic_length, rest) = bytes.split_first_chunk::<4>()?;
        let (payload_length, rest) = rest.split_first_chunk::<4>()?;
        let length = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).ok();
        let (topic, rest) = rest.split_at_checked(length(topic_length)?)?;
        let (payload, rest) = rest.split_at_checked(length(payload_length)?)?;
        bytes = rest;
        Some(Message {
            topic: std::str::from_utf8(topic).ok()?.into(),
            payload: Bytes::copy_from_slice(payload),
            acknowledged: true,
            retain: false,
            expiry_s: None,
            correlation: None,
            history: true,
        })
    })
}

/// What a document that is told late begins with.
const HISTORICAL: &[u8] = b"{\"historical\":true,";

/// A message as it is told late.
pub(in crate::sinks::mqtt) fn historical(message: Message) -> Message {
    let topic = match message.topic.strip_suffix("/data") {
        Some(device) => format!("{device}/backlog").into(),
        None => message.topic,
    };
    let payload = match message.payload.strip_prefix(b"{") {
        Some(rest) if !message.payload.starts_with(HISTORICAL) => Bytes::from([HISTORICAL, rest].concat()),
        // No document, or it was late before.
        Some(_) | None => message.payload,
    };
    Message { topic, payload, acknowledged: true, retain: false, ..message }
}
