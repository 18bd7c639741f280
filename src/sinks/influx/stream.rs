//! The event stream as lines: every event whole, for a bucket that keeps it when the gateway is gone.
//!
//! Each is a point of the measurement `event`: what it is about in tags, its sentence and its whole document in fields. Two
//! points of one series and one time are one point to the server, so each line gets a microsecond of its own, in the order
//! of the events; the millisecond stays true.

use crate::exchange::Publication;
use crate::safety::site::Site;
use crate::sinks::influx::lines::LineBuilder;
use crate::wire::Envelope;
use crate::wire::payload::event::{Event, event_of};

/// After a step back of the wall clock by more than this, times begin anew; until then they only grow.
const BACK_MAX_US: i64 = 1_000_000;

/// Makes the lines.
#[derive(Debug)]
pub(super) struct EventStream {
    boot: String,
    last_us: i64,
}

impl EventStream {
    pub(super) const fn new(boot: String) -> Self {
        Self { boot, last_us: i64::MIN }
    }

    /// One line for each event of this publication.
    pub(super) fn lines_of(&mut self, site: &Site, publication: &Publication) -> Vec<String> {
        let boot = self.boot.clone();
        let envelope = Envelope {
            site,
            boot: &boot,
            seq: publication.number,
            now: publication.now,
            clock: publication.clock,
        };
        let places = publication.facts.iter().enumerate();
        let events = places.filter_map(|(place, fact)| event_of(&envelope, place, fact));
        events.filter_map(|event| line(&envelope, &event, self.time_us(&envelope))).collect()
    }

    /// A time that no line before it had.
    fn time_us(&mut self, envelope: &Envelope) -> i64 {
        let now_us = envelope.now.wall.0.saturating_mul(1000);
        let back_us = self.last_us.saturating_sub(now_us);
        self.last_us = if (0..BACK_MAX_US).contains(&back_us) { self.last_us + 1 } else { now_us };
        self.last_us
    }
}

fn line(envelope: &Envelope, event: &Event, time_us: i64) -> Option<String> {
    let site = envelope.site;
    let mut line = LineBuilder::new("event");
    line.tag("clock", envelope.clock.word());
    line.tag("gateway", &site.gateway);
    // What belongs to no room belongs to the gateway.
    line.tag("room", event.room.map_or("gateway", |room| &site[room].name));
    line.tag("site", &site.name);
    line.tag("type", &event.kind);
    line.string("boot", envelope.boot);
    line.int("seq", i64::try_from(envelope.seq).unwrap_or(i64::MAX));
    line.string("text", event.body.get("text").and_then(serde_json::Value::as_str).unwrap_or_default());
    line.string("document", &event.body.to_string());
    line.at(time_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::fact::Fact;
    use crate::units::{ClockSync, Millis, Now, Uptime, WallTime};

    fn times(stream: &mut EventStream, wall_ms: i64, count: u64) -> Vec<i64> {
        let facts = (0..count).map(|lasted| Fact::Gap { lasted: Millis(lasted) }).collect();
        let now = Now { uptime: Uptime(0), wall: WallTime(wall_ms) };
        let publication = Publication { number: 7, now, clock: ClockSync::Unsynchronised, facts };
        let lines = stream.lines_of(&Site::default(), &publication);
        lines
            .iter()
            .map(|line| line.trim_end().rsplit(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0))
            .collect()
    }

    #[test]
    fn no_two_events_have_one_time_and_their_order_is_kept() {
        let mut stream = EventStream::new("b".into());
        assert_eq!(times(&mut stream, 5, 3), [5000, 5001, 5002]);
        assert_eq!(times(&mut stream, 5, 1), [5003], "another scan within the same millisecond");
        assert_eq!(times(&mut stream, 6, 1), [6000]);
        assert_eq!(times(&mut stream, 5, 1), [6001], "a clock that was set back by a little");
        assert_eq!(times(&mut stream, -3_600_000, 2), [-3_600_000_000, -3_599_999_999], "and by much");
    }

    #[test]
    fn an_event_carries_its_whole_document_and_what_its_time_is_worth() {
        let mut stream = EventStream::new("b-1".into());
        let now = Now { uptime: Uptime(0), wall: WallTime(9) };
        let facts = vec![Fact::ClockStepped { by_ms: -3_600_000 }];
        let site = Site { name: "s".into(), gateway: "g".into(), ..Site::default() };
        let publication = Publication { number: 7, now, clock: ClockSync::Unsynchronised, facts };
        let lines = stream.lines_of(&site, &publication);
        let text = "the wall clock was set back by 1 h: times before it are labelled otherwise";
        let head = "event,clock=unsynchronised,gateway=g,room=gateway,site=s,type=gateway.clock-stepped ";
        let fields = format!("boot=\"b-1\",seq=7i,text=\"{text}\",document=\"{{");
        assert!(lines[0].starts_with(&format!("{head}{fields}")), "{}", lines[0]);
        for part in ["\\\"by_ms\\\":-3600000", "\\\"clock\\\":\\\"unsynchronised\\\"", "\\\"seq\\\":7"] {
            assert!(lines[0].contains(part), "{part}: {}", lines[0]);
        }
    }
}
