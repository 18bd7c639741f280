//! Hears the facts at once, keeps the board, and writes documents into the outbox.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::counters::MqttCounters;
use super::outbox::{Message, Urgency};
use super::topics::{Topic, Topics};
use crate::clock;
use crate::exchange::{FaultReport, Hearing, Inbox, Publication};
use crate::safety::alarm::AlarmState;
use crate::safety::reading::Reading;
use crate::safety::site::{AlarmId, DeviceId, PointId, RoomId, SequenceId, SystemFault, ZoneId};
use crate::units::{Millis, Now, Uptime};
use crate::wire::payload::gateway::{self, GatewayState, Pulse};
use crate::wire::payload::{DataWriter, device_meta, device_state, room_summary, sequence, zone_level};
use crate::wire::{Board, Envelope};

/// How often the heartbeat goes out, and for how long the broker keeps it.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);
const HEARTBEAT_EXPIRY: Millis = Millis::from_secs(15);

/// The loop is silent when nothing was heard for this long: no heartbeat then.
const LOOP_SILENT_AFTER: Millis = Millis::from_secs(6);

/// Every so many heartbeats, summaries and runs under way are said again.
const RENEW_EVERY: u32 = 2;

/// Every so many heartbeats, alarms that nobody has acknowledged are said again: a broker that crashed after taking one
/// may never have passed it on.
const REPEAT_EVERY: u32 = 12;

/// How long the broker keeps a summary, in seconds.
const SUMMARY_EXPIRY_S: u32 = 30;

/// A reading is worthless after so many of its periods.
const DATA_EXPIRY_PERIODS: u64 = 3;

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
    pub(super) fn new(board: Board, topics: Topics, shared: Arc<Shared>, inbox: Inbox) -> Self {
        let writer = DataWriter::new(board.site());
        let overload = FaultReport::renewed(inbox, SystemFault::Overload);
        Self {
            board,
            topics,
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

    pub(super) async fn run(mut self, mut hearing: Hearing, stop: CancellationToken) {
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
        self.state(&self.topics.info, &info, Urgency::Later, None);
        for device in (0..site.devices.len()).map(DeviceId::at) {
            let meta = device_meta(&self.board.envelope(), device);
            self.state(&self.topics.device_meta[device.index()], &meta, Urgency::Later, None);
        }
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
                self.shared.outbox().gone(&self.topics.alarm[alarm.index()]);
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
        self.once(&self.topics.heartbeat, payload, now.uptime.plus(HEARTBEAT_EXPIRY), false);
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
        self.state(&self.topics.status, &status, Urgency::First, None);
    }

    /// One document per device that was read.
    fn say_data(&mut self) {
        let site = Arc::clone(self.board.site());
        let mut buffer = std::mem::take(&mut self.buffer);
        for group in self.board.changes().readings.chunk_by(|a, b| site[a.0].device == site[b.0].device) {
            buffer.clear();
            self.writer.write(&mut buffer, &self.board.envelope(), group);
            let device = site[group[0].0].device;
            let worth = worth(group, |point| site[point].period);
            let payload = Bytes::copy_from_slice(buffer.as_bytes());
            let topic = &self.topics.device_data[device.index()];
            self.once(topic, payload, self.board.now().uptime.plus(worth), true);
        }
        self.buffer = buffer;
    }

    fn say_events(&self) {
        let changes = self.board.changes();
        for event in &changes.events {
            let payload = bytes(&event.body);
            let rooms = match event.room {
                Some(room) => &self.topics.event[room.index()..=room.index()],
                None => &self.topics.event[..],
            };
            for topic in rooms {
                self.event(topic, payload.clone(), false);
            }
        }
        for (zone, body) in &changes.notices {
            let topic = &self.topics.notice[zone.index()];
            let payload = bytes(body);
            self.event(topic, payload.clone(), true);
            self.shared.outbox().remember(topic, payload);
        }
    }

    fn say_alarm(&self, id: AlarmId) {
        let record = self.board.alarm(id);
        let topic = &self.topics.alarm[id.index()];
        let body = self.board.alarm_document(id);
        if record.state == AlarmState::Normal {
            self.shared.outbox().clear(topic, bytes(&body), Urgency::First);
        } else {
            self.state(topic, &body, Urgency::First, None);
        }
    }

    fn say_sequence(&self, id: SequenceId) {
        let body = sequence(&self.board.envelope(), id, self.board.sequence(id), self.board.extras(id));
        self.state(&self.topics.sequence[id.index()], &body, Urgency::First, None);
    }

    fn say_zone(&self, id: ZoneId) {
        let body = zone_level(&self.board.envelope(), id, self.board.zone(id));
        self.state(&self.topics.zone[id.index()], &body, Urgency::First, None);
    }

    fn say_device(&self, id: DeviceId) {
        let body = device_state(&self.board.envelope(), id, self.board.device(id));
        self.state(&self.topics.device_state[id.index()], &body, Urgency::Later, None);
    }

    fn say_summary(&self, id: RoomId) {
        let body = room_summary(&self.board.envelope(), id, &self.board.summary(id));
        self.state(&self.topics.summary[id.index()], &body, Urgency::Later, Some(SUMMARY_EXPIRY_S));
    }

    fn state(&self, topic: &Topic, body: &Value, urgency: Urgency, expiry_s: Option<u32>) {
        self.shared.outbox().state(topic, bytes(body), urgency, expiry_s);
    }

    fn event(&self, topic: &Topic, payload: Bytes, retain: bool) {
        let topic = Arc::clone(topic);
        let message = Message { topic, payload, acknowledged: true, retain, expiry_s: None, history: true };
        self.shared.outbox().event(message);
    }

    fn once(&self, topic: &Topic, payload: Bytes, worthless: Uptime, history: bool) {
        let topic = Arc::clone(topic);
        let message = Message { topic, payload, acknowledged: false, retain: false, expiry_s: None, history };
        self.shared.outbox().reading(message, worthless);
    }
}

/// Whether a person has yet to acknowledge an alarm in this state.
fn is_unseen(state: AlarmState) -> bool {
    matches!(state, AlarmState::UnackActive | AlarmState::UnackReturned | AlarmState::LatchedUnack)
}

fn worth(group: &[(PointId, Reading)], period: impl Fn(PointId) -> Millis) -> Millis {
    let longest = group.iter().map(|(point, _)| period(*point)).max();
    longest.unwrap_or_default().times(DATA_EXPIRY_PERIODS)
}

fn bytes(body: &Value) -> Bytes {
    Bytes::from(body.to_string())
}

#[cfg(test)]
mod tests;
