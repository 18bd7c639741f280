//! Every way to end has its number.

use std::net::TcpListener;

use super::bench::Daemon;
use super::box_plant::{Plan, Plant};
use super::program::{Program, emberwatch, finish, free_port};

#[test]
fn the_command_line_is_answered_with_the_right_code() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let good = Plan::new(free_port(), free_port()).write(dir.path()).display().to_string();
    let absent = dir.path().join("absent.toml").display().to_string();
    let table: &[(&[&str], i32, &str)] = &[
        (&["check", &good], 0, "valid: 1 rooms"),
        (&["check", "--quiet", &good], 0, ""),
        (&["check", &absent], 78, "absent.toml"),
        (&["check", "--explain", "EW0101"], 0, ""),
        (&["check", "--explain", "EW9999"], 2, "EW9999"),
        (&["--version"], 0, ""),
        (&["--help"], 0, ""),
        (&[], 2, "Usage"),
        (&["watch"], 2, "watch"),
        (&["run", "--nonsense"], 2, "--nonsense"),
        (&["run", "--config", &absent], 78, "absent.toml"),
        (&["simulate", "--scenario", "flood"], 2, "cell-fire"),
        (&["simulate", "--listen", "here"], 2, "here"),
        (&["status", "--socket", "/nowhere/control.sock"], 69, "no daemon listens"),
        (&["alarms", "--socket", "/nowhere/control.sock"], 69, "no daemon listens"),
        (&["alarms", "shelve", "warm"], 2, "--for"),
        (&["alarms", "out-of-service", "warm"], 2, "--reason"),
        (&["alarms", "ack"], 2, "--all"),
        (&["journal", "verify", "--dir", "/nowhere"], 69, "/nowhere"),
        (&["journal", "show", "--last", "0"], 2, "--last"),
        (&["evaluate", &absent], 78, "absent.toml"),
        (&["evaluate", &good, "--chemistry", "lead"], 2, "nmc and lfp"),
        (&["evaluate", &good, "--only", "17"], 2, "fire:NUMBER"),
        (&["demo", "--speed", "1000"], 2, "0.1 to 10"),
        (&["demo", "--for", "soon"], 2, "soon"),
    ];
    for (args, wanted, says) in table {
        let (code, out, err) = finish(&mut emberwatch(args));
        assert_eq!(code, *wanted, "{args:?}\n{out}{err}");
        assert!(err.contains(says), "{args:?} does not say `{says}`:\n{err}");
    }
}

#[test]
fn check_makes_all_complaints_in_one_run_each_with_its_place_and_code() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("broken.toml");
    let good = std::fs::read_to_string(Plan::new(1, 1).write(dir.path())).expect("written");
    let broken = good
        .replace("gateway = \"gw-1\"\n", "")
        .replace("profile = \"box\"", "profile = \"bax\"\ncolour = \"red\"")
        .replace("trigger = \"fire\"", "trigger = \"fir\"");
    std::fs::write(&file, &broken).expect("written");
    let line = |text: &str| 1 + broken.lines().position(|line| line == text).expect("in the file");
    let wanted = [
        ("EW0102", line("[site]")),
        ("EW0101", line("colour = \"red\"")),
        ("EW0202", line("trigger = \"fir\"")),
    ];
    let path = file.display().to_string();

    let (code, _, err) = finish(&mut emberwatch(&["check", &path]));
    assert_eq!(code, 78);
    for (name, line) in wanted {
        assert!(err.contains(&format!("error[{name}]")), "{name} in\n{err}");
        assert!(err.contains(&format!("{path}:{line}:")), "line {line} in\n{err}");
    }
    assert!(err.contains("bax"), "the profile that is not there:\n{err}");
    assert!(err.contains("help: "), "{err}");

    let (code, out, _) = finish(&mut emberwatch(&["check", "--json", &path]));
    assert_eq!(code, 78);
    for (name, line) in wanted {
        let is_it = |text: &str| {
            let complaint: serde_json::Value = serde_json::from_str(text).expect("JSON, one a line");
            complaint["code"] == name && complaint["line"] == line && complaint["file"] == *path
        };
        assert!(out.lines().any(is_it), "{name} at {line} in\n{out}");
    }
}

#[test]
fn what_is_valid_is_reported_on_paper() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let good = Plan::new(free_port(), free_port()).write(dir.path()).display().to_string();
    let (_, out, _) = finish(&mut emberwatch(&["check", &good]));
    assert!(out.contains("oldest value") && out.contains("first alert"), "{out}");
    let (_, long, _) = finish(&mut emberwatch(&["check", "--plan", &good]));
    assert!(out.len() < long.len() && long.contains("point by point"), "{long}");
    let (_, out, _) = finish(&mut emberwatch(&["check", "--json", &good]));
    let last: serde_json::Value = serde_json::from_str(out.lines().last().unwrap_or_default()).expect("JSON");
    assert!(last["report"]["links"][0]["round_ms"].is_u64(), "{out}");
    let (_, out, _) = finish(&mut emberwatch(&["check", "--quiet", &good]));
    assert_eq!(out, "");
}

#[test]
fn a_broken_configuration_is_not_run_not_even_partly() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let field = TcpListener::bind("127.0.0.1:0").expect("a free port");
    field.set_nonblocking(true).expect("a socket");
    let port = field.local_addr().expect("bound").port();
    let config = Plan { more: "\n[nonsense]\n".to_owned(), ..Plan::new(port, free_port()) }.write(dir.path());
    let (code, _, err) = finish(&mut emberwatch(&["run", "--config", &config.display().to_string()]));
    assert_eq!(code, 78, "{err}");
    let came = field.accept().expect_err("nobody has come");
    assert_eq!(came.kind(), std::io::ErrorKind::WouldBlock);
    assert!(!dir.path().join("state").exists(), "no journal was begun");
}

#[test]
fn p14_a_second_instance_and_a_taken_port_are_refused_and_the_first_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let plant = Plant::start(dir.path(), "never");
    let page = free_port();
    let config = Plan::new(plant.port, page).write(dir.path());
    let daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();

    let other = tempfile::tempdir().expect("a temporary directory");
    let state_dir = Some(dir.path().join("state"));
    let second = Plan { state_dir, ..Plan::new(plant.port, free_port()) }.write(other.path());
    let (code, _, err) = finish(&mut emberwatch(&["run", "--config", &second.display().to_string()]));
    assert_eq!(code, 75, "{err}");
    assert!(err.contains("state_dir"), "says what to do: {err}");

    let third = Plan::new(plant.port, page).write(other.path()).display().to_string();
    let mut third = Program::start(other.path(), "third", &mut emberwatch(&["run", "--config", &third]));
    assert_eq!(third.code(), 69, "{}", third.err());
    assert!(third.err().contains(&format!("127.0.0.1:{page}")), "{}", third.err());

    let listen = format!("127.0.0.1:{page}");
    let (code, _, err) = finish(&mut emberwatch(&["simulate", "--listen", &listen]));
    assert!(code == 69 && err.contains(&listen), "ended with {code}: {err}");
    daemon.until_calm();
}
