//! Actions: their steps, and the list of what may be written.

use super::*;
use crate::safety::site::OutputKind;

fn action(more: &str) -> String {
    format!("{HEADER}[[action]]\nname = \"a\"\n{more}\n")
}

fn parsed(more: &str) -> Profile {
    Profile::parse(&action(more), "x").unwrap_or_else(|faults| panic!("{more}: {faults:#?}"))
}

#[test]
fn every_kind_of_write_can_be_said() {
    let cases = [
        ("table = \"coil\"\naddress = 3\nvalue = 1", Write::Coil { address: 3, on: true }),
        (
            "table = \"coils\"\naddress = 3\nvalues = [1, 0]",
            Write::Coils { address: 3, bits: vec![true, false] },
        ),
        ("table = \"holding\"\naddress = 3\nvalue = 0x55AA", Write::Register { address: 3, word: 0x55AA }),
        (
            "table = \"holding_multiple\"\naddress = 3\nvalues = [0x55AA]",
            Write::Registers { address: 3, words: vec![0x55AA] },
        ),
    ];
    for (more, write) in cases {
        let profile = parsed(&format!("{more}\noutput = \"level\""));
        assert_eq!(profile.actions[0].steps, [Step::Write(write.clone())]);
        assert!(profile.allows(&write));
    }
    let profile = parsed("table = \"coil_word\"\naddress = 0x0203\nvalue = 7\noutput = \"pulse\"");
    assert!(profile.allows(&Write::CoilWord { address: 0x0203, word: 7 }));
    assert_eq!(profile.actions[0].output, OutputKind::Pulse);
}

#[test]
fn only_what_an_action_holds_word_for_word_is_allowed() {
    let profile = parsed("table = \"holding\"\naddress = 3\nvalue = 7\noutput = \"level\"");
    assert!(profile.allows(&Write::Register { address: 3, word: 7 }));
    for other in [
        Write::Register { address: 3, word: 8 },
        Write::Register { address: 4, word: 7 },
        Write::Registers { address: 3, words: vec![7] },
        Write::Coil { address: 3, on: true },
    ] {
        assert!(!profile.allows(&other), "{other:?}");
    }
}

#[test]
fn what_the_profile_declares_unwritable_is_refused_when_read_and_again_at_send() {
    let limits =
        "[limits]\nunwritable = [{ table = \"holding\", first = 10, last = 19 }, { table = \"coil\" }]\n";
    let write = |table: &str, address: u16, values: &str| {
        let text = format!("table = \"{table}\"\naddress = {address}\n{values}\noutput = \"level\"")
            .replace("VALUE", "1");
        Profile::parse(&format!("{HEADER}{limits}[[action]]\nname = \"a\"\n{text}\n"), "x")
    };
    for (table, address, values) in [
        ("holding", 10, "value = 1"),
        ("holding_multiple", 8, "values = [1, 2, 3]"),
        ("coil", 0, "value = 0"),
    ] {
        let found = write(table, address, values).expect_err("must be refused");
        assert!(found[0].sentence.contains("nothing may be written"), "{found:?}");
    }
    let mut profile = write("holding_multiple", 8, "values = [1, 2]").unwrap();
    let allowed = Write::Registers { address: 8, words: vec![1, 2] };
    assert!(profile.allows(&allowed));
    profile.limits.unwritable.push(Forbidden { table: Table::Holding, first: 9, last: 9 });
    assert!(!profile.allows(&allowed));
}

#[test]
fn a_command_with_a_status_is_a_list_of_steps() {
    let breaker = &builtin()["schneider-nsx"].profile;
    let open = breaker.action("open").unwrap();
    let [Step::Write(write), Step::Await(taken), Step::Await(done)] = &open.steps[..] else {
        panic!("{:?}", open.steps)
    };
    assert_eq!(write.place(), (Table::Holding, 7999, 20));
    assert_eq!((taken.address, &taken.done[..]), (8019, &[904][..]));
    assert_eq!(
        (done.address, done.mask, &done.busy[..], &done.done[..]),
        (8020, 0xFF, &[3][..], &[0, 0x99][..])
    );
    assert_eq!((done.every, done.within), (Millis(50), Millis(1000)));
}

#[test]
fn steps_that_make_no_sense_are_refused() {
    let step = |text: &str| format!("output = \"level\"\n[[action.step]]\n{text}");
    let status = |text: &str| {
        step(&format!(
            "write = {{ table = \"coil\", address = 0, value = 1 }}\n[[action.step]]\n\
             await = {{ table = \"holding\", address = 1, within = \"1s\", {text} }}"
        ))
    };
    let cases = [
        ("output = \"level\"".to_owned(), "one write, or a list of steps"),
        (step(""), "either writes or waits"),
        (
            step("await = { table = \"holding\", address = 1, done = [1], within = \"1s\" }"),
            "an action writes something",
        ),
        (step("write = { table = \"coil\", address = 0, values = [1] }"), "needs one value"),
        (step("write = { table = \"coil_word\", address = 0, value = 0xFF00 }"), "switches a coil"),
        (step("write = { table = \"coil_word\", address = 0, value = 0x5500 }"), "no level"),
        (step("write = { table = \"coils\", address = 65535, values = [1, 1] }"), "beyond 65535"),
        (status("done = []"), "end the waiting"),
        (status("done = [256], mask = 255"), "hides a bit"),
        (status("done = [1], busy = [1]"), "busy or done"),
        (status("done = [1], every = \"2s\""), "do not fit"),
        (status("done = [1], every = \"soon\""), "no span of time"),
    ];
    for (more, expected) in cases {
        let found = faults(&action(&more));
        assert!(found.iter().any(|fault| fault.sentence.contains(expected)), "{more}: {found:?}");
    }
}

#[test]
fn no_shipped_profile_offers_to_put_power_back() {
    let stops = ["off", "open", "disconnect", "sleep", "standby", "bypass-on", "stop"];
    for (id, shipped) in builtin() {
        // Relays switch whatever is wired to them: on is how a shunt trip is given. The simulator is no plant.
        let is_relay = id.contains("relay") || id.starts_with("kmtronic") || id.starts_with("sim-");
        for action in shipped.profile.actions.iter().filter(|_| !is_relay) {
            assert!(stops.iter().any(|stop| action.name.contains(stop)), "{id}: {}", action.name);
        }
    }
}
