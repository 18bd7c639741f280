//! What else happens to processes and disks: stopped, starved of descriptors, hung, restarted in a row, and a disk that
//! takes half a minute for each sync. The numbers are those of the matrix of faults.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use emberwatch::clock;
use emberwatch::runtime::control::socket_in;
use emberwatch::units::{Millis, Uptime};
use rustix::process::{Pid, Signal, kill_process};

use super::point::{Bench, Daemon};
use super::shape::Shape;
use super::tracer::{Tracer, say_aloud};

/// How long the daemon stands still.
const STOPPED: Duration = Duration::from_secs(10);
/// How long systemd waits for a sign of life, as the unit says.
const WATCHDOG: Millis = Millis::from_secs(10);

fn signal(daemon: &Daemon, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(daemon.0.id()).expect("a process id")).expect("a process id");
    kill_process(id, signal).expect("our own child");
}

fn wait(what: &str, longest: Millis, mut met: impl FnMut() -> bool) {
    let begun = clock::uptime();
    while !met() {
        assert!(clock::uptime().since(begun) < longest, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn writes(bench: &Bench) -> usize {
    bench.plant.state().writes.len()
}

/// Whether this alarm is told to stand.
fn stands(bench: &Bench, alarm: &str) -> bool {
    bench.ask().is_some_and(|(alarms, _)| alarms.iter().any(|it| it["id"] == alarm && it["active"] == true))
}

#[test]
fn p07_stopped_and_continued_nothing_is_cut_on_what_was_read_before() {
    let bench = Bench::new(Shape::Level);
    let daemon = bench.start().expect("it starts");
    signal(&daemon, Signal::STOP);
    std::thread::sleep(STOPPED);
    signal(&daemon, Signal::CONT);
    // Over as soon as the loop goes on, but told until somebody has seen it.
    let told = || bench.ask().is_some_and(|(alarms, _)| alarms.iter().any(|it| it["id"] == "loop-stalled"));
    wait("the alarm for the stop", Millis::from_secs(5), told);
    assert_eq!(writes(&bench), 0);
    // It burns while the daemon stands still: seen at once by fresh readings, and cut once.
    signal(&daemon, Signal::STOP);
    bench.plant.burn();
    std::thread::sleep(STOPPED);
    let continued = clock::uptime();
    signal(&daemon, Signal::CONT);
    wait("the vote", Millis::from_secs(2), || stands(&bench, "fire"));
    assert_eq!(bench.until_over(Millis::from_secs(10)).as_deref(), Ok("done"));
    assert!(clock::uptime().since(continued) < Millis::from_secs(5), "as if it had begun to burn then");
    assert_eq!(writes(&bench), 1);
}

#[test]
fn d08_with_a_disk_that_takes_half_a_minute_for_a_sync_the_cut_goes_out_and_the_alarm_stands() {
    let bench = Bench::new(Shape::Level);
    let daemon = bench.start().expect("it starts");
    let stall = "inject=fdatasync,fsync:delay_enter=30000000";
    let calls = ["-e", "trace=fdatasync,fsync", "-e", stall];
    let _tracer = match Tracer::attach(daemon.0.id(), bench.dir.path(), &calls) {
        Ok(tracer) => tracer,
        Err(why) => {
            say_aloud(&format!("d08 was NOT run, since no process may be traced here: {why}"));
            return;
        }
    };
    let burns = clock::uptime();
    bench.plant.burn();
    wait("the order", Millis::from_secs(5), || writes(&bench) == 1);
    let took = clock::uptime().since(burns);
    // A poll, the countdown, and what the order waits for its record: 200 ms, then it goes without.
    println!("from the fire to the order with a stalled disk: {took}, 300 ms of it countdown");
    assert!(took < Millis::from_secs(2), "it waited for the disk: {took}");
    assert_eq!(bench.until_over(Millis::from_secs(5)).as_deref(), Ok("done"));
    wait("the alarm for the disk", Millis::from_secs(5), || stands(&bench, "journal-failing"));
}

#[test]
fn p09_out_of_descriptors_it_polls_on_and_cuts() {
    let bench = Bench::new(Shape::Level);
    let plain = bench.command();
    let mut command = Command::new("prlimit");
    command.arg("--nofile=64:64").arg(plain.get_program()).args(plain.get_args());
    let _daemon = bench.start_as(command).expect("it starts");
    // More clients than there are descriptors, none of whom says anything.
    let path = socket_in(&bench.state_dir());
    let held: Vec<_> = (0..100).filter_map(|_| std::os::unix::net::UnixStream::connect(&path).ok()).collect();
    assert!(!held.is_empty());
    let before = bench.plant.state().reads;
    std::thread::sleep(Duration::from_secs(1));
    let reads = bench.plant.state().reads - before;
    assert!(5 <= reads, "{reads} reads in a second of ten a second");
    bench.plant.burn();
    wait("the order", Millis::from_secs(5), || writes(&bench) == 1);
    drop(held);
    assert_eq!(bench.until_over(Millis::from_secs(10)).as_deref(), Ok("done"));
}

/// Plays systemd: hears the daemon's signs of life, aborts it when they stay away, and starts it again.
#[test]
fn p12_hung_it_is_aborted_by_the_watchdog_and_polls_again_in_thirteen_seconds() {
    let bench = Bench::new(Shape::Level);
    let place = bench.dir.path().join("notify");
    let ear = UnixDatagram::bind(&place).expect("a socket of our own");
    ear.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket");
    let watched = || {
        let mut command = bench.command();
        command.env("NOTIFY_SOCKET", &place).env("WATCHDOG_USEC", (WATCHDOG.0 * 1000).to_string());
        command
    };
    let mut daemon = bench.start_as(watched()).expect("it starts");
    let mut fed = clock::uptime();
    let hear = |fed: &mut Uptime| {
        let mut said = [0; 4096];
        if let Ok(length) = ear.recv(&mut said)
            && said[..length].windows(10).any(|word| word == b"WATCHDOG=1")
        {
            *fed = clock::uptime();
        }
    };
    let begun = clock::uptime();
    while clock::uptime().since(begun) < Millis::from_secs(3) {
        hear(&mut fed);
    }
    assert!(clock::uptime().since(fed) < Millis::from_secs(2), "it feeds the watchdog while it lives");
    signal(&daemon, Signal::STOP);
    let hung = clock::uptime();
    while clock::uptime().since(fed) < WATCHDOG {
        hear(&mut fed);
    }
    signal(&daemon, Signal::ABORT);
    signal(&daemon, Signal::CONT);
    daemon.0.wait().expect("our own child");
    let again = clock::uptime();
    let _daemon = bench.start_as(watched()).expect("it starts again");
    let polls_after = again.since(hung).plus(bench.first_read_after(again));
    println!("hung, aborted and polling again: {polls_after}");
    assert!(polls_after < Millis::from_secs(13), "took {polls_after}");
}

#[test]
fn p13_fifty_restarts_in_a_row_forget_nothing_and_give_no_order_too_often() {
    let bench = Bench::new(Shape::TwoStages);
    let mut daemon = bench.start().expect("it starts");
    bench.plant.burn();
    wait("the vote", Millis::from_secs(5), || stands(&bench, "fire"));
    for number in 1..=50 {
        signal(&daemon, Signal::KILL);
        daemon.0.wait().expect("our own child");
        daemon = bench.start().unwrap_or_else(|why| panic!("restart {number}: {why}"));
        let (alarms, state) = bench.ask().expect("it answers");
        assert_ne!(state, "idle", "restart {number}");
        assert!(alarms.iter().any(|alarm| alarm["id"] == "fire"), "restart {number}: {alarms:?}");
    }
    let end = bench.until_over(Millis::from_secs(15)).expect("it ends");
    // Each kill may cost a try that was recorded and not sent yet: when all are spent, a person must decide.
    assert!(["done", "held"].contains(&end.as_str()), "{end}");
    let state = bench.plant.state();
    for coil in [0, 1] {
        let times = state.writes.iter().filter(|(written, _)| *written == coil).count();
        assert!(times <= 2, "coil {coil}: {:?}", state.writes);
    }
    let in_order = state.writes.iter().all(|(coil, first_open)| *coil == 0 || *first_open);
    assert!(in_order, "{:?}", state.writes);
}

#[test]
fn p06_the_zone_of_the_machine_changes_nothing_that_is_said() {
    let bench = Bench::new(Shape::Level);
    let daemon = bench.start().expect("it starts");
    bench.plant.burn();
    assert_eq!(bench.until_over(Millis::from_secs(10)).as_deref(), Ok("done"));
    drop(daemon);
    let said_in = |zone: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command.env("TZ", zone).args(["journal", "show", "--config"]).arg(bench.config());
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let here = said_in("UTC");
    assert!(20 < String::from_utf8_lossy(&here).lines().count(), "a whole cut is told");
    for zone in ["Asia/Seoul", "America/St_Johns", "Australia/Lord_Howe", "Europe/Paris"] {
        assert_eq!(said_in(zone), here, "in {zone}");
    }
}
