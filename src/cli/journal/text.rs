//! A record as a line for people.

use crate::safety::risk::Level;
use crate::store::record::{AlarmWire, Body, CauseWire, NoticeWire, Record, RefusalWord, RequestWire};
use crate::units::WallTime;
use crate::wire::time::rfc3339;

/// The record as a line: when, its number, what it says.
pub(super) fn line(record: &Record) -> String {
    format!("{}  {:>7}  {}", rfc3339(WallTime(record.wall_ms)), record.number, sentence(&record.body))
}

/// Whether a record names this.
pub(super) fn names(record: &Record, name: &str) -> bool {
    let named = |text: &str| text == name;
    match &record.body {
        Body::Start { site, gateway, .. } => named(site) || named(gateway),
        Body::Stop {}
        | Body::Snapshot(_)
        | Body::Gap { .. }
        | Body::ClockStepped { .. }
        | Body::Answer { .. } => false,
        Body::Alarm { alarm, by, .. } => named(alarm) || by.as_deref().is_some_and(named),
        Body::Level { zone, because, first_out, .. } => {
            named(zone)
                || first_out.as_deref().is_some_and(named)
                || because.iter().any(|finding| named(&finding.rule))
        }
        Body::Finding(finding) => named(&finding.rule) || named(&finding.zone),
        Body::Sequence { sequence, by, .. } => named(sequence) || by.as_deref().is_some_and(named),
        Body::Notice { sequence, zone, .. } => named(sequence) || named(zone),
        Body::LoneVote { rule, channel } => named(rule) || named(channel),
        Body::Waiver { what, now, .. } => {
            what.split('/').any(named) || now.as_ref().is_some_and(|now| now.by.iter().any(|by| named(by)))
        }
        Body::Proposed { by, request, .. }
        | Body::Followed { by, request }
        | Body::Refused { by, request, .. } => named(by) || named(subject(request)),
        Body::Intent { sequence, action, .. } => named(sequence) || named(action),
        Body::Fault { fault, .. } => named(fault),
        Body::Commanded { room, by, actor, target, .. } => {
            [room, by, actor, target].into_iter().any(|it| named(it))
        }
        Body::Delivered { sequence, target, .. } => named(sequence) || named(target),
    }
}

fn sentence(body: &Body) -> String {
    match body {
        Body::Start { version, site, gateway, .. } => {
            format!("start      emberwatch {version} on gateway {gateway} of site {site}")
        }
        Body::Stop {} => "stop       as it should".to_owned(),
        Body::Snapshot(_) => "snapshot   of the whole memory".to_owned(),
        Body::Alarm { alarm, event, by, now, .. } => {
            format!("alarm      {alarm} {event}{}{}", who(by.as_deref()), priority(now))
        }
        Body::Level { zone, level, was, first_out, .. } => {
            let first = first_out.as_deref().map_or(String::new(), |rule| format!(", first out {rule}"));
            format!("level      {zone}: {} → {}{first}", Level::from(*was).word(), Level::from(*level).word())
        }
        Body::Finding(finding) => {
            let (was, level) = (Level::from(finding.was).word(), Level::from(finding.level).word());
            let known = if finding.known { "" } else { " (cannot judge)" };
            format!("finding    {} in {}: {was} → {level}{known}", finding.rule, finding.zone)
        }
        Body::Sequence { sequence, event, stage, by, first: _, why, now } => {
            let name = |stage: u8| now.stages.get(usize::from(stage)).map_or("?", String::as_str);
            let stage = stage.map_or(String::new(), |stage| format!(" {} ({})", stage + 1, name(stage)));
            let why = why.as_ref().map_or(String::new(), |why| format!(": {why:?}"));
            let shadow = match &now.run {
                Some(run) if matches!(run.cause, CauseWire::Drill { .. }) => " [DRILL]",
                Some(run) if run.shadow => " [shadow]",
                Some(_) | None => "",
            };
            format!("sequence   {sequence}: {event}{stage}{}{why}{shadow}", who(by.as_deref()))
        }
        Body::Notice { zone, notice, stage, shadow, drill, .. } => {
            let shadow = match (drill, shadow) {
                (true, _) => " [DRILL]",
                (false, true) => " [shadow]",
                (false, false) => "",
            };
            format!("notice     {notice} for {zone}: {}{shadow}", announced(*stage))
        }
        Body::LoneVote { rule, channel } => format!("lone vote  {channel} in {rule}, and nobody joined it"),
        Body::Waiver { what, now: Some(now), .. } => {
            format!("aside      {what}, by {} and {}: {}", now.by[0], now.by[1], now.reason)
        }
        Body::Waiver { what, now: None, ended_by } => {
            format!("aside      {what} ended{}", who(ended_by.as_deref()))
        }
        Body::Gap { lasted } => format!("gap        the loop was held up for {lasted} ms"),
        Body::Commanded { by, actor, verb, target, rejected, .. } => {
            let what = crate::wire::text::command(by, actor, verb, target, rejected);
            format!("command    {what}")
        }
        Body::ClockStepped { by } => format!("clock      {}", crate::wire::text::clock_stepped(*by)),
        Body::Proposed { by, request, .. } => {
            format!("proposed   {by}: {}, as the first of two", asked(request))
        }
        Body::Followed { by, request } => format!("asked      {by}: {}", asked(request)),
        Body::Refused { by, request, why } => {
            format!("refused    {by}: {} ({})", asked(request), refusal(why))
        }
        Body::Intent { order, sequence, stage, action, attempt, .. } => {
            format!("intent     order {order}: {action} for {sequence}, stage {}, try {attempt}", stage + 1)
        }
        Body::Answer { order, fault: None, .. } => format!("answer     order {order}: confirmed"),
        Body::Answer { order, fault: Some(fault), .. } => format!("answer     order {order}: {fault:?}"),
        Body::Fault { fault, failing: true } => format!("fault      {fault} fails"),
        Body::Fault { fault, failing: false } => format!("fault      {fault} works again"),
        Body::Delivered { sequence, notice, target, taken } => {
            let how = if *taken { "taken by" } else { "GIVEN UP for" };
            format!("receipt    notice {notice} of {sequence} {how} {target}")
        }
    }
}

fn who(by: Option<&str>) -> String {
    by.map_or(String::new(), |by| format!(" by {by}"))
}

fn priority(now: &AlarmWire) -> String {
    now.priority.map_or(String::new(), |priority| format!(", {}", format!("{priority:?}").to_lowercase()))
}

fn announced(stage: NoticeWire) -> String {
    match stage {
        NoticeWire::Prepare => "prepare, fail over now".to_owned(),
        NoticeWire::Countdown { earliest, .. } => {
            format!("power goes in {} s at the earliest", earliest / 1000)
        }
        NoticeWire::Cutting => "being cut".to_owned(),
        NoticeWire::Done => "isolated".to_owned(),
        NoticeWire::Failed => "NOT isolated".to_owned(),
        NoticeWire::Aborted => "aborted".to_owned(),
        NoticeWire::AllClear => "all clear".to_owned(),
    }
}

/// What a request is about.
fn subject(request: &RequestWire) -> &str {
    match request {
        RequestWire::Acknowledge { alarm, .. }
        | RequestWire::ResetAlarm { alarm }
        | RequestWire::Shelve { alarm, .. }
        | RequestWire::Unshelve { alarm }
        | RequestWire::OutOfService { alarm, .. }
        | RequestWire::Waive { alarm, .. }
        | RequestWire::EndWaiver { alarm }
        | RequestWire::InService { alarm } => alarm,
        RequestWire::Abort { sequence, .. }
        | RequestWire::Arm { sequence }
        | RequestWire::Disarm { sequence }
        | RequestWire::Select { sequence }
        | RequestWire::Start { sequence }
        | RequestWire::ResetSequence { sequence }
        | RequestWire::ProofTested { sequence }
        | RequestWire::Drill { sequence } => sequence,
    }
}

fn asked(request: &RequestWire) -> String {
    let what = match request {
        RequestWire::Acknowledge { .. } => "acknowledge",
        RequestWire::ResetAlarm { .. } | RequestWire::ResetSequence { .. } => "reset",
        RequestWire::Shelve { .. } => "shelve",
        RequestWire::Drill { .. } => "rehearse",
        RequestWire::ProofTested { .. } => "record the proof test of",
        RequestWire::Unshelve { .. } => "unshelve",
        RequestWire::OutOfService { .. } => "take out of service",
        RequestWire::InService { .. } => "put back into service",
        RequestWire::Waive { .. } => "begin",
        RequestWire::EndWaiver { .. } => "end",
        RequestWire::Abort { .. } => "abort",
        RequestWire::Arm { .. } => "arm",
        RequestWire::Disarm { .. } => "disarm",
        RequestWire::Select { .. } => "select for a cut by hand",
        RequestWire::Start { .. } => "cut by hand",
    };
    format!("{what} {}", subject(request))
}

fn refusal(why: &RefusalWord) -> &str {
    match why {
        RefusalWord::NothingToDo => "nothing to do",
        RefusalWord::OutOfDate => "out of date",
        RefusalWord::TooLate => "too late",
        RefusalWord::NotNow => "not now",
        RefusalWord::CauseStands => "the cause stands",
        RefusalWord::LifeSafety => "life safety",
        RefusalWord::TooLong => "too long",
        RefusalWord::NoReason => "no reason given",
        RefusalWord::Unproven => "no proof test of it as it is",
        RefusalWord::ByKey => "its key arms it",
        RefusalWord::ByHand => "demanded by hand",
        RefusalWord::WouldBlind { .. } => "the vote needs it",
        RefusalWord::SecondPerson => "it takes two persons",
    }
}
