//! What an earlier run may not have got away before it was killed: told once more, as what it is.
//!
//! `boot` is then `journal` and `seq` the number of the journal's record, so that the same record, told at two starts, has
//! the same name. The number of an alarm's change, or of a notice, is the one that it was first told with.

use std::sync::Arc;

use bytes::Bytes;

use super::{Hear, bytes};
use crate::exchange::Publication;
use crate::safety::fact::Fact;
use crate::sinks::mqtt::channel::Channel;
use crate::sinks::mqtt::outbox::historical;
use crate::wire::payload::{event_of, notice};
use crate::wire::{Envelope, FROM_JOURNAL};

impl Hear {
    /// To be called before anything of this run is heard.
    pub(in crate::sinks::mqtt) fn tell_last_words(&self, words: &[Arc<Publication>]) {
        for publication in words {
            let envelope = Envelope {
                boot: FROM_JOURNAL,
                seq: publication.number,
                now: publication.now,
                clock: publication.clock,
                ..self.board.envelope()
            };
            for (place, fact) in publication.facts.iter().enumerate() {
                if let Some(event) = event_of(&envelope, place, fact) {
                    let payload = bytes(&event.body);
                    for room in self.rooms(event.room) {
                        self.late(Channel::Event, room, payload.clone());
                    }
                }
                if let Fact::Notice(it) = fact {
                    self.late(Channel::Notice, it.zone.index(), bytes(&notice(&envelope, it)));
                }
            }
        }
    }

    fn late(&self, channel: Channel, index: usize, payload: Bytes) {
        self.shared.outbox().event(historical(self.lasting(channel, index, payload)));
    }
}
