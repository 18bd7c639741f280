//! `emberwatch profile test`: do the worked examples hold?

use super::snippet::{say_fault, say_faults};
use super::{Known, find};
use crate::cli::{Exit, print, say};
use crate::field::profile::{Profile, builtin};

/// Arguments of `profile test`.
#[derive(clap::Args)]
pub(crate) struct TestArgs {
    /// Files, ids of profiles that come with the program, or `all` of these.
    #[arg(default_value = "all")]
    profiles: Vec<String>,
}

/// Runs the examples; ends with 1 when one does not hold, or when there is none.
pub(super) fn test(args: &TestArgs) -> Exit {
    let names: Vec<String> = args
        .profiles
        .iter()
        .flat_map(|name| if name == "all" { builtin().into_keys().collect() } else { vec![name.clone()] })
        .collect();
    let mut failed = 0;
    for name in &names {
        let Some(known) = find(name) else {
            failed += 1;
            continue;
        };
        if !run(&known) {
            failed += 1;
        }
    }
    say(&format!("{} of {} profiles hold", names.len() - failed, names.len()));
    if failed == 0 { Exit::Ok } else { Exit::No }
}

fn run(known: &Known) -> bool {
    let Known { file, text, profile } = known;
    let profile = match profile {
        Ok(profile) => profile,
        Err(faults) => {
            say_faults(file, text, faults);
            print(&format!("FAILED  {file}: {} faults", faults.len()));
            return false;
        }
    };
    let faults = profile.run_examples();
    for fault in &faults {
        let help = "see by hand which of the two is right: the example, or the point";
        say_fault(file, text, fault.span.clone(), &fault.to_string(), Some(help));
    }
    let (values, shown) = shown(profile);
    if values == 0 {
        say_fault(
            file,
            text,
            0..0,
            "no example says what comes out",
            Some("write one: words in, values out"),
        );
    }
    let good = faults.is_empty() && 0 < values;
    let word = if good { "ok    " } else { "FAILED" };
    print(&format!(
        "{word}  {}: {} examples, {shown} of {} points shown, {} faults",
        profile.id,
        profile.examples.len(),
        profile.points.len(),
        faults.len() + usize::from(values == 0),
    ));
    good
}

/// How much the examples expect, and how many points they show.
fn shown(profile: &Profile) -> (usize, usize) {
    use crate::field::profile::example::Expected;
    let expected = || profile.examples.iter().flat_map(|example| &example.expected);
    let frames = profile.examples.iter().filter(|example| example.frames.is_some()).count();
    let mut points: Vec<usize> = expected()
        .filter_map(|expected| match expected {
            Expected::Value(at, ..) => Some(*at),
            Expected::Text(..) | Expected::Absent(..) => None,
        })
        .collect();
    points.sort_unstable();
    points.dedup();
    (expected().count() + frames, points.len())
}
