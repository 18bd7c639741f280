//! One point: a daemon that is killed there, started again, and judged.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use emberwatch::clock;
use emberwatch::runtime::control::{Client, socket_in};
use emberwatch::units::{Millis, Uptime};
use serde_json::Value;

use super::plant::Plant;
use super::shape::Shape;
use super::tracer::{Tracer, calls_in, say_aloud};

/// Longer than this nothing takes, unless it fails.
const DEADLINE: Millis = Millis::from_secs(30);
/// A cut that nobody killed is over by then.
const CUT_MAX: Millis = Millis::from_secs(6);
/// Reads of the calm box before it burns: every point is good.
const CALM_READS: u64 = 4;

/// Instead of a call, where no process may be traced: so long after the fire began.
const TIME: &str = "time";
const TIME_STEP_MS: u64 = 10;
const TIMES: u32 = 100;

/// Where the daemon is killed.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) shape: Shape,
    call: String,
    number: u32,
}

/// What became of it, all being well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Killed at its point; else the cut was over before.
    pub(crate) killed: bool,
    /// From the start after the kill to the first poll.
    pub(crate) polls_after: Millis,
    /// From that start to the end of the run.
    pub(crate) over_after: Millis,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} number {}", self.shape.name(), self.call, self.number)
    }
}

/// Every system call of this shape's cut, by a run that nobody kills.
pub(crate) fn points_of(shape: Shape) -> Vec<Point> {
    let bench = Bench::new(shape);
    let daemon = bench.start().unwrap_or_else(|why| panic!("{why}"));
    let tracer = match Tracer::attach(daemon.0.id(), bench.dir.path(), &[]) {
        Ok(tracer) => tracer,
        Err(why) => {
            say_aloud(&format!(
                "killed NOT at system calls, but at times, since no process may be traced here: {why}"
            ));
            return (1..=TIMES).map(|number| Point { shape, call: TIME.to_owned(), number }).collect();
        }
    };
    bench.plant.burn();
    let end = bench.until_over(CUT_MAX).unwrap_or_else(|why| panic!("{}, not killed: {why}", shape.name()));
    assert_eq!(end, shape.ends(), "{}, not killed", shape.name());
    drop(tracer);
    let calls = calls_in(bench.dir.path());
    let point = |(call, most): (String, u32)| {
        (1..=most).map(move |number| Point { shape, call: call.clone(), number })
    };
    calls.into_iter().flat_map(point).collect()
}

impl Point {
    /// Kills, starts again, judges.
    pub(crate) fn play(&self) -> Result<Outcome, String> {
        let bench = Bench::new(self.shape);
        let mut daemon = bench.start()?;
        let tracer = if self.call == TIME {
            None
        } else {
            let inject = format!("inject={}:signal=KILL:when={}", self.call, self.number);
            let trace = format!("trace={}", self.call);
            let arguments = ["-e", &trace, "-e", &inject];
            Some(Tracer::attach(daemon.0.id(), bench.dir.path(), &arguments)?)
        };
        bench.plant.burn();
        let kill_after = (self.call == TIME).then(|| Millis(u64::from(self.number) * TIME_STEP_MS));
        let seen = bench.watch(&mut daemon, self.shape, kill_after);
        let killed = daemon.0.try_wait().ok().flatten().is_some();
        let _ = daemon.0.kill();
        let _ = daemon.0.wait();
        drop(tracer);
        let again = clock::uptime();
        let _daemon = bench.start()?;
        let polls_after = bench.first_read_after(again);
        let end = bench.until_over(DEADLINE)?;
        let over_after = clock::uptime().since(again);
        self.shape.judge(&end, &bench.plant.state())?;
        bench.nothing_forgotten(&seen)?;
        Ok(Outcome { killed, polls_after, over_after })
    }
}

/// A box, and the place of its daemon.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) plant: Plant,
    config: PathBuf,
    runtime: tokio::runtime::Runtime,
    first_read: std::cell::Cell<Option<Uptime>>,
}

/// A daemon, ended when dropped.
pub(crate) struct Daemon(pub(crate) Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Alarms that were told to stand, and whether a run was.
#[derive(Default)]
struct Seen {
    alarms: BTreeMap<String, u64>,
    run: bool,
}

impl Bench {
    pub(crate) fn new(shape: Shape) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let plant = Plant::start(shape.stuck());
        let config = shape.write(dir.path(), plant.port);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { dir, plant, config, runtime, first_read: std::cell::Cell::new(None) }
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command.args(["run", "--config"]).arg(&self.config);
        command
    }

    /// Starts a daemon and waits until it has read the box a few times.
    pub(crate) fn start(&self) -> Result<Daemon, String> {
        self.start_as(self.command())
    }

    /// The same by this command, which may limit it or tell it things.
    pub(crate) fn start_as(&self, mut command: Command) -> Result<Daemon, String> {
        std::fs::create_dir_all(self.state_dir()).expect("the test's directory takes files");
        let before = self.plant.state().reads;
        let log = std::fs::File::create(self.dir.path().join("daemon.log")).expect("a file");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut daemon = Daemon(child.expect("the daemon is there"));
        self.first_read.set(None);
        let begun = clock::uptime();
        loop {
            let reads = self.plant.state().reads - before;
            if 0 < reads && self.first_read.get().is_none() {
                self.first_read.set(Some(clock::uptime()));
            }
            if CALM_READS <= reads && socket_in(&self.state_dir()).exists() {
                return Ok(daemon);
            }
            if daemon.0.try_wait().ok().flatten().is_some() || DEADLINE < clock::uptime().since(begun) {
                return Err(format!("it does not start: {}", log_of(self.dir.path())));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn first_read_after(&self, start: Uptime) -> Millis {
        self.first_read.get().map_or(DEADLINE, |at| at.since(start))
    }

    /// Notes what the daemon tells until it is killed, or the cut is over.
    fn watch(&self, daemon: &mut Daemon, shape: Shape, kill_after: Option<Millis>) -> Seen {
        let mut seen = Seen::default();
        let begun = clock::uptime();
        while clock::uptime().since(begun) < CUT_MAX && daemon.0.try_wait().ok().flatten().is_none() {
            if kill_after.is_some_and(|after| after <= clock::uptime().since(begun)) {
                let _ = daemon.0.kill();
                let _ = daemon.0.wait();
                break;
            }
            let Some((alarms, sequence)) = self.ask() else { continue };
            for alarm in &alarms {
                // What emberwatch says of itself it says again, if it is still so.
                if alarm["zone"].is_null() {
                    continue;
                }
                if let (Some(id), Some(occurrence)) = (alarm["id"].as_str(), alarm["occurrence"].as_u64()) {
                    seen.alarms.insert(id.to_owned(), occurrence);
                }
            }
            seen.run |= sequence != "idle";
            if sequence == shape.ends() || sequence == "failed" {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        seen
    }

    /// What stands and how the cut stands, if the daemon tells.
    pub(crate) fn ask(&self) -> Option<(Vec<Value>, String)> {
        let path = socket_in(&self.state_dir());
        self.runtime.block_on(async {
            let asked = async {
                let mut client = Client::connect(&path).await.ok()?;
                let alarms = client.alarms(None).await.ok()?;
                let sequences = client.sequences().await.ok()?;
                Some((alarms, sequences.first()?["state"].as_str()?.to_owned()))
            };
            tokio::time::timeout(Duration::from_secs(5), asked).await.ok().flatten()
        })
    }

    /// How the run ended.
    pub(crate) fn until_over(&self, longest: Millis) -> Result<String, String> {
        let begun = clock::uptime();
        let mut last = String::from("never heard");
        while clock::uptime().since(begun) < longest {
            if let Some((_, state)) = self.ask() {
                if ["done", "failed", "held", "aborted"].contains(&state.as_str()) {
                    return Ok(state);
                }
                last = state;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("still {last} after {longest}: {}", log_of(self.dir.path())))
    }

    /// What was told to stand before still stands, as the same occurrence.
    fn nothing_forgotten(&self, seen: &Seen) -> Result<(), String> {
        let (alarms, sequence) = self.ask().ok_or("it does not answer")?;
        if seen.run && sequence == "idle" {
            return Err("the run was forgotten".to_owned());
        }
        for (id, occurrence) in &seen.alarms {
            let now = alarms.iter().find(|alarm| alarm["id"] == id.as_str());
            // What only the end of a run brings is not there in its middle.
            let stands = now.is_some_and(|alarm| alarm["occurrence"].as_u64() == Some(*occurrence));
            if !stands {
                return Err(format!("alarm {id} #{occurrence} was forgotten: {now:?}"));
            }
        }
        Ok(())
    }
}

fn log_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("daemon.log")).unwrap_or_default()
}
