//! What is shipped for monitoring, against promtool and against what the daemon really exposes.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use emberwatch::clock;
use emberwatch::metrics::names::{self, Kind};
use emberwatch::units::Millis;
use serde_json::Value;

/// Metrics that the demonstration has no reason to expose, and why.
const NOT_IN_THE_DEMONSTRATION: [(&str, &str); 2] = [
    ("clock_synchronised", "absent where nothing on the machine tells"),
    ("notifications_total", "it has no targets of messages; tests/webhook.rs has"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// promtool with these arguments, fed with this; its output if it is content.
fn promtool(arguments: &[&str], input: &str, folder: &Path) -> String {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs promtool: install the Debian package `prometheus`");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

/// The demonstration: a whole daemon with broker and simulated room, in which a fire is cut. Ended with the test.
struct Demo {
    child: Child,
    address: String,
}

impl Demo {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_emberwatch"))
            .args(["demo", "--speed", "10", "--port", "0", "--for", "60s"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("http://")?.1.split(['/', ' ']).next()?.to_owned()))
            .expect("it says where its page is");
        Self { child, address }
    }

    fn get(&self, path: &str, accept: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: {accept}\r\n\r\n", self.address).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Scrapes until this is there.
    fn until(&self, wanted: &str) -> String {
        let begun = clock::uptime();
        loop {
            let text = self.get("/metrics", "text/plain");
            if text.contains(wanted) {
                return text;
            }
            assert!(clock::uptime().since(begun) < Millis::from_secs(50), "no {wanted} in\n{text}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names of the families in a scrape, without `emberwatch_`.
fn families(scrape: &str) -> BTreeSet<&str> {
    let types = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE emberwatch_"));
    types.filter_map(|line| line.split(' ').next()).collect()
}

#[test]
fn a_real_scrape_is_clean_and_has_every_metric_that_is_named() {
    let demo = Demo::start();
    let scrape = demo.until("emberwatch_sequence_runs_total{");
    assert_eq!(promtool(&["check", "metrics"], &scrape, root()), "");
    let open = demo.get("/metrics", "application/openmetrics-text; version=1.0.0");
    assert!(open.contains("# TYPE emberwatch_polls counter") && open.ends_with("# EOF\n"), "{open}");
    let expected: BTreeSet<&str> = names::ALL
        .iter()
        .map(|metric| metric.name)
        .filter(|name| !NOT_IN_THE_DEMONSTRATION.iter().any(|it| it.0 == *name))
        .collect();
    // These exist where a plant has such points.
    let of_points: BTreeSet<&str> = ["gas_concentration_ppm"].into();
    let found = families(&scrape);
    let allowed: BTreeSet<&str> = names::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(found.difference(&allowed).collect::<Vec<_>>(), [""; 0].iter().collect::<Vec<_>>());
    let missing: Vec<&&str> = expected.difference(&found).filter(|name| !of_points.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?} are named and not exposed");
    assert!(demo.get("/readyz", "*/*").contains("\"ready\":true"));
}

#[test]
fn the_documentation_lists_each_metric_with_its_kind_and_labels() {
    let kind = |kind: Kind| match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Info => "info",
        Kind::Histogram => "histogram",
    };
    let row = |metric: &names::Metric| {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} | {} |", metric.name, kind(metric.kind), labels.join(", "), metric.help)
    };
    let expected: Vec<String> = names::ALL.iter().map(row).collect();
    let text = read("docs/monitoring.md");
    let rows: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "## Metrics")
        .take_while(|line| *line != "## Alerts")
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(rows, expected, "the table of docs/monitoring.md should read\n{}", expected.join("\n"));
}

#[test]
fn every_alert_rule_is_sound_tested_and_has_a_section_in_the_runbook() {
    let folder = root().join("monitoring/prometheus");
    promtool(&["check", "rules", "emberwatch.rules.yml"], "", &folder);
    promtool(&["test", "rules", "emberwatch.test.yml"], "", &folder);
    let (rules, tests) = (
        read("monitoring/prometheus/emberwatch.rules.yml"),
        read("monitoring/prometheus/emberwatch.test.yml"),
    );
    let runbook = read("docs/monitoring.md");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(10 <= alerts.len(), "{alerts:?}");
    for alert in alerts {
        assert!(tests.contains(&format!("- name: {alert}\n")), "{alert} has no test");
        assert!(runbook.contains(&format!("\n### {alert}\n")), "{alert} has no section in the runbook");
        assert!(
            rules.contains(&format!("runbook: docs/monitoring.md#{}\n", alert.to_lowercase())),
            "{alert}"
        );
    }
    assert_known(&rules, "emberwatch.rules.yml");
}

/// Every metric that a text names is one that there is.
fn assert_known(text: &str, what: &str) {
    let known = |name: &str| {
        let metric = |name: &str| names::ALL.iter().find(|metric| metric.name == name);
        let histogram = ["_bucket", "_sum", "_count"].iter().filter_map(|end| name.strip_suffix(end));
        metric(name).is_some() || histogram.filter_map(metric).any(|metric| metric.kind == Kind::Histogram)
    };
    for rest in text.split("emberwatch_").skip(1) {
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        assert!(known(&name), "{what} names emberwatch_{name}, which there is not");
    }
}

/// Every text of this key, wherever it stands.
fn texts<'a>(json: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match json {
        Value::Object(members) => members.iter().for_each(|(name, value)| match value.as_str() {
            Some(text) if name == key => found.push(text),
            _ => texts(value, key, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| texts(item, key, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_for_prometheus_asks_only_for_what_there_is() {
    let json = read("monitoring/grafana/emberwatch-prometheus.json");
    let dashboard: Value = serde_json::from_str(&json).unwrap();
    let mut all = Vec::new();
    texts(&dashboard, "expr", &mut all);
    assert!(20 <= all.len(), "{all:?}");
    let rule = |(number, expression): (usize, &&str)| {
        let plain = expression
            .replace("$__rate_interval", "1m")
            .replace("$__interval", "1m")
            .replace("$instance", ".*")
            .replace("$room", ".*");
        format!("      - record: dashboard:{number}\n        expr: {}\n", Value::from(plain))
    };
    let rules: String = all.iter().enumerate().map(rule).collect();
    let rules = format!("groups:\n  - name: dashboard\n    rules:\n{rules}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dashboard.yml"), rules).unwrap();
    promtool(&["check", "rules", "--lint=none", "dashboard.yml"], "", folder.path());
    assert_known(&all.join("\n"), "emberwatch-prometheus.json");
    let mut variables = Vec::new();
    texts(&dashboard["templating"], "query", &mut variables);
    assert_known(&variables.join("\n"), "emberwatch-prometheus.json");
}

#[test]
fn the_queries_for_influxdb_name_only_buckets_measurements_and_tags_that_there_are() {
    let schema = ["schema.rs", "stream.rs"].map(|file| read(&format!("src/sinks/influx/{file}"))).concat();
    let template = read("monitoring/influxdb/emberwatch.yml");
    let json = read("monitoring/grafana/emberwatch-influxdb.json");
    let dashboard: Value = serde_json::from_str(&json).unwrap();
    let mut queries = Vec::new();
    texts(&dashboard["panels"], "query", &mut queries);
    texts(&dashboard["annotations"], "query", &mut queries);
    assert!(10 <= queries.len());
    queries.push(&template);
    for query in queries {
        // What stands in quotes after these words.
        for (before, what) in [("r._measurement == \"", "measurement"), ("r._field == \"", "field")] {
            for rest in query.split(before).skip(1) {
                let name = rest.split('"').next().unwrap();
                assert!(schema.contains(&format!("\"{name}\"")), "no {what} {name}: {query}");
            }
        }
        for rest in query.split("r._measurement =~ /^(").skip(1) {
            for name in rest.split(')').next().unwrap().split('|') {
                assert!(schema.contains(&format!("\"{name}\"")), "no measurement {name}: {query}");
            }
        }
        for rest in query.split("r.").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let of_flux = name.starts_with('_') || name.is_empty() || rest.starts_with("rules");
            assert!(of_flux || schema.contains(&format!("tag(\"{name}\"")), "no tag {name}: {query}");
        }
    }
    for bucket in ["emberwatch", "emberwatch-events", "emberwatch-hourly"] {
        assert!(template.contains(&format!("\n  name: {bucket}\n  description:")), "{bucket}");
    }
    let retention =
        template.split("name: emberwatch-events").nth(2).unwrap().split("everySeconds: ").nth(1).unwrap();
    let seconds: u64 = retention.split_whitespace().next().unwrap().parse().unwrap();
    assert!(31 * 86_400 <= seconds, "events are kept for at least a month");
}
