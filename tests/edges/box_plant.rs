//! A battery box played by pymodbus, and the configuration that watches it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::program::{Program, missing, python, until};

/// The box: what it heard is in its output.
pub(crate) struct Plant {
    pub(crate) program: Program,
    pub(crate) port: u16,
}

impl Plant {
    /// `travel`: seconds from the command to the contactor's move, or `never`.
    pub(crate) fn start(dir: &Path, travel: &str) -> Self {
        let program = Program::start(dir, "plant", python("plant.py").arg(travel));
        let failure = || missing(&format!("pymodbus said `{}`, so it", program.err()));
        let port = until(failure, || {
            program.out().lines().find_map(|line| line.strip_prefix("listening ")?.parse().ok())
        });
        Self { program, port }
    }

    fn set(&mut self, register: u16, value: u16) {
        let stdin = self.program.stdin.as_mut().expect("kept until the end");
        writeln!(stdin, "set {register} {value}").expect("the box obeys");
        let done = |out: String| {
            out.lines().rfind(|line| line.starts_with("set")) == Some(&*format!("set {register} {value}"))
        };
        until(|| "the box to obey".to_owned(), || done(self.program.out()).then_some(()));
    }

    pub(crate) fn temperature_c(&mut self, degrees: u16) {
        self.set(0, degrees * 10);
    }

    pub(crate) fn gas_pct_lfl(&mut self, percent: u16) {
        self.set(1, percent);
    }

    /// Heat and gas: both votes for the cut.
    pub(crate) fn burn(&mut self) {
        self.temperature_c(95);
        self.gas_pct_lfl(40);
    }

    /// Every write that came in: `write COIL VALUE`.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.program.out().lines().filter(|line| line.starts_with("write")).map(str::to_owned).collect()
    }

    /// When it was read, in milliseconds.
    pub(crate) fn reads(&self) -> Vec<u64> {
        let out = self.program.out();
        // The last line may still be on its way.
        let whole = out.rfind('\n').map_or("", |end| &out[..end]);
        whole.lines().filter_map(|line| line.strip_prefix("read ")?.parse().ok()).collect()
    }

    pub(crate) fn wait_for_line(&self, text: &str) {
        self.program.line(text);
    }
}

/// The profile of the box, a file of the site's own.
const PROFILE: &str = r#"
id = "box"
vendor = "pymodbus"
models = ["battery box"]
kind = "battery"
source = "tests/peers/plant.py"

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
name = "contactor"
table = "holding"
address = 2
type = "u16"
enum = { 0 = "open", 1 = "closed" }
class = "fast"

[[action]]
name = "open"
table = "coil"
address = 0
value = 0
output = "OUTPUT"
state = { table = "coil", address = 0 }

[[example]]
name = "a warm box"
raw = [{ table = "holding", address = 0, words = [305, 3, 1] }]
values = { temp = 30.5, gas = 3, contactor = 1 }
"#;

/// What a test wants to be different.
pub(crate) struct Plan<'a> {
    pub(crate) modbus: u16,
    pub(crate) page: u16,
    pub(crate) mode: &'a str,
    pub(crate) countdown: &'a str,
    /// `level` or `pulse`.
    pub(crate) output: &'a str,
    pub(crate) verify_within: &'a str,
    /// Tables added at the end.
    pub(crate) more: String,
    /// Where the journal is; a directory beside the configuration when absent.
    pub(crate) state_dir: Option<PathBuf>,
}

impl Plan<'_> {
    pub(crate) fn new(modbus: u16, page: u16) -> Self {
        Self {
            modbus,
            page,
            mode: "armed",
            countdown: "400ms",
            output: "level",
            verify_within: "5s",
            more: String::new(),
            state_dir: None,
        }
    }

    /// Writes configuration and profile into `dir`; returns the configuration's path.
    pub(crate) fn write(&self, dir: &Path) -> PathBuf {
        let profiles = dir.join("profiles");
        std::fs::create_dir_all(&profiles).expect("a directory for profiles");
        std::fs::write(profiles.join("box.toml"), PROFILE.replace("OUTPUT", self.output)).expect("written");
        let state_dir = self.state_dir.clone().unwrap_or_else(|| dir.join("state"));
        let path = dir.join("site.toml");
        let text = CONFIG
            .replace("STATE_DIR", &state_dir.display().to_string())
            .replace("PROFILES", &profiles.display().to_string())
            .replace("MODBUS", &self.modbus.to_string())
            .replace("PAGE", &self.page.to_string())
            .replace("MODE", self.mode)
            .replace("COUNTDOWN", self.countdown)
            .replace("VERIFY_WITHIN", self.verify_within);
        std::fs::write(&path, text + &self.more).expect("written");
        path
    }
}

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
tcp = { address = "127.0.0.1:MODBUS" }

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
warning = { limit = "55 degC", on_delay = "0s", off_delay = "0s" }
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
mode = "MODE"
trigger = "fire"
countdown = "COUNTDOWN"
on_restart = "resume"
no_return = 1
notice = "Fail over now."

[[sequence.stage]]
name = "open the contactor"
action = "box-1/open"
cuts = "battery"
when = "always"
permissives = []
permissive_age_max = "1s"
permissive_wait = "2s"
delay = "0s"
verify = [{ point = "box-1/contactor", is = "open" }]
verify_within = "VERIFY_WITHIN"
attempts = 1
on_fail = "hold"

[web]
listen = "127.0.0.1:PAGE"

[log]
level = "info"
format = "text"
"#;
