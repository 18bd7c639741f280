#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::replay::options::Take;
use crate::safety::site::PointId;

fn feed(point: u32, columns: &[usize], take: Take) -> Feed {
    Feed { point: PointId(point), from: From::Columns(columns.to_vec(), take), scale: 1.0, offset: 0.0 }
}

fn mapping(poll: u64, feeds: Vec<Feed>) -> Mapping {
    Mapping { time_column: 0, time: TimeUnit::Number(1000), poll: Millis(poll), feeds }
}

fn open(text: &str, mapping: Mapping, phase: u64) -> Result<CsvSource<&[u8]>, CsvFault> {
    CsvSource::open(text.as_bytes(), mapping, Millis(phase))
}

/// Every sample: seconds, point, value.
fn samples(source: &mut CsvSource<&[u8]>) -> Vec<(f64, u32, Result<f64, ReadFault>)> {
    let mut all = Vec::new();
    let mut last = None;
    while let Some(step) = source.next() {
        assert!(last.is_none_or(|last: Uptime| step.now.uptime.since(last) <= TICK), "no gap between scans");
        last = Some(step.now.uptime);
        for input in step.inputs {
            let Input::Sampled { point, taken, result, .. } = input else { panic!("only samples") };
            all.push((taken.since(ORIGIN).as_secs_f64(), point.0, result.map(Value::get)));
        }
    }
    all
}

#[test]
fn each_poll_takes_the_newest_row_at_or_before_it() {
    let text = "t,a\n1.06,10\n2.06,20\n3.06,30\n4.06,40\n5.06,50\n";
    let mut source = open(text, mapping(2000, vec![feed(0, &[1], Take::Max)]), 0).unwrap();
    let found = samples(&mut source);
    assert_eq!(found[..3], [(1.06, 0, Ok(10.0)), (3.06, 0, Ok(30.0)), (5.06, 0, Ok(50.0))]);
    let mut source = open(text, mapping(2000, vec![feed(0, &[1], Take::Max)]), 500).unwrap();
    assert_eq!(samples(&mut source)[..2], [(1.56, 0, Ok(10.0)), (3.56, 0, Ok(30.0))], "another phase");
}

#[test]
fn several_columns_become_one_number_and_a_constant_stays() {
    let mut constant = feed(2, &[], Take::Max);
    constant.from = From::Constant(7.0);
    let scaled = Feed { scale: 0.5, offset: 1.0, ..feed(1, &[1, 2], Take::Spread) };
    let feeds = vec![feed(0, &[1, 2], Take::Max), scaled, constant];
    let mut source = open("t,a,b\n0,10,4\n", mapping(1000, feeds), 0).unwrap();
    assert_eq!(samples(&mut source)[..3], [(0.0, 0, Ok(10.0)), (0.0, 1, Ok(4.0)), (0.0, 2, Ok(7.0))]);
}

#[test]
fn an_empty_cell_is_no_answer_and_text_is_no_number() {
    let text = "t,a\n0,10\n1,\n2,broken\n3,NaN\n4,40\n";
    let mut source = open(text, mapping(1000, vec![feed(0, &[1], Take::Max)]), 0).unwrap();
    let found: Vec<_> = samples(&mut source).into_iter().map(|sample| sample.2).collect();
    let odd = Err(ReadFault::NotANumber);
    assert_eq!(found[..5], [Ok(10.0), Err(ReadFault::Timeout), odd, odd, Ok(40.0)]);
    assert_eq!((source.odd_cells_count, source.odd_cells[0]), (2, (4, 1)));
}

#[test]
fn old_rows_are_not_passed_off_as_new_ones() {
    let rows = (0..20).chain(60..80).map(|second| format!("{second},1\n"));
    let text = format!("t,a\n{}", rows.collect::<String>());
    let mut source = open(&text, mapping(1000, vec![feed(0, &[1], Take::Max)]), 0).unwrap();
    for (second, _, result) in samples(&mut source) {
        let in_hole = 22.0 < second && second < 60.0;
        assert_eq!(result.is_err(), in_hole, "at {second} s");
    }
}

#[test]
fn times_that_are_none_or_go_back_are_named_with_their_line() {
    let feeds = || vec![feed(0, &[1], Take::Max)];
    let fault = open("t,a\nsoon,1\n", mapping(1000, feeds()), 0).err().unwrap();
    assert_eq!(fault.to_string(), "line 2: `soon` is no time");
    let fault = open("t,a\n1,1\n0.5,1\n", mapping(1000, feeds()), 0).err().unwrap();
    assert_eq!(fault.to_string(), "line 3: the time 0.5 lies before the row above");
    assert!(matches!(open("t,a\n", mapping(1000, feeds()), 0), Err(CsvFault::Empty)));
    // Later ones end the replay there.
    let rows: Vec<String> = (0..200).map(|second| format!("{second},1")).collect();
    let text = format!("t,a\n{}\n7,1\n", rows.join("\n"));
    let mut source = open(&text, mapping(1000, feeds()), 0).unwrap();
    assert!(200 <= samples(&mut source).len());
    assert!(source.fault.unwrap().to_string().starts_with("line 202"));
}

#[test]
fn calendar_times_count_from_the_first_row_and_label_the_replay() {
    let mut mapping = mapping(1000, vec![feed(0, &[1], Take::Max)]);
    mapping.time = TimeUnit::Rfc3339;
    let text = "t,a\n2026-11-22T17:42:05Z,1\n2026-11-22T17:42:06Z,2\n";
    let mut source = open(text, mapping, 0).unwrap();
    let first = source.next().unwrap();
    assert_eq!(first.now.uptime, ORIGIN);
    assert_eq!(crate::wire::time::rfc3339(first.now.wall), "2026-11-22T17:42:05.000Z");
}
