//! The shapes of a sequence that are killed, and how each must end.

use std::path::{Path, PathBuf};

use super::plant::State;

/// One shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One stage whose output holds what it is told: may be told again.
    Level,
    /// One stage whose output acts each time: is never told again.
    Pulse,
    /// Two stages, the second when the first is verified.
    TwoStages,
    /// The first has no effect; other means follow.
    OtherMeans,
    /// The first has no effect; a person must decide.
    Hold,
}

impl Shape {
    pub(crate) const ALL: [Self; 5] =
        [Self::Level, Self::Pulse, Self::TwoStages, Self::OtherMeans, Self::Hold];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Pulse => "pulse",
            Self::TwoStages => "two stages",
            Self::OtherMeans => "other means",
            Self::Hold => "hold",
        }
    }

    /// Which contactors do not move.
    pub(crate) const fn stuck(self) -> [bool; 2] {
        match self {
            Self::Level | Self::Pulse | Self::TwoStages => [false, false],
            Self::OtherMeans | Self::Hold => [true, false],
        }
    }

    /// What its run ends in.
    pub(crate) const fn ends(self) -> &'static str {
        match self {
            Self::Hold => "held",
            Self::Level | Self::Pulse | Self::TwoStages | Self::OtherMeans => "done",
        }
    }

    /// Whether the box may have seen this, and the run may stand like that.
    pub(crate) fn judge(self, state: &str, box_saw: &State) -> Result<(), String> {
        let count = |coil: u16| box_saw.writes.iter().filter(|(written, _)| *written == coil).count();
        let (first, second) = (count(0), count(1));
        let good = match self {
            Self::Level => state == "done" && (1..=2).contains(&first) && second == 0,
            // Whether an intent of before the kill was sent, nobody knows: then it is read back, and not sent again.
            Self::Pulse => second == 0 && matches!((state, first), ("done", 1) | ("failed", 0)),
            Self::TwoStages => {
                let in_order = box_saw.writes.iter().all(|(coil, first_open)| *coil == 0 || *first_open);
                state == "done" && (1..=2).contains(&first) && (1..=2).contains(&second) && in_order
            }
            // Killed before it was sent, the only try of the first is spent all the same.
            Self::OtherMeans => state == "done" && first <= 1 && (1..=2).contains(&second),
            Self::Hold => state == "held" && first <= 1 && second == 0,
        };
        if good { Ok(()) } else { Err(format!("{state}, the box saw {:?}", box_saw.writes)) }
    }

    /// Writes configuration and profile; returns the configuration's path.
    pub(crate) fn write(self, dir: &Path, port: u16) -> PathBuf {
        let profiles = dir.join("profiles");
        std::fs::create_dir_all(&profiles).expect("a directory for profiles");
        let output = if self == Self::Pulse { "pulse" } else { "level" };
        std::fs::write(profiles.join("box.toml"), PROFILE.replace("OUTPUT", output)).expect("written");
        let (attempts, on_fail) = match self {
            Self::Level | Self::TwoStages => (2, "next"),
            Self::Pulse | Self::OtherMeans => (1, "next"),
            Self::Hold => (1, "hold"),
        };
        let first = stage("open the first", 1, "always", attempts, on_fail);
        let second = match self {
            Self::Level | Self::Pulse => String::new(),
            Self::TwoStages | Self::Hold => stage("open the second", 2, "always", 2, "hold"),
            Self::OtherMeans => stage("open the second", 2, "after_failure", 2, "hold"),
        };
        let path = dir.join("site.toml");
        let text = CONFIG
            .replace("STATE_DIR", &dir.join("state").display().to_string())
            .replace("PROFILES", &profiles.display().to_string())
            .replace("PORT", &port.to_string());
        std::fs::write(&path, text + &first + &second).expect("written");
        path
    }
}

fn stage(name: &str, number: u8, when: &str, attempts: u8, on_fail: &str) -> String {
    format!(
        r#"
[[sequence.stage]]
name = "{name}"
action = "box-1/open-{number}"
cuts = "battery"
when = "{when}"
permissives = []
permissive_age_max = "1s"
permissive_wait = "2s"
delay = "0s"
verify = [{{ point = "box-1/contactor-{number}", is = "open" }}]
verify_within = "600ms"
attempts = {attempts}
on_fail = "{on_fail}"
"#
    )
}

const PROFILE: &str = r#"
id = "box"
vendor = "test"
models = ["battery box"]
kind = "battery"
source = "tests/kill/plant.rs"

[[point]]
name = "temp"
table = "holding"
address = 0
type = "i16"
scale = 0.1
unit = "degC"
range = [-40, 200]
class = "fast"

[[point]]
name = "gas"
table = "holding"
address = 1
type = "u16"
unit = "%LFL"
range = [0, 100]
class = "fast"

[[point]]
name = "contactor-1"
table = "holding"
address = 2
type = "u16"
enum = { 0 = "open", 1 = "closed" }
class = "fast"

[[point]]
name = "contactor-2"
table = "holding"
address = 3
type = "u16"
enum = { 0 = "open", 1 = "closed" }
class = "fast"

[[action]]
name = "open-1"
table = "coil"
address = 0
value = 0
output = "OUTPUT"
state = { table = "coil", address = 0 }

[[action]]
name = "open-2"
table = "coil"
address = 1
value = 0
output = "level"
state = { table = "coil", address = 1 }

[[example]]
name = "a warm box"
raw = [{ table = "holding", address = 0, words = [305, 3, 1, 1] }]
values = { temp = 30.5, gas = 3, contactor-1 = 1, contactor-2 = 1 }
"#;

const CONFIG: &str = r#"state_dir = "STATE_DIR"
profile_dirs = ["PROFILES"]

[site]
id = "test"
gateway = "gw-1"

[[room]]
id = "b1"

[[zone]]
id = "rack-1"
room = "b1"

[[link]]
id = "field"
timeout = "500ms"
connect_timeout = "1s"
tcp = { address = "127.0.0.1:PORT" }

[[device]]
id = "box-1"
zone = "rack-1"
link = "field"
unit = 1
profile = "box"
scan = { fast = "100ms" }

[[rule]]
id = "temp"
zone = "rack-1"
principle = "temperature"
on_unknown = "hold"
latched = true
[rule.limit]
point = "box-1/temp"
side = "above"
deadband = "2 degC"
danger = { limit = "80 degC", on_delay = "0s", off_delay = "0s" }

[[rule]]
id = "gas"
zone = "rack-1"
principle = "gas"
on_unknown = "hold"
[rule.limit]
point = "box-1/gas"
side = "above"
deadband = "2 %LFL"
danger = { limit = "25 %LFL", on_delay = "0s", off_delay = "0s" }

[[rule]]
id = "fire"
zone = "rack-1"
principle = "vote"
on_unknown = "hold"
latched = true
[rule.together]
channels = ["temp", "gas"]
needed = 2
votes_at = "danger"
level = "danger"
hold = "1s"
on_channel_fault = "availability"
on_all_lost = "alarm"
grace = "15s"
one_vote_per = []
repair_within = "72h"

[cut_budget]
per_zone_max = 3
rate_max = 10
rate_within = "10min"

[[sequence]]
id = "cut"
zone = "rack-1"
mode = "armed"
trigger = "fire"
countdown = "300ms"
on_restart = "resume"
no_return = 1
notice = "Fail over now."
"#;
