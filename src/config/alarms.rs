//! The table of alarms: one for each rule, device, sequence and part of emberwatch itself.
//!
//! An alarm without words for what happens next and what to do is noise; where the site wrote none, these do.

use std::collections::BTreeSet;

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::node::At;
use crate::config::rules::Texts;
use crate::config::table::Table;
use crate::config::value;
use crate::safety::alarm::settings::AlarmSettings;
use crate::safety::rules::deviation::Against;
use crate::safety::rules::limit::Side;
use crate::safety::rules::{Rule, RuleKind};
use crate::safety::site::{
    Alarm, AlarmSource, DeviceId, PointId, RoomId, RuleId, SequenceId, Site, SystemFault, ZoneId,
};

/// How long an alarm may be shelved at the most, and when what was seen is told anew.
const SHELF_MS: std::ops::RangeInclusive<u64> = 60_000..=7 * 24 * 3_600_000;
const RE_ALARM_MS: std::ops::RangeInclusive<u64> = 60_000..=7 * 24 * 3_600_000;

/// How alarms may be counted: one is no flood, and more than this nobody reads.
const FLOOD: std::ops::RangeInclusive<i64> = 2..=1_000;
const FLOOD_MS: std::ops::RangeInclusive<u64> = 10_000..=3_600_000;

/// Reads `[alarms]`. What it lacks has a default: none of it decides about judging or cutting.
pub(super) fn settings(desk: &mut Desk, root: &mut Table) -> AlarmSettings {
    let mut settings = AlarmSettings::default();
    let Some(mut table) = root.table(desk, "alarms") else { return settings };
    let count = |number: At<i64>| u32::try_from(number.value).unwrap_or(u32::MAX);
    let re_alarm = table.may(desk, "re_alarm", value::duration(RE_ALARM_MS));
    let shelve_max = table.may(desk, "shelve_max", value::duration(SHELF_MS));
    let within = table.may(desk, "flood_within", value::duration(FLOOD_MS));
    let begins = table.may(desk, "flood_begins", value::whole(FLOOD));
    let ends = table.may(desk, "flood_ends", value::whole(1..=*FLOOD.end()));
    table.finish(desk);
    let ends_at = ends.as_ref().map(|ends| ends.at);
    settings.re_alarm = re_alarm.map_or(settings.re_alarm, |it| it.value);
    settings.shelve_max = shelve_max.map_or(settings.shelve_max, |it| it.value);
    settings.flood_within = within.map_or(settings.flood_within, |it| it.value);
    settings.flood_begins = begins.map_or(settings.flood_begins, count);
    settings.flood_ends = ends.map_or(settings.flood_ends.min(settings.flood_begins), count);
    if let Some(at) = ends_at
        && settings.flood_begins < settings.flood_ends
    {
        desk.say(Code::OutOfRange, at, "`flood_ends` is more than `flood_begins`")
            .label(format!("at most {}", settings.flood_begins))
            .help("a flood must end with fewer alarms than it begins with");
    }
    settings
}

/// Fills `site.alarms`.
pub(super) fn build(desk: &mut Desk, site: &mut Site, texts: &[Texts], places: &[Place]) {
    let mut alarms = Vec::new();
    for (index, rule) in site.rules.iter().enumerate() {
        alarms.push(of_rule(site, RuleId::at(index), rule, &texts[index]));
        if let RuleKind::Together(_) = rule.kind {
            alarms.push(weakened(site, RuleId::at(index), rule));
            alarms.push(blind(site, RuleId::at(index), rule));
        }
    }
    let is_channel = |rule: RuleId| {
        site.rules
            .iter()
            .any(|it| matches!(&it.kind, RuleKind::Together(vote) if vote.channels.contains(&rule)))
    };
    let channels = (0..site.rules.len()).map(RuleId::at).filter(|rule| is_channel(*rule));
    alarms.extend(channels.map(|rule| bypassed(site, rule)));
    let has_cut = |zone: ZoneId| site.sequences.iter().any(|sequence| sequence.zone == zone);
    let zones = (0..site.zones.len()).map(ZoneId::at).filter(|zone| has_cut(*zone));
    alarms.extend(zones.map(|zone| maintenance(site, zone)));
    for index in 0..site.devices.len() {
        alarms.push(silent(site, DeviceId::at(index)));
        alarms.push(faulty(site, DeviceId::at(index)));
    }
    for index in 0..site.sequences.len() {
        alarms.extend(of_sequence(site, SequenceId::at(index)));
    }
    alarms.extend((0..site.rooms.len()).map(|index| flood(site, RoomId::at(index))));
    alarms.extend(SystemFault::TABLE.map(|(fault, name)| of_system(fault, name)));
    // Only the names of rules are free: the others end in words of their own.
    let taken: BTreeSet<&str> =
        alarms.iter().filter(|alarm| rule_of(alarm).is_none()).map(|alarm| alarm.name.as_str()).collect();
    for (alarm, rule) in alarms.iter().filter_map(|alarm| Some((alarm, rule_of(alarm)?))) {
        if taken.contains(alarm.name.as_str()) {
            let sentence = format!("the alarm `{}` is that of another thing", alarm.name);
            desk.say(Code::AlarmNameTaken, places[rule.index()], sentence)
                .label("gives its name to an alarm")
                .help("give the rule another id");
        }
    }
    site.alarms = alarms;
}

fn rule_of(alarm: &Alarm) -> Option<RuleId> {
    if let AlarmSource::Rule(rule) = alarm.source { Some(rule) } else { None }
}

fn of_rule(site: &Site, id: RuleId, rule: &Rule, texts: &Texts) -> Alarm {
    let zone = &site[rule.zone];
    let or = |text: &Option<String>, other: String| text.clone().unwrap_or(other);
    Alarm {
        name: rule.name.clone(),
        room: zone.room,
        source: AlarmSource::Rule(id),
        latched: texts.latched,
        message: or(&texts.message, message(site, rule)),
        consequence: or(
            &texts.consequence,
            format!(
                "If this goes on, {} may be in danger; at danger it counts towards a power cut.",
                zone.title
            ),
        ),
        action: or(
            &texts.action,
            format!(
                "Compare with the other readings of {}. Do not enter while gas or smoke is reported.",
                zone.title
            ),
        ),
    }
}

fn message(site: &Site, rule: &Rule) -> String {
    let zone = &site[rule.zone].title;
    match &rule.kind {
        RuleKind::Limit(limit) => {
            let side = if limit.side == Side::Above { "too high" } else { "too low" };
            format!("{zone}: {} is {side}", point(site, limit.point))
        }
        RuleKind::Rate(rate) => {
            let side = if rate.side == Side::Above { "rises" } else { "falls" };
            format!("{zone}: {} {side} too fast", point(site, rate.point))
        }
        RuleKind::Deviation(deviation) => {
            let first = deviation.points.first().map(|id| point(site, *id)).unwrap_or_default();
            match (deviation.points.len(), deviation.against) {
                (_, Against::Point(other)) => format!("{zone}: {first} is apart from {}", point(site, other)),
                (count, Against::Median | Against::Spread) => {
                    format!("{zone}: {first} and {} like it read apart", count - 1)
                }
            }
        }
        RuleKind::Step(step) => format!("{zone}: {} changed suddenly", point(site, step.point)),
        RuleKind::State(state) => format!("{zone}: {} reports a fault or alarm", point(site, state.point)),
        RuleKind::Silence(silence) => {
            let first = silence.points.first().map(|id| point(site, *id)).unwrap_or_default();
            match silence.points.len() {
                0 | 1 => format!("{zone}: {first} delivers no values"),
                more => format!("{zone}: {first} and {} more deliver no values", more - 1),
            }
        }
        RuleKind::Together(vote) => {
            format!("{zone}: {} of {} channels agree", vote.needed, vote.channels.len())
        }
    }
}

fn point(site: &Site, id: PointId) -> String {
    let point = &site[id];
    format!("{}/{}", site[point.device].name, point.name)
}

fn weakened(site: &Site, id: RuleId, rule: &Rule) -> Alarm {
    let zone = &site[rule.zone];
    Alarm {
        name: format!("{}-weakened", rule.name),
        room: zone.room,
        source: AlarmSource::VoteWeakened(id),
        latched: false,
        message: format!("{}: channels of the vote {} cannot judge", zone.title, rule.name),
        consequence:
            "The vote works on fewer channels than the site wanted: it is easier to miss a fire, or to cut \
                      without one."
                .to_owned(),
        action: "Repair the silent or faulty detectors within the time that the site allows.".to_owned(),
    }
}

fn blind(site: &Site, id: RuleId, rule: &Rule) -> Alarm {
    let zone = &site[rule.zone];
    Alarm {
        name: format!("{}-blind", rule.name),
        room: zone.room,
        source: AlarmSource::VoteBlind(id),
        latched: false,
        message: format!("{}: too few channels can judge for the vote {}", zone.title, rule.name),
        consequence: "A fire may not be recognised, and power would not be cut by itself.".to_owned(),
        action: "Bring the silent or faulty detectors back; until then watch the room and be ready to cut by hand."
            .to_owned(),
    }
}

fn bypassed(site: &Site, id: RuleId) -> Alarm {
    let rule = &site[id];
    let zone = &site[rule.zone];
    Alarm {
        name: format!("{}-bypassed", rule.name),
        room: zone.room,
        source: AlarmSource::Bypassed(id),
        latched: false,
        message: format!("{}: {} is bypassed", zone.title, rule.name),
        consequence: "It does not vote: it is easier to miss a fire, or to cut without one.".to_owned(),
        action: "End the bypass as soon as the work on the detector is done; it ends by itself in its time."
            .to_owned(),
    }
}

fn maintenance(site: &Site, id: ZoneId) -> Alarm {
    let zone = &site[id];
    Alarm {
        name: format!("{}-maintenance", zone.name),
        room: zone.room,
        source: AlarmSource::Maintenance(id),
        latched: false,
        message: format!("{} is in maintenance", zone.title),
        consequence: "In a fire nothing is cut there by itself.".to_owned(),
        action: "Be ready to cut by hand. End it as soon as the work is done; it ends by itself in its time."
            .to_owned(),
    }
}

fn silent(site: &Site, id: DeviceId) -> Alarm {
    let device = &site[id];
    let consequence = if device.switches {
        "Power cannot be cut through it, and its feedback is missing."
    } else {
        "What it measures is not known; votes that need it are weakened."
    };
    Alarm {
        name: format!("{}-silent", device.name),
        room: site[device.zone].room,
        source: AlarmSource::Silent(id),
        latched: false,
        message: format!("{} does not answer", device.title),
        consequence: consequence.to_owned(),
        action: "Check its supply, its network connection and its unit identifier.".to_owned(),
    }
}

fn faulty(site: &Site, id: DeviceId) -> Alarm {
    let device = &site[id];
    Alarm {
        name: format!("{}-faulty", device.name),
        room: site[device.zone].room,
        source: AlarmSource::Faulty(id),
        latched: false,
        message: format!("{} delivers numbers that are not believed", device.title),
        consequence: "What it measures is not known; votes that need it are weakened.".to_owned(),
        action: "Compare its readings with another instrument; repair or replace the sensor.".to_owned(),
    }
}

fn of_sequence(site: &Site, id: SequenceId) -> Vec<Alarm> {
    let sequence = &site[id];
    let zone = &site[sequence.zone];
    let alarm = |ending: &str, source, latched, message: String, consequence: &str, action: &str| Alarm {
        name: format!("{}-{ending}", sequence.name),
        room: zone.room,
        source,
        latched,
        message,
        consequence: consequence.to_owned(),
        action: action.to_owned(),
    };
    let mut alarms = vec![
        alarm(
            "not-armed",
            AlarmSource::NotArmed(id),
            false,
            format!("{} is not armed", sequence.title),
            "In a fire nobody cuts this zone by itself.",
            "Arm it when it is tested and nobody works on the zone.",
        ),
        alarm(
            "cutting",
            AlarmSource::Cutting(id),
            false,
            // It stands until the run is reset: true in the countdown, after the cut, and after an abort.
            format!("{} was started", sequence.title),
            &format!("Unless it was aborted, {} loses power.", zone.title),
            "Fail over what runs on this zone. Abort only if it is certain that there is no fire. \
             Reset the run when all is over.",
        ),
        alarm(
            "failed",
            AlarmSource::CutFailed(id),
            true,
            format!("{} could not isolate {}", sequence.title, zone.title),
            "The zone may still carry power.",
            "Cut by hand, upstream. Treat the zone as live until someone has measured that it is not.",
        ),
        alarm(
            "opened-by-other",
            AlarmSource::OpenedByOther(id),
            false,
            format!("A switch of {} opened, and not by emberwatch", zone.title),
            "The zone may have lost power without notice; a cut would find part of its work done.",
            "Find out who or what opened it: work, its own protection, a fault. It is never closed from here.",
        ),
        alarm(
            "current-flows",
            AlarmSource::CurrentFlows(id),
            true,
            format!("A switch of {} shows open, but current flows", zone.title),
            "It is welded or its contact lies: the zone is live.",
            "Cut upstream, by hand. Treat the zone as live until someone has measured that it is not.",
        ),
    ];
    if sequence.proof.is_some() {
        alarms.push(alarm(
            "unproven",
            AlarmSource::Unproven(id),
            false,
            format!("{} wants a proof test", sequence.title),
            "Nobody has seen that its stages do what this configuration says, or not for too long.",
            "Try every stage at the plant; then two persons record it: emberwatch sequence proof-tested.",
        ));
    }
    alarms
}

fn flood(site: &Site, id: RoomId) -> Alarm {
    let room = &site[id];
    Alarm {
        name: format!("{}-flood", room.name),
        room: id,
        source: AlarmSource::Flood(id),
        latched: false,
        message: format!("{}: more alarms at once than can be read", room.title),
        consequence:
            "Most of them probably have one cause. The further ones are listed, but not announced one by \
                      one; critical ones always are."
                .to_owned(),
        action:
            "Look at the first alarm of the flood: what it says, and what many have in common, such as the \
                 air-conditioning or a power supply."
                .to_owned(),
    }
}

fn of_system(fault: SystemFault, name: &str) -> Alarm {
    let [message, consequence, action] = words(fault);
    Alarm {
        name: name.to_owned(),
        room: RoomId(0),
        source: AlarmSource::System(fault),
        latched: false,
        message: message.to_owned(),
        consequence: consequence.to_owned(),
        action: action.to_owned(),
    }
}

/// What an alarm about emberwatch itself says: message, consequence, action.
fn words(fault: SystemFault) -> [&'static str; 3] {
    match fault {
        SystemFault::Journal => [
            "Decisions are not being recorded durably",
            "Watching and cutting go on, but after a restart the course of events may be lost.",
            "Check the disk of the gateway: space, rights, health.",
        ],
        SystemFault::Mqtt => [
            "The MQTT broker does not take messages",
            "Subscribers see old values; watching and cutting go on.",
            "Check the broker and the network between.",
        ],
        SystemFault::Influx => [
            "The InfluxDB server does not take points",
            "History is kept back here until the queue is full, then the oldest is dropped and counted.",
            "Check the server, its token and its bucket.",
        ],
        SystemFault::Webhook => [
            "A webhook target does not take messages",
            "People or services that rely on it are not told.",
            "Tell them by other means; check the target.",
        ],
        SystemFault::MqttSpool => [
            "What the MQTT broker has not accepted yet is not safe on the disk",
            "Old readings may be lost to subscribers; alarms are the last to go, watching and cutting go on.",
            "Check the disk of the gateway: space, rights, health; and `bytes_max` of [mqtt.spool].",
        ],
        SystemFault::InfluxSpool => [
            "What the InfluxDB server has not accepted yet is not safe on the disk",
            "History may get gaps, the oldest first; watching and cutting go on.",
            "Check the disk of the gateway: space, rights, health; and `bytes_max` of [influx.spool].",
        ],
        SystemFault::Overload => [
            "Facts were dropped because a consumer was too slow",
            "Screens or history have gaps; watching and cutting are not affected.",
            "Check the load of the gateway and the connections of its sinks.",
        ],
        SystemFault::Restarted => [
            "A part of emberwatch failed and was restarted",
            "It was away for a moment; watching and cutting went on.",
            "Read the log and report the fault.",
        ],
        SystemFault::Stall => [
            "The safety loop was held up",
            "For that time nothing was judged; all data is read afresh before anything is cut.",
            "Check the gateway for overload, suspend or a failing disk.",
        ],
        SystemFault::LineNoise => [
            "A serial line damages many frames",
            "Readings of its devices are late or missing; damaged ones are never used.",
            "The log names the link. Check its wiring, termination, bias, grounding and baud rate.",
        ],
        SystemFault::BusContention => [
            "Somebody else sends on a serial line",
            "Two masters garble each other: readings are lost, and an order may be.",
            "The log names the link. Find and remove the second master, or give it a line of its own.",
        ],
        SystemFault::GatewayIds => [
            "A Modbus gateway answers with transaction ids that were not asked for",
            "Its replies cannot be told apart, so none is believed: its devices are not watched.",
            "The log names the link. Update or replace the gateway, or read its devices over RTU over TCP.",
        ],
        SystemFault::Clock => [
            "No time source has kept this gateway's clock right for a while",
            "Events are labelled with times that may be wrong; watching and cutting use another clock and go on.",
            "Check the time service (timedatectl) and the way to its server.",
        ],
    }
}
