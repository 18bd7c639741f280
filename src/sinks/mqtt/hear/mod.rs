//! Hears the facts at once, keeps the board, and writes documents into the outbox.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub(in crate::sinks::mqtt) use commands::Commands;
use commands::Reply;

use super::Shared;
use super::channel::{Channel, Delivery};
use super::command::Said;
use super::counters::MqttCounters;
use super::discovery::Discovery;
use super::outbox::{Message, Urgency};
use super::topics::{Topic, Topics};
use crate::clock;
use crate::exchange::{FaultReport, Hearing, Inbox, Publication};
use crate::safety::alarm::AlarmState;
use crate::safety::reading::Reading;
use crate::safety::site::{AlarmId, DeviceId, PointId, RoomId, SequenceId, SystemFault, ZoneId};
use crate::units::{Millis, Now, Uptime};
use crate::wire::payload::event::event;
use crate::wire::payload::gateway::{self, GatewayState, Pulse};
use crate::wire::payload::{DataWriter, device_meta, device_state, room_summary, sequence, zone_level};
use crate::wire::{Board, Envelope};

/// How often the heartbeat goes out.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

/// The loop is silent when nothing was heard for this long: no heartbeat then.
const LOOP_SILENT_AFTER: Millis = Millis::from_secs(6);

/// Every so many heartbeats, summaries and runs under way are said again.
const RENEW_EVERY: u32 = 2;

/// Every so many heartbeats, alarms that nobody has acknowledged are said again: a broker that crashed after taking one
/// may never have passed it on.
const REPEAT_EVERY: u32 = 12;

/// An answer nobody has fetched by then is of no use.
const RESULT_WORTH: Millis = Millis::from_secs(60);

/// The place of an event that is no fact of a publication: after all of those.
const REFRESHED_PLACE: usize = 1_000_000;

/// Whether publications were missed: the fault clears after one whole beat without.
#[derive(Clone, Copy)]
enum Missed {
    Nothing,
    Lately,
    Before,
}

pub(super) struct Hear {
    board: Board,
    topics: Topics,
    discovery: Option<Discovery>,
    commands: Option<Commands>,
    /// Home Assistant has said that it is there: it is told everything at the next beat.
    newcomer: bool,
    writer: DataWriter,
    buffer: String,
    shared: Arc<Shared>,
    overload: FaultReport,
    missed: Missed,
    heard: Option<Uptime>,
    beats: u32,
    told: Option<(GatewayState, Vec<String>)>,
}

impl Hear {
    pub(super) fn new(
        board: Board,
        topics: Topics,
        discovery: Option<Discovery>,
        commands: Option<Commands>,
        shared: Arc<Shared>,
        inbox: Inbox,
    ) -> Self {
        let writer = DataWriter::new(board.site());
        let overload = FaultReport::renewed(inbox, SystemFault::Overload);
        Self {
            board,
            topics,
            discovery,
            commands,
            newcomer: false,
            writer,
            buffer: String::new(),
            shared,
            overload,
            missed: Missed::Nothing,
            heard: None,
            beats: 0,
            told: None,
        }
    }

    /// `words` is what others say to us over MQTT.
    pub(super) async fn run(
        mut self,
        mut hearing: Hearing,
        mut words: mpsc::Receiver<Said>,
        stop: CancellationToken,
    ) {
        self.introduce();
        let mut beat = interval(HEARTBEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                heard = hearing.recv() => match heard {
                    Ok(publication) => self.take(&publication),
                    Err(RecvError::Lagged(count)) => self.lagged(count),
                    Err(RecvError::Closed) => {
                        // Nobody speaks any more: without a stop that is a crash, and the will says so.
                        stop.cancelled().await;
                        break;
                    }
                },
                Some(word) = words.recv() => self.heard_of(&word),
                _ = beat.tick() => self.beat(),
            }
            self.shared.filled.notify_one();
        }
        self.say_status(GatewayState::Stopping);
        self.shared.filled.notify_one();
    }

    /// What is true before anything is heard. Nothing of the plant: what the broker still shows of the last
    /// run is better than a calm that nobody has seen.
    fn introduce(&mut self) {
        let site = Arc::clone(self.board.site());
        self.say_status(GatewayState::Starting);
        let info = gateway::info(&self.board.envelope());
        self.state(Channel::Info, 0, &info, Urgency::Later);
        for device in (0..site.devices.len()).map(DeviceId::at) {
            let meta = device_meta(&self.board.envelope(), device);
            self.state(Channel::DeviceMeta, device.index(), &meta, Urgency::Later);
        }
        self.say_discovery();
    }

    /// All state after the first publication, which tells what stood before a restart. An alarm may have
    /// returned while this gateway was down: what the broker kept of it must go.
    fn everything(&self) {
        let site = self.board.site();
        (0..site.devices.len()).for_each(|index| self.say_device(DeviceId::at(index)));
        (0..site.zones.len()).for_each(|index| self.say_zone(ZoneId::at(index)));
        (0..site.sequences.len()).for_each(|index| self.say_sequence(SequenceId::at(index)));
        (0..site.rooms.len()).for_each(|index| self.say_summary(RoomId::at(index)));
        for alarm in (0..site.alarms.len()).map(AlarmId::at) {
            if self.board.alarm(alarm).state == AlarmState::Normal {
                self.shared.outbox().gone(self.topics.at(Channel::Alarm, alarm.index()));
            }
        }
    }

    fn take(&mut self, publication: &Publication) {
        let first = self.heard.replace(clock::uptime()).is_none();
        self.board.apply(publication);
        if first {
            self.everything();
        }
        self.say_data();
        let changes = self.board.changes();
        let site = self.board.site();
        let mut rooms: BTreeSet<RoomId> = changes.zones.iter().map(|zone| site[*zone].room).collect();
        rooms.extend(changes.alarms.iter().map(|alarm| site[*alarm].room));
        rooms.extend(changes.sequences.iter().map(|it| site[site[*it].zone].room));
        rooms.extend(changes.devices.iter().map(|it| site[site[*it].zone].room));
        changes.alarms.iter().for_each(|it| self.say_alarm(*it));
        changes.sequences.iter().for_each(|it| self.say_sequence(*it));
        changes.zones.iter().for_each(|it| self.say_zone(*it));
        changes.devices.iter().for_each(|it| self.say_device(*it));
        self.say_events();
        for room in rooms {
            self.say_summary(room);
        }
        let replies = self.commands.as_mut().map(|commands| commands.follow(publication, &self.board));
        replies.into_iter().flatten().for_each(|reply| self.answer(reply));
        self.renew_status();
    }

    fn lagged(&mut self, count: u64) {
        MqttCounters::add(&self.shared.counters.missed, count);
        tracing::warn!(count, "MQTT sink missed publications");
        self.missed = Missed::Lately;
        self.overload.set(true);
    }

    fn beat(&mut self) {
        match self.missed {
            Missed::Nothing => {}
            Missed::Lately => self.missed = Missed::Before,
            Missed::Before => {
                self.missed = Missed::Nothing;
                self.overload.set(false);
            }
        }
        self.overload.flush();
        self.renew_status();
        self.welcome_newcomer();
        let now = clock::now();
        let Some(silent) = self.loop_silent(now).filter(|silent| *silent < LOOP_SILENT_AFTER) else { return };
        self.heartbeat(now, silent);
        self.beats += 1;
        if self.beats.is_multiple_of(REPEAT_EVERY) {
            let unseen: Vec<AlarmId> = self
                .board
                .annunciated()
                .filter(|(_, record)| is_unseen(record.state))
                .map(|it| it.0)
                .collect();
            for alarm in unseen {
                self.say_alarm(alarm);
            }
        }
        if self.beats.is_multiple_of(RENEW_EVERY) {
            (0..self.board.site().rooms.len()).for_each(|index| self.say_summary(RoomId::at(index)));
            let runs: Vec<SequenceId> = self.board.runs_under_way().collect();
            for run in runs {
                self.say_sequence(run);
            }
        }
    }

    fn loop_silent(&self, now: Now) -> Option<Millis> {
        self.heard.map(|at| now.uptime.since(at))
    }

    fn heartbeat(&self, now: Now, silent: Millis) {
        let pulse = Pulse {
            loop_silent_ms: silent.0,
            level: self.board.level(),
            priority: self.board.annunciated().filter_map(|(_, record)| record.priority).max(),
            alarms: self.board.annunciated().count(),
            runs: self.board.runs_under_way().count(),
        };
        let envelope = Envelope { now, ..self.board.envelope() };
        let payload = bytes(&gateway::heartbeat(&envelope, pulse));
        self.once(Channel::Heartbeat, 0, payload, now.uptime, Millis::ZERO);
    }

    /// The status, if it is another than the one said last.
    fn renew_status(&mut self) {
        let silent = self.loop_silent(clock::now());
        let state = match silent {
            None => GatewayState::Starting,
            Some(silent) if silent >= LOOP_SILENT_AFTER => GatewayState::Degraded,
            Some(_) if self.board.failing().is_empty() => GatewayState::Online,
            Some(_) => GatewayState::Degraded,
        };
        self.say_status(state);
    }

    fn say_status(&mut self, state: GatewayState) {
        let failing: Vec<String> = self.board.failing().into_iter().map(str::to_owned).collect();
        let told = Some((state, failing));
        if told == self.told {
            return;
        }
        self.told = told;
        let envelope = Envelope { now: clock::now(), ..self.board.envelope() };
        let status = gateway::status(&envelope, state, &self.board.failing());
        self.state(Channel::Status, 0, &status, Urgency::First);
    }

    /// One document per device that was read.
    fn say_data(&mut self) {
        let site = Arc::clone(self.board.site());
        let mut buffer = std::mem::take(&mut self.buffer);
        for group in self.board.changes().readings.chunk_by(|a, b| site[a.0].device == site[b.0].device) {
            buffer.clear();
            self.writer.write(&mut buffer, &self.board.envelope(), group);
            let device = site[group[0].0].device;
            let period = longest_period(group, |point| site[point].period);
            let payload = Bytes::copy_from_slice(buffer.as_bytes());
            self.once(Channel::DeviceData, device.index(), payload, self.board.now().uptime, period);
        }
        self.buffer = buffer;
    }

    fn say_events(&self) {
        let changes = self.board.changes();
        for event in &changes.events {
            let payload = bytes(&event.body);
            for room in self.rooms(event.room) {
                self.event(Channel::Event, room, payload.clone());
            }
        }
        for (zone, body) in &changes.notices {
            let payload = bytes(body);
            self.event(Channel::Notice, zone.index(), payload.clone());
            self.shared.outbox().remember(self.topics.at(Channel::Notice, zone.index()), payload);
        }
    }

    /// The rooms in whose topics something of this room, or of the whole gateway, is told.
    fn rooms(&self, room: Option<RoomId>) -> std::ops::Range<usize> {
        match room {
            Some(room) => room.index()..room.index() + 1,
            None => 0..self.board.site().rooms.len(),
        }
    }

    fn say_alarm(&self, id: AlarmId) {
        let record = self.board.alarm(id);
        let body = self.board.alarm_document(id);
        if record.state == AlarmState::Normal {
            let topic = self.topics.at(Channel::Alarm, id.index());
            self.shared.outbox().clear(topic, bytes(&body), Urgency::First);
        } else {
            self.state(Channel::Alarm, id.index(), &body, Urgency::First);
        }
    }

    fn say_sequence(&self, id: SequenceId) {
        let body = sequence(&self.board.envelope(), id, self.board.sequence(id), self.board.extras(id));
        self.state(Channel::Sequence, id.index(), &body, Urgency::First);
    }

    fn say_zone(&self, id: ZoneId) {
        let body = zone_level(&self.board.envelope(), id, self.board.zone(id));
        self.state(Channel::Zone, id.index(), &body, Urgency::First);
    }

    fn say_device(&self, id: DeviceId) {
        let body = device_state(&self.board.envelope(), id, self.board.device(id));
        self.state(Channel::DeviceState, id.index(), &body, Urgency::Later);
    }

    fn say_summary(&self, id: RoomId) {
        let body = room_summary(&self.board.envelope(), id, &self.board.summary(id));
        self.state(Channel::Summary, id.index(), &body, Urgency::Later);
    }

    /// What Home Assistant needs to know us, where it is wanted.
    fn say_discovery(&self) {
        for message in self.discovery.iter().flat_map(|it| &it.messages) {
            let payload = message.payload.clone();
            self.shared.outbox().state(&message.topic, payload, Urgency::Last(message.rank), None);
        }
    }

    /// Somebody else has spoken: Home Assistant has come, or something is asked. Home Assistant is told everything at the
    /// next beat: by then it listens, and one that comes and goes all the time costs no more than one beat each.
    fn heard_of(&mut self, word: &Said) {
        let born = self.discovery.as_ref().is_some_and(|it| it.is_birth(&word.topic, &word.payload));
        self.newcomer |= born;
        let commands = self.commands.as_mut();
        let reply = commands.and_then(|commands| commands.heard(word, &self.board, clock::now()));
        if let Some(reply) = reply {
            self.answer(reply);
        }
        let refreshing = self.commands.as_mut().map(Commands::take_refreshing).unwrap_or_default();
        for (room, id) in refreshing {
            self.say_everything();
            self.say_last_readings();
            self.say_refreshed(room, &id);
        }
    }

    fn welcome_newcomer(&mut self) {
        if std::mem::take(&mut self.newcomer) {
            self.say_discovery();
            self.say_everything();
        }
    }

    /// All that stands, once more.
    fn say_everything(&mut self) {
        self.told = None;
        self.renew_status();
        // Before that nothing is known of the plant.
        if self.heard.is_some() {
            self.everything();
            let standing: Vec<AlarmId> = self.board.standing().map(|it| it.0).collect();
            for alarm in standing {
                self.say_alarm(alarm);
            }
        }
    }

    /// What each device delivered last, with the times at which it did.
    fn say_last_readings(&self) {
        let site = Arc::clone(self.board.site());
        let readings = self.board.readings();
        for (index, device) in site.devices.iter().enumerate() {
            let points = device.points.clone().map(PointId);
            let group: Vec<(PointId, Reading)> = points
                .map(|point| (point, readings[point.index()]))
                .filter(|(_, reading)| !matches!(reading, Reading::NeverSeen))
                .collect();
            if !group.is_empty() {
                let mut text = String::new();
                self.writer.write(&mut text, &self.board.envelope(), &group);
                let period = longest_period(&group, |point| site[point].period);
                self.once(Channel::DeviceData, index, text.into(), clock::uptime(), period);
            }
        }
    }

    /// That everything was told again: the end mark for who has asked for it.
    fn say_refreshed(&self, room: RoomId, id: &str) {
        let envelope = Envelope { now: clock::now(), ..self.board.envelope() };
        let words = "everything that stands was told again";
        let body = serde_json::json!({ "id": id });
        let event = event(&envelope, REFRESHED_PLACE, Some(room), "refresh.done".to_owned(), words, body);
        self.once_on(self.topics.at(Channel::Event, room.index()), bytes(&event.body), None, RESULT_WORTH);
    }

    /// An answer, where the sender wants it or below the room's results.
    fn answer(&self, reply: Reply) {
        let payload = bytes(&reply.answer.document(clock::now().wall));
        let own = || format!("{}{}/res/{}", self.topics.base, self.board.site()[reply.room].name, reply.verb);
        let topic = Topic::from(reply.topic.unwrap_or_else(own));
        self.once_on(&topic, payload, reply.correlation, RESULT_WORTH);
    }

    fn once_on(&self, topic: &Topic, payload: Bytes, correlation: Option<Bytes>, worth: Millis) {
        let topic = Arc::clone(topic);
        let message = Message {
            topic,
            payload,
            acknowledged: false,
            retain: false,
            expiry_s: None,
            correlation,
            history: false,
        };
        self.shared.outbox().reading(message, clock::uptime().plus(worth));
        self.shared.filled.notify_one();
    }

    fn state(&self, channel: Channel, index: usize, body: &Value, urgency: Urgency) {
        let expiry = match channel.row().delivery {
            Delivery::State { expiry } => expiry,
            Delivery::Event { .. } | Delivery::Reading { .. } | Delivery::Backlog | Delivery::Heard => None,
        };
        let expiry_s = expiry.and_then(|expiry| u32::try_from(expiry.0 / 1000).ok());
        self.shared.outbox().state(self.topics.at(channel, index), bytes(body), urgency, expiry_s);
    }

    fn event(&self, channel: Channel, index: usize, payload: Bytes) {
        self.shared.outbox().event(self.lasting(channel, index, payload));
    }

    /// A message that is kept until it is acknowledged.
    fn lasting(&self, channel: Channel, index: usize, payload: Bytes) -> Message {
        Message {
            topic: Arc::clone(self.topics.at(channel, index)),
            payload,
            acknowledged: true,
            retain: channel.row().is_retained(),
            expiry_s: None,
            correlation: None,
            history: true,
        }
    }

    /// A reading of `now`, of points with this period. A heartbeat has none, and is of no use to anybody later.
    fn once(&self, channel: Channel, index: usize, payload: Bytes, now: Uptime, period: Millis) {
        let worth = channel.row().worth(period);
        let topic = Arc::clone(self.topics.at(channel, index));
        let history = channel == Channel::DeviceData;
        let message = Message {
            topic,
            payload,
            acknowledged: false,
            retain: false,
            expiry_s: None,
            correlation: None,
            history,
        };
        self.shared.outbox().reading(message, now.plus(worth));
    }
}

/// Whether a person has yet to acknowledge an alarm in this state.
fn is_unseen(state: AlarmState) -> bool {
    matches!(state, AlarmState::UnackActive | AlarmState::UnackReturned | AlarmState::LatchedUnack)
}

fn longest_period(group: &[(PointId, Reading)], period: impl Fn(PointId) -> Millis) -> Millis {
    group.iter().map(|(point, _)| period(*point)).max().unwrap_or_default()
}

fn bytes(body: &Value) -> Bytes {
    Bytes::from(body.to_string())
}

mod commands;
mod last_words;

#[cfg(test)]
mod tests;
