//! Commands and answers.

use std::net::IpAddr;
use std::sync::Mutex;

use super::*;
use crate::clock;
use crate::nut::dialogue::{Dialogue, House, Then};
use crate::nut::users::{Logins, Users};
use crate::safety::fact::OrderId;
use crate::units::ClockSync;

fn house() -> Arc<House> {
    let options = options(([127, 0, 0, 1], 0).into());
    let mut view = View::new(site(), Arc::new(options.clone()));
    view.apply(&Publication { number: 1, now: clock::now(), clock: ClockSync::Unknown, facts: calm() });
    Arc::new(House {
        view: Mutex::new(view),
        users: Users::new(&options.users),
        logins: Logins::new(options.upses.len()),
        has_tls: false,
    })
}

fn dialogue(house: &Arc<House>) -> Dialogue {
    Dialogue::new(Arc::clone(house), IpAddr::from([127, 0, 0, 1]), false)
}

fn as_user(house: &Arc<House>, name: &str) -> Dialogue {
    let mut client = dialogue(house);
    assert_eq!(client.answer(&format!("USERNAME {name}")).0, "OK\n");
    assert_eq!(client.answer("PASSWORD correct-horse").0, "OK\n");
    client
}

#[test]
fn anybody_may_look() {
    let house = house();
    let mut client = dialogue(&house);
    for (line, answer) in [
        (
            "LIST UPS",
            "BEGIN LIST UPS\nUPS ups-a \"Row 1 on ups-a\"\nUPS ups-b \"Row 1 on ups-b\"\nEND LIST UPS\n",
        ),
        ("GET VAR ups-a ups.status", "VAR ups-a ups.status \"OL\"\n"),
        ("GET VAR ups-a battery.charge", "VAR ups-a battery.charge \"80\"\n"),
        ("GET VAR ups-a battery.volts", "ERR VAR-NOT-SUPPORTED\n"),
        ("GET VAR ups-c ups.status", "ERR UNKNOWN-UPS\n"),
        ("GET TYPE ups-a battery.charge", "TYPE ups-a battery.charge NUMBER\n"),
        ("GET TYPE ups-a ups.status", "TYPE ups-a ups.status STRING:512\n"),
        ("GET DESC ups-a battery.charge", "DESC ups-a battery.charge \"Battery charge (percent of full)\"\n"),
        ("GET UPSDESC ups-a", "UPSDESC ups-a \"Row 1 on ups-a\"\n"),
        ("GET NUMLOGINS ups-a", "NUMLOGINS ups-a 0\n"),
        ("GET CMDDESC ups-a load.off", "ERR CMD-NOT-SUPPORTED\n"),
        ("LIST RW ups-a", "BEGIN LIST RW ups-a\nEND LIST RW ups-a\n"),
        ("LIST CMD ups-a", "BEGIN LIST CMD ups-a\nEND LIST CMD ups-a\n"),
        ("LIST CLIENT ups-a", "BEGIN LIST CLIENT ups-a\nEND LIST CLIENT ups-a\n"),
        (
            "LIST ENUM ups-a battery.charge",
            "BEGIN LIST ENUM ups-a battery.charge\nEND LIST ENUM ups-a battery.charge\n",
        ),
        (
            "LIST RANGE ups-a battery.charge",
            "BEGIN LIST RANGE ups-a battery.charge\nEND LIST RANGE ups-a battery.charge\n",
        ),
        ("NETVER", "1.3\n"),
        ("FETCH", "ERR UNKNOWN-COMMAND\n"),
        ("GET VAR", "ERR INVALID-ARGUMENT\n"),
        ("STARTTLS", "ERR FEATURE-NOT-CONFIGURED\n"),
    ] {
        assert_eq!(client.answer(line), (answer.to_owned(), Then::GoOn), "{line}");
    }
    let (all, _) = client.answer("LIST VAR ups-a");
    for line in
        ["BEGIN LIST VAR ups-a\n", "VAR ups-a device.type \"ups\"\n", "VAR ups-a battery.runtime \"750\"\n"]
    {
        assert!(all.contains(line), "{all}");
    }
    assert_eq!(client.answer("LOGOUT"), ("OK Goodbye\n".to_owned(), Then::Leave));
}

#[test]
fn logging_in_takes_name_password_and_ups_and_is_counted_until_the_end() {
    let house = house();
    let mut client = dialogue(&house);
    assert_eq!(client.answer("LOGIN ups-a").0, "ERR USERNAME-REQUIRED\n");
    assert_eq!(client.answer("USERNAME small").0, "OK\n");
    assert_eq!(client.answer("USERNAME big").0, "ERR ALREADY-SET-USERNAME\n");
    assert_eq!(client.answer("LOGIN ups-a").0, "ERR PASSWORD-REQUIRED\n");
    assert_eq!(client.answer("PASSWORD wrong-horse").0, "OK\n");
    assert_eq!(client.answer("LOGIN ups-a"), ("ERR ACCESS-DENIED\n".to_owned(), Then::Wait));
    assert_eq!(client.answer("PASSWORD correct-horse").0, "ERR ALREADY-SET-PASSWORD\n");

    let mut client = as_user(&house, "small");
    assert_eq!(client.answer("LOGIN ups-c").0, "ERR UNKNOWN-UPS\n");
    assert_eq!(client.answer("LOGIN ups-a").0, "OK\n");
    assert_eq!(client.answer("LOGIN ups-b").0, "ERR ALREADY-ATTACHED\n");
    assert_eq!(client.answer("PRIMARY ups-a").0, "ERR ACCESS-DENIED\n");
    let mut primary = as_user(&house, "big");
    assert_eq!(primary.answer("PRIMARY ups-a").0, "OK PRIMARY-GRANTED\n");
    assert_eq!(primary.answer("MASTER ups-a").0, "OK MASTER-GRANTED\n");
    assert_eq!(primary.answer("GET NUMLOGINS ups-a").0, "NUMLOGINS ups-a 1\n");
    assert_eq!(
        primary.answer("LIST CLIENT ups-a").0,
        "BEGIN LIST CLIENT ups-a\nCLIENT ups-a 127.0.0.1\nEND LIST CLIENT ups-a\n"
    );
    drop(client);
    assert_eq!(primary.answer("GET NUMLOGINS ups-a").0, "NUMLOGINS ups-a 0\n");
}

#[test]
fn nobody_may_start_a_cut_or_set_or_command_anything() {
    let house = house();
    for name in ["big", "small"] {
        for line in ["FSD ups-a", "SET VAR ups-a battery.charge 1", "INSTCMD ups-a load.off"] {
            let mut client = as_user(&house, name);
            assert_eq!(client.answer(line), ("ERR ACCESS-DENIED\n".to_owned(), Then::Wait), "{name}: {line}");
        }
    }
    assert_eq!(house.view().status(0, clock::uptime()).unwrap(), "OL");
    let mut nobody = dialogue(&house);
    assert_eq!(nobody.answer("FSD ups-a").0, "ERR USERNAME-REQUIRED\n");
    // Told already: there is nothing left to start, and the primary goes on in good order.
    house.view().apply(&Publication {
        number: 2,
        now: Now { uptime: NOW, wall: WallTime(0) },
        clock: ClockSync::Unknown,
        facts: vec![
            changed(in_run(run(Step::Ordered { stage: 1, order: OrderId(1), attempt: 1, answer_by: NOW }))),
            changed(in_run(run(waiting(1, Millis::ZERO)))),
        ],
    });
    assert_eq!(as_user(&house, "big").answer("FSD ups-a").0, "OK FSD-SET\n");
    assert_eq!(as_user(&house, "small").answer("FSD ups-a").0, "ERR ACCESS-DENIED\n");
}

#[test]
fn who_must_be_in_tls_is_told_nothing_before() {
    let house = house();
    let mut client = Dialogue::new(Arc::clone(&house), IpAddr::from([192, 0, 2, 7]), true);
    for line in ["LIST UPS", "USERNAME big", "GET VAR ups-a ups.status", "LOGIN ups-a"] {
        assert_eq!(client.answer(line).0, "ERR TLS-NOT-ENABLED\n", "{line}");
    }
    assert_eq!(client.answer("NETVER").0, "1.3\n");
    client.secured();
    assert_eq!(client.answer("STARTTLS").0, "ERR TLS-ALREADY-ENABLED\n");
    assert_eq!(client.answer("GET UPSDESC ups-a").0, "UPSDESC ups-a \"Row 1 on ups-a\"\n");
}
