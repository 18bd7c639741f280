//! Every metric there is: its name, what it counts or measures, and its labels.

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from the start of the process or of the edge.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Says something by its labels; always 1.
    Info,
    /// How many took how long.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name after `emberwatch_`, with the ending that its kind asks for.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What it says, in one line.
    pub help: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
}

macro_rules! metrics {
    ($($id:ident $kind:ident $name:literal [$($label:literal),*] $help:literal)*) => {
        $(
            #[doc = $help]
            pub const $id: Metric =
                Metric { name: $name, kind: Kind::$kind, help: $help, labels: &[$($label),*] };
        )*

        /// All of them, in the order in which they are written.
        pub const ALL: &[Metric] = &[$($id),*];
    };
}

metrics! {
    BUILD Info "build_info" ["version"] "What runs here."
    CONFIG_LOADED Gauge "config_last_reload_successful" [] "Whether the configuration was loaded; it is read at the start alone."
    CONFIG_LOADED_AT Gauge "config_last_reload_success_timestamp_seconds" [] "When the configuration was loaded."
    LOOP_LAG Gauge "control_loop_lag_seconds" [] "Time since the safety loop last spoke; it speaks at least once a second."
    TICK_LATENESS Histogram "control_loop_lateness_seconds" [] "By how much more than its tick of 0.1 s the safety loop looked after the time before."
    WATCHDOG_PINGS Counter "watchdog_pings_total" [] "Times the watchdog of the system was told that the loop lives and polling goes on."
    CLOCK_SYNCHRONISED Gauge "clock_synchronised" [] "Whether a time source keeps the clock right; absent where nothing on the machine tells."
    POLLS Counter "polls_total" ["link"] "Polls that came to an end, well or not."
    POLL_DURATION Histogram "poll_duration_seconds" ["link"] "Round trips of requests that were answered."
    POLL_OVERRUNS Counter "poll_overruns_total" ["link"] "Polls that could not begin before their period was over."
    REQUESTS Counter "requests_total" ["link"] "Requests sent, orders and their reads included."
    REQUEST_TIMEOUTS Counter "request_timeouts_total" ["link"] "Requests without a complete reply in time."
    POINT_FAULTS Counter "point_faults_total" ["link", "reason"] "Points that came without a value."
    FRAMES_REJECTED Counter "modbus_frames_rejected_total" ["link", "reason"] "Bytes that came and were not believed."
    LINK_UP Gauge "link_up" ["link"] "Whether the link is connected."
    DEVICE_UP Gauge "device_up" ["room", "device"] "Whether the device answers; absent before it was tried."
    DEVICE_LAST_SUCCESS Gauge "device_last_success_timestamp_seconds" ["room", "device"] "When the device last answered."
    POINTS Gauge "points" ["room", "quality"] "Points by quality: good, uncertain, bad."
    TEMPERATURE Gauge "temperature_celsius" ["room", "device", "point"] "A temperature that is believed."
    VOLTAGE Gauge "voltage_volts" ["room", "device", "point"] "A voltage that is believed."
    CURRENT Gauge "current_amperes" ["room", "device", "point"] "A current that is believed; positive charges a battery."
    POWER_WATTS Gauge "power_watts" ["room", "device", "point"] "A power that is believed."
    STATE_OF_CHARGE Gauge "state_of_charge_ratio" ["room", "device", "point"] "A state of charge that is believed, from 0 to 1."
    SHARE Gauge "share_ratio" ["room", "device", "point"] "Any other share that is believed, from 0 to 1: load, humidity, health."
    GAS_PPM Gauge "gas_concentration_ppm" ["room", "device", "point"] "A gas concentration that is believed; in ppm, as operators and limits have it."
    GAS_LFL Gauge "gas_lower_flammability_ratio" ["room", "device", "point"] "A gas concentration that is believed, as a share of its lower flammability limit."
    OBSCURATION Gauge "smoke_obscuration_ratio_per_metre" ["room", "device", "point"] "A smoke density that is believed: the share of light lost in a metre."
    ZONE_LEVEL Gauge "zone_level" ["room", "zone"] "The level of a zone: 0 normal, 1 watch, 2 warning, 3 danger."
    ALARMS Gauge "alarms" ["room", "priority", "state"] "Alarms that are not normal."
    ALARM_TRANSITIONS Counter "alarm_transitions_total" ["room", "alarm", "event"] "Changes of alarms."
    SEQUENCE_STATE Gauge "sequence_state" ["sequence", "state"] "1 for the state that a sequence is in, 0 for the others."
    SEQUENCE_MODE Gauge "sequence_mode" ["sequence", "mode"] "1 for the mode that a sequence is in, 0 for the others."
    SEQUENCE_RUNS Counter "sequence_runs_total" ["sequence", "mode", "outcome"] "Runs that came to an end: live, shadow or drill; done, failed or aborted."
    NOTIFICATIONS Counter "notifications_total" ["target", "result"] "Messages to people and services: delivered, dropped for want of room, rejected by the target, and tries that failed."
    OUTBOX_MESSAGES Gauge "outbox_messages" ["sink"] "What waits in memory for a sink or a target."
    SINK_UP Gauge "sink_up" ["sink"] "Whether the MQTT broker is connected."
    SINK_WRITTEN Counter "sink_written_total" ["sink"] "Messages or lines that left for the server."
    SINK_LOST Counter "sink_lost_total" ["sink", "reason"] "Messages or lines that will not reach the server."
    SPOOL_BYTES Gauge "spool_bytes" ["sink"] "What the spool holds on disk."
    SPOOL_WAITING Gauge "spool_entries" ["sink"] "Entries that wait in the spool."
    SPOOL_WRITTEN Counter "spool_written_bytes_total" ["sink"] "Bytes written to the disk by the spool."
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_metric_has_a_name_of_its_own_with_the_ending_of_its_kind() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert_eq!(metric.name.ends_with("_info"), metric.kind == Kind::Info, "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
