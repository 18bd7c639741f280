//! Commands through a real broker to the real daemon: what is signed is followed, what is not is refused, and either is told.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use emberwatch::clock;
use emberwatch::units::WallTime;
use emberwatch::wire::time::rfc3339;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::bench::Daemon;
use super::box_plant::{Plan, Plant};
use super::broker::Mosquitto;
use super::program::free_port;

/// Who signs.
pub(crate) struct Console(Ed25519KeyPair);

impl Console {
    pub(crate) fn new() -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed"))
    }

    /// The `[mqtt.commands]` table that allows everything to it.
    pub(crate) fn table(&self) -> String {
        format!(
            "[mqtt.commands]\nallow = [\"ack\", \"shelve\", \"unshelve\", \"abort\", \"refresh\"]\n\
             respond_to = [\"console/\"]\n\
             [[mqtt.commands.key]]\nname = \"console\"\npublic_key = \"{}\"\n",
            STANDARD.encode(self.0.public_key())
        )
    }

    /// The user properties with which a command is signed.
    pub(crate) fn properties(&self, topic: &str, payload: &str) -> Vec<String> {
        let signature = self.0.sign(format!("{topic}\n{payload}").as_bytes());
        let user = |name: &str, value: String| {
            ["-D", "publish", "user-property", name].map(str::to_owned).into_iter().chain([value])
        };
        user("emberwatch-key", "console".to_owned())
            .chain(user("emberwatch-signature", format!("v1a,{}", STANDARD.encode(signature))))
            .collect()
    }
}

pub(crate) fn topic(verb: &str) -> String {
    format!("emberwatch/1/test/b1/cmd/{verb}")
}

/// A command of this moment.
pub(crate) fn command(id: &str, more: Value) -> String {
    let mut command = json!({ "id": id, "ts": rfc3339(clock::now().wall), "actor": "j.doe" });
    let (Some(command_map), Value::Object(more)) = (command.as_object_mut(), more) else { panic!("objects") };
    command_map.extend(more);
    command.to_string()
}

struct Bench {
    plant: Plant,
    mqtt: Mosquitto,
    daemon: Daemon,
    console: Console,
}

impl Bench {
    /// A plant whose cut counts down for a minute; commands are taken.
    fn start(dir: &Path) -> Self {
        let console = Console::new();
        let (plant, mqtt) = (Plant::start(dir, "0.2"), Mosquitto::start(dir));
        let page = free_port();
        let more = format!("{}{}", mqtt.table(), console.table());
        let plan = Plan { countdown: "60s", more, ..Plan::new(plant.port, page) };
        let daemon = Daemon::start(dir, &plan.write(dir), page);
        let mut bench = Self { plant, mqtt, daemon, console };
        bench.plant.temperature_c(25);
        bench.daemon.until_calm();
        bench.mqtt.until("gateway/gw-1/status", &["\"online\""]);
        bench.until_awake();
        bench
    }

    /// In the first half minute nothing is carried out: it may have been, by whoever ran before.
    fn until_awake(&self) {
        for number in 0.. {
            self.mqtt.mark(&format!("awake {number}"));
            let id = format!("awake-{number}");
            self.ask("unshelve", &command(&id, json!({ "target": "temp" })));
            self.mqtt.until("res/unshelve", &[&id]);
            if self
                .mqtt
                .heard
                .out()
                .lines()
                .any(|line| line.contains(&id) && line.contains("not-allowed-in-state"))
            {
                return;
            }
            std::thread::sleep(std::time::Duration::from_secs(4));
        }
    }

    fn ask(&self, verb: &str, payload: &str) {
        let topic = topic(verb);
        self.mqtt.say_with(&topic, payload, &self.console.properties(&topic, payload));
    }

    /// Asks, and waits for a result that has all of this.
    fn result(&self, verb: &str, payload: &str, holds: &[&str]) {
        self.mqtt.mark(&format!("{verb} {holds:?}"));
        self.ask(verb, payload);
        self.mqtt.until(&format!("b1/res/{verb}"), holds);
    }
}

#[test]
fn m9_what_is_signed_is_followed_and_answered_and_nothing_else_moves_anything() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut bench = Bench::start(dir.path());
    bench.plant.burn();
    let state = bench.daemon.until_cut_is("countdown");
    let occurrence = state["alarms"]["temp"]["occ"].clone();
    let run = state["sequences"]["cut"]["run"].clone();

    // Refused: each as its check says, and told to everybody.
    let abort = |id: &str| command(id, json!({ "target": "cut", "expect": { "run": run } }));
    let (to, body) = (topic("abort"), abort("h1"));
    bench.mqtt.mark("hostile");
    bench.mqtt.say_with(&to, &body, &[]);
    bench.mqtt.until("res/abort", &["\"unauthorised\""]);
    let of_another = bench.console.properties(&to, &abort("h2"));
    bench.mqtt.say_with(&to, &abort("h3"), &of_another);
    bench.mqtt.mark("old");
    let minute_ago = rfc3339(WallTime(clock::now().wall.0 - 60_000));
    bench.result(
        "abort",
        &command("h4", json!({ "ts": minute_ago, "target": "cut", "expect": { "run": run } })),
        &["\"expired\""],
    );
    bench.result(
        "abort",
        &command("h5", json!({ "target": "cut", "expect": { "run": "other-1" } })),
        &["\"stale-revision\""],
    );
    bench.result("abort", "{", &["\"malformed\""]);
    bench.result("cut", &abort("h6"), &["\"not-allowed\""]);
    bench.mqtt.mark("retained");
    let kept = abort("h7");
    let mut retained = bench.console.properties(&to, &kept);
    retained.push("-r".to_owned());
    bench.mqtt.say_with(&to, &kept, &retained);
    bench.mqtt.until("res/abort", &["\"retained\""]);
    bench.mqtt.until("b1/event", &["command.rejected", "\"rejected\":\"retained\""]);
    bench.daemon.until_cut_is("countdown");

    // Followed, answered by name, and once.
    let ack = command("a1", json!({ "target": "temp", "expect": { "occ": occurrence } }));
    bench.result("ack", &ack, &["\"accepted\"", "\"a1\""]);
    bench.daemon.until("the acknowledged alarm", |state| state["alarms"]["temp"]["state"] == "ack-active");
    bench.result("ack", &ack, &["\"duplicate\"", "\"a1\""]);
    bench.mqtt.mark("reply");
    let answered = abort("a2");
    let mut properties = bench.console.properties(&to, &answered);
    properties.extend(
        ["-D", "publish", "response-topic", "console/3", "-D", "publish", "correlation-data", "q7"]
            .map(str::to_owned),
    );
    bench.mqtt.say_with(&to, &answered, &properties);
    bench.mqtt.until("console/3", &["\"accepted\"", "\"a2\""]);
    bench.daemon.until_cut_is("aborted");
    bench.mqtt.until("b1/event", &["command.accepted", "mqtt:console", "j.doe"]);
    bench.mqtt.until("b1/event", &["sequence.aborted", "mqtt:console"]);
    bench.result("abort", &abort("a3"), &["\"not-allowed-in-state\""]);
    bench.result("refresh", &command("a4", json!({})), &["\"accepted\""]);
    bench.mqtt.until("b1/event", &["refresh.done", "\"a4\""]);
    bench.mqtt.until("b1/alarm/temp", &["ack-active"]);
    bench.mqtt.until("box-1/data", &["\"temp\""]);
    bench.result("refresh", &command("a5", json!({})), &["\"busy\""]);
    assert_eq!(bench.plant.writes(), [""; 0], "nothing was cut");
}
