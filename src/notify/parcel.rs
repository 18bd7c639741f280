//! What is delivered at once: a message, or several alarms that wait in numbers.
//!
//! A parcel stays the same from try to try, under one id. In a flood of alarms the most urgent go first, twenty in
//! one message where the receiver can take that; notices and steps of a cut always go alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::notify::message::Maker;
use crate::notify::preset::{Head, Part, Renderer};
use crate::notify::queue::{Message, Queue, Urgency};
use crate::safety::site::SequenceId;
use crate::units::Now;
use crate::wire::time::rfc3339;

/// This many alarms of one urgency wait: they go together …
const GROUP_MIN: usize = 5;
/// … up to this many, so that their lines fit into what chats show.
const GROUP_MAX: usize = 20;

/// What is delivered at once.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) id: Arc<str>,
    pub(super) urgency: Urgency,
    pub(super) line: Arc<str>,
    pub(super) body: Arc<[u8]>,
    /// The messages in it.
    pub(super) members: Vec<Arc<str>>,
    /// The notice in it, whose delivery is recorded.
    pub(super) notice: Option<(SequenceId, u64)>,
}

/// Makes parcels and keeps those that are under way: one per urgency at most.
pub(super) struct Packer {
    renderer: Renderer,
    maker: Maker,
    open: BTreeMap<Urgency, Parcel>,
    groups: u64,
    /// The target called a group wrong: it gets messages one by one from then on.
    one_by_one: bool,
}

impl Packer {
    pub(super) const fn new(renderer: Renderer, maker: Maker) -> Self {
        Self { renderer, maker, open: BTreeMap::new(), groups: 0, one_by_one: false }
    }

    /// What is to be delivered next.
    pub(super) fn next(&mut self, queue: &Queue, now: Now) -> Option<Parcel> {
        let urgency = queue.urgency()?;
        if let Some(parcel) = self.open.get(&urgency)
            && parcel.members.iter().all(|id| queue.has(urgency, id))
        {
            return Some(parcel.clone());
        }
        let parcel = self.group(queue, now).or_else(|| queue.first().map(single))?;
        self.open.insert(urgency, parcel.clone());
        Some(parcel)
    }

    /// It was delivered or given up.
    pub(super) fn close(&mut self, parcel: &Parcel) {
        self.open.remove(&parcel.urgency);
    }

    /// The target calls it wrong. True if its messages are to be tried one by one.
    pub(super) fn refuse(&mut self, parcel: &Parcel) -> bool {
        let group = 1 < parcel.members.len();
        if group {
            self.one_by_one = true;
            self.close(parcel);
        }
        group
    }

    fn group(&mut self, queue: &Queue, now: Now) -> Option<Parcel> {
        if self.one_by_one {
            return None;
        }
        let alarms = queue.as_urgent_as_first().take_while(|message| message.is_alarm());
        let members: Vec<&Message> = alarms.take(GROUP_MAX).collect();
        if members.len() < GROUP_MIN {
            return None;
        }
        let id = self.maker.id(format_args!("group-{}", self.groups));
        let head = Head {
            id: &id,
            site: &self.maker.site.name,
            gateway: &self.maker.site.gateway,
            timestamp: &rfc3339(now.wall),
        };
        let parts: Vec<Part<'_>> = members.iter().map(|message| message.part()).collect();
        let body = self.renderer.group(&head, &parts)?;
        self.groups += 1;
        Some(Parcel {
            urgency: members[0].handling.urgency,
            line: format!("{} alarms on {}", members.len(), head.site).into(),
            body: Arc::from(body),
            members: members.iter().map(|message| Arc::clone(&message.id)).collect(),
            notice: None,
            id,
        })
    }
}

impl Message {
    fn is_alarm(&self) -> bool {
        self.handling.subject.starts_with("alarm/")
    }

    fn part(&self) -> Part<'_> {
        Part { id: &self.id, line: &self.line, severity: self.severity, body: &self.body.0 }
    }
}

fn single(message: &Message) -> Parcel {
    Parcel {
        id: Arc::clone(&message.id),
        urgency: message.handling.urgency,
        line: Arc::clone(&message.line),
        body: Arc::clone(&message.body.0),
        members: vec![Arc::clone(&message.id)],
        notice: message.handling.notice,
    }
}
