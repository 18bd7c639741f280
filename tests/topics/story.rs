//! One story with everything in it that is ever said: calm, a sensor that lies, a fire that is cut, a broker that is away
//! for a while, Home Assistant that comes, a device that is lost, and a gateway that dies.
//! With `EMBERWATCH_TEST_HEARD=FILE` what was heard is kept there, to be looked at.

use std::sync::OnceLock;

use super::bench::{Daemon, state};
use super::box_plant::{Plan, Plant};
use super::broker::Mosquitto;
use super::commands::{Console, command, topic};
use super::program::{free_port, until};

static HEARD: OnceLock<String> = OnceLock::new();

/// What was heard: a message a line, topic, quality of service, retained, expiry and payload with tabs between. Told once,
/// for all who ask.
pub(crate) fn captured() -> &'static str {
    HEARD.get_or_init(tell)
}

fn tell() -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (mut plant, mqtt) = (Plant::start(dir.path(), "0.2"), Mosquitto::start(dir.path()));
    let (page, console) = (free_port(), Console::new());
    let plan = Plan {
        countdown: "1500ms",
        more: format!("{}{}", mqtt.table(), console.table()),
        ..Plan::new(plant.port, page)
    };
    let mut daemon = Daemon::start(dir.path(), &plan.write(dir.path()), page);
    plant.temperature_c(25);
    daemon.until_calm();
    mqtt.until("device/emberwatch_test_b1_box-1/config", &["Contactor"]);
    mqtt.until("box-1/state", &["\"online\""]);
    mqtt.until("gateway/gw-1/status", &["\"online\""]);
    mqtt.mark("introduced");
    mqtt.until("box-1/data", &["\"v\":25,"]);
    mqtt.until("/heartbeat", &["normal"]);
    mqtt.until("b1/summary", &["annunciated"]);
    mqtt.mark("calm");

    plant.temperature_c(250);
    mqtt.until("box-1/data", &["\"temp\":{\"v\":null", "out-of-range"]);
    mqtt.mark("bad");

    plant.burn();
    daemon.until_cut_is("done");
    mqtt.until("sequence/cut", &["\"done\""]);
    mqtt.until("zone/rack-1/notice", &["\"done\""]);
    mqtt.until("box-1/data", &["\"contactor\":{\"v\":0", "\"v\":95,"]);
    mqtt.until("b1/summary", &["\"temp\""]);
    mqtt.mark("burnt");

    mqtt.link.cut();
    daemon.until("the broker's alarm", |state| state["alarms"]["mqtt-down"]["state"] == "unack-active");
    mqtt.link.mend();
    mqtt.until("box-1/backlog", &["historical"]);
    mqtt.mark("back");
    mqtt.say("homeassistant/status", "online", false);
    mqtt.until("device/emberwatch_test_b1_box-1/config", &["Contactor"]);
    mqtt.until("b1/alarm/temp", &["unack-active"]);
    mqtt.mark("newcomer");

    let (asked, refresh) = (topic("refresh"), command("01KAXQBE7Q", serde_json::json!({})));
    mqtt.say_with(&asked, &refresh, &console.properties(&asked, &refresh));
    mqtt.until("b1/res/refresh", &["01KAXQBE7Q"]);
    mqtt.until("b1/event", &["command."]);
    mqtt.mark("asked");

    plant.program.kill();
    daemon.until("the lost device", |state| state["devices"]["box-1"]["state"] == "offline");
    mqtt.until("box-1/state", &["offline"]);
    mqtt.until("b1/summary", &["box-1-silent"]);
    mqtt.mark("offline");

    let quiet = |state: &serde_json::Value| state["alarms"]["mqtt-down"]["active"] == false;
    until(|| "the broker to take everything".to_owned(), || state(page).filter(quiet).map(drop));
    daemon.program.kill();
    mqtt.until("gateway/gw-1/status", &["\"lost\""]);
    mqtt.mark("lost");
    let heard = mqtt.heard.out();
    if let Some(path) = std::env::var_os("EMBERWATCH_TEST_HEARD") {
        std::fs::write(path, &heard).expect("written");
    }
    heard
}
