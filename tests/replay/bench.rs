//! A cell and a gas detector on paper, and a table in which the cell runs away.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::program::{emberwatch, finish};

const SITE: &str = include_str!("site.toml");

const CELL: &str = r#"
id = "cell"
vendor = "test"
models = ["one cell"]
kind = "battery"
source = "tests/replay"

[[point]]
name = "temp-max"
table = "holding"
address = 0
type = "i16"
scale = 0.1
unit = "degC"
class = "fast"

[[point]]
name = "contactor"
table = "holding"
address = 1
type = "u16"
enum = { 0 = "open", 1 = "closed" }
class = "fast"

[[action]]
name = "open"
table = "coil"
address = 0
value = 0
output = "level"
state = { table = "coil", address = 0 }

[[example]]
name = "a warm cell"
raw = [{ table = "holding", address = 0, words = [305, 1] }]
values = { temp-max = 30.5, contactor = 1 }
"#;

const SNIFFER: &str = r#"
id = "sniffer"
vendor = "test"
models = ["one nose"]
kind = "gas"
source = "tests/replay"

[[point]]
name = "level"
table = "holding"
address = 0
type = "u16"
unit = "%LFL"
class = "fast"

[[example]]
name = "clean air"
raw = [{ table = "holding", address = 0, words = [3] }]
values = { level = 3 }
"#;

/// How the columns of the table feed the points.
pub(crate) const MAP: &str = r#"time = { column = "time [s]", unit = "s" }
poll = "1s"

[[point]]
columns = ["T1 [C]", "T2 [C]"]
take = "max"
point = "cell-1/temp-max"
unit = "degC"

[[point]]
column = "gas [%LFL]"
point = "gas-1/level"
unit = "%LFL"
"#;

/// A folder with all of it.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        std::fs::create_dir(bench.dir.path().join("profiles")).expect("a new folder");
        bench.write("profiles/cell.toml", CELL);
        bench.write("profiles/sniffer.toml", SNIFFER);
        let profiles = bench.dir.path().join("profiles");
        let state = bench.dir.path().join("state");
        let text = SITE.replace("STATE_DIR", &state.display().to_string());
        bench.write("site.toml", &text.replace("PROFILES", &profiles.display().to_string()));
        bench.write("cell.csv", &runaway());
        bench.write("map.toml", MAP);
        bench
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// Replays the table with these arguments as well: exit code, stdout, stderr.
    pub(crate) fn replay(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = emberwatch(&["replay", "cell.csv", "--config", "site.toml", "--map", "map.toml"]);
        finish(command.args(args).current_dir(self.path()))
    }
}

/// 20 °C until 100 s, then 0.5 °C/s up to 120 °C at 300 s; gas from 250 s on.
fn runaway() -> String {
    let mut text = "time [s],T1 [C],T2 [C],gas [%LFL]\n".to_owned();
    for second in 0..=400_u32 {
        let heat = f64::from(second.clamp(100, 300) - 100) * 0.5;
        let gas = if second < 250 { 3 } else { 40 };
        let _ = writeln!(text, "{second},{:.1},{:.1},{gas}", 20.0 + heat, 20.0 + heat / 4.0);
    }
    text
}
