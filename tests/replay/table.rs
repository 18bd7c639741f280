//! Tables through the real binary: exit codes, differences, complaints, and the same outputs every time.

use serde_json::Value;

use crate::bench::{Bench, MAP};

#[test]
fn a_table_plays_through_the_core_and_a_modelled_breaker_lets_the_cut_come_to_its_end() {
    let bench = Bench::new();
    let (code, out, err) = bench.replay(&[]);
    assert_eq!(code, 0, "{err}");
    // 45 °C at 150 s, 80 °C at 220 s, each after two seconds; gas at 250 s completes the vote.
    assert!(out.contains("152.0 s  level     watch in rack-1: temp-max of cell-1"), "{out}");
    assert!(out.contains("250.0 s  sequence  cut: the countdown of 15 s runs"), "{out}");
    assert!(out.contains("265.0 s  order     cut: cell-1/open would be commanded"), "{out}");
    assert!(out.contains("cut: done and verified"), "{out}");
    assert!(err.contains("answered by a modelled breaker that obeys; none is sent"), "{err}");
    assert!(err.contains("1 of 3 points are never seen, so unknown: cell-1/contactor"), "{err}");
    assert!(!out.contains('\u{1b}'), "no colour but on a terminal");

    let (_, out, err) = bench.replay(&["--no-answers"]);
    assert!(out.contains("cut: held at stage 1") && err.contains("answered by nobody"), "{out}{err}");
    let (_, out, _) = bench.replay(&["--to", "240s", "--from", "200s", "--quiet"]);
    assert!(!out.contains("countdown"), "{out}");
}

#[test]
fn expectations_decide_the_exit_code_and_failures_are_shown_in_a_table() {
    let bench = Bench::new();
    let met = "[[expect]]\nzone = \"rack-1\"\nlevel = \"watch\"\nnot_before = \"150s\"\nnot_after = \"155s\"\n\
        [[expect]]\nrule = \"temp\"\nlevel = \"danger\"\nnot_after = \"225s\"\n\
        [[expect]]\nsequence = \"cut\"\nevent = \"stage-failed\"\nnever = true\n\
        [[expect]]\nsequence = \"cut\"\nstage = \"open the contactor\"\nnot_after = \"266s\"\n";
    bench.write("expect.toml", met);
    let (code, _, err) = bench.replay(&["--assert", "expect.toml", "--quiet"]);
    assert!(code == 0 && err.contains("4 of 4 expectations met"), "{code} {err}");

    bench.write("expect.toml", &format!("{met}[[expect]]\nsequence = \"cut\"\nnever = true\n"));
    let (code, out, err) = bench.replay(&["--assert", "expect.toml", "--quiet"]);
    assert!(code == 1 && err.contains("4 of 5 expectations met"), "{code} {err}");
    assert!(out.contains("sequence cut: countdown never  at 250.0 s"), "{out}");

    bench.write("expect.toml", "[[expect]]\nzone = \"rack-l\"\nlevel = \"danger\"\n");
    let (code, _, err) = bench.replay(&["--assert", "expect.toml"]);
    assert!(code == 78 && err.contains("did you mean `rack-1`?") && err.contains("expect.toml:2"), "{err}");
}

#[test]
fn what_did_not_happen_before_a_fault_of_the_file_proves_nothing() {
    let bench = Bench::new();
    let table = std::fs::read_to_string(bench.path().join("cell.csv")).expect("written");
    let start: Vec<&str> = table.lines().take(160).collect();
    bench.write("cell.csv", &format!("{}\n3,20,20,3\n", start.join("\n")));
    bench.write("expect.toml", "[[expect]]\nsequence = \"cut\"\nnever = true\n");
    let (code, _, err) = bench.replay(&["--assert", "expect.toml", "--quiet"]);
    assert!(code == 1 && err.contains("line 161: the time 3 lies before the row above"), "{code} {err}");
    assert!(err.contains("the file is not whole"), "{err}");
}

#[test]
fn what_other_rules_change_is_told_and_nothing_else() {
    let bench = Bench::new();
    let site = std::fs::read_to_string(bench.path().join("site.toml")).expect("written");
    let rule = site.find("[[rule]]\nid = \"temp\"").expect("there");
    let end = site.find("[[rule]]\nid = \"gas\"").expect("there");
    let tighter = site[rule..end].replace("45 degC", "40 degC").replace("55 degC", "60 degC");
    bench.write("tighter.toml", &tighter);
    let (code, out, err) = bench.replay(&["--rules", "tighter.toml", "--diff"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("zone rack-1 at watch     152.0 s  142.0 s  10.0 s earlier"), "{out}");
    assert!(out.contains("zone rack-1 at warning   172.0 s  182.0 s  10.0 s later"), "{out}");
    assert!(!out.contains("danger") && !out.contains("level "), "{out}");
    // A whole configuration may be given as well.
    let (code, out, _) = bench.replay(&["--rules", "site.toml", "--diff"]);
    assert!(code == 0 && out.contains("The new rules change nothing"), "{out}");
}

#[test]
fn names_that_fit_nothing_are_complaints_with_their_line_and_a_suggestion() {
    let bench = Bench::new();
    bench.write(
        "map.toml",
        &MAP.replace("cell-1/temp-max", "cell-1/temp-mx").replace("\"T2 [C]\"", "\"T3 [C]\""),
    );
    let (code, _, err) = bench.replay(&[]);
    assert_eq!(code, 78);
    assert!(err.contains("did you mean `cell-1/temp-max`?") && err.contains("map.toml:7"), "{err}");
    assert!(err.contains("there is no column `T3 [C]`") && err.contains("2 errors"), "{err}");
    let (code, _, err) = bench.replay(&["--map", "nowhere.toml"]);
    assert!(code == 2 || code == 78, "{code} {err}");
}

fn summary(out: &str) -> Value {
    let mut lines = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    lines.next_back().expect("a summary")
}

#[test]
fn the_same_file_gives_the_same_outputs_and_other_polls_give_others() {
    let bench = Bench::new();
    let digest = |args: &[&str]| {
        let (code, out, err) = bench.replay(args);
        assert_eq!(code, 0, "{err}");
        summary(&out)["outputs_sha256"].as_str().expect("a digest").to_owned()
    };
    let once = digest(&["--json"]);
    assert_eq!(digest(&["--json"]), once);
    assert_eq!(digest(&["--json", "--quiet"]), once);
    assert_ne!(digest(&["--json", "--poll", "10s"]), once);
    assert_ne!(digest(&["--json", "--poll", "10s", "--phase", "3s"]), digest(&["--json", "--poll", "10s"]));
}
