//! The field bus, measured: `cargo bench --bench field -- [tcp] [rtu] [dead] [silent] [late] [order] [points]`.
//!
//! * tcp: eight servers without latency, one request in flight each, beside a bare C loop on libmodbus.
//! * rtu: the cycle of the optimal plan on a paced line of 9600 and 19200 baud, against its theoretical minimum.
//! * dead: two of 16 units dead on a 19200 line, and 31 of 32: what the living feel.
//! * silent: forty TCP devices, ten silent and five refusing: the lateness of the other 25.
//! * late: 1,000,000 polls over TCP and 100,000 over RTU with replies up to three time-outs late: wrong values.
//! * order: from the safety loop to the first frame of a breaker order, while the link polls at full load.
//! * points: 100,000 points at 1 s.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

#[path = "../../src/field/scripted_bus.rs"]
#[expect(dead_code, reason = "shared with the unit tests")]
mod bus;
mod plant;
mod serial;
mod tcp;

pub(crate) use emberwatch::{clock, field};

const ALL: [&str; 7] = ["tcp", "rtu", "dead", "silent", "late", "order", "points"];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, what, count, manner, ..] = args.as_slice()
        && what == "serve"
    {
        return plant::serve(count.parse().unwrap(), manner);
    }
    let named = args.iter().any(|arg| ALL.contains(&arg.as_str()));
    // Two threads, as the daemon's edges have on a gateway of two cores.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for what in ALL {
        if named && !args.iter().any(|arg| arg == what) {
            continue;
        }
        runtime.block_on(async {
            match what {
                "tcp" => tcp::against_libmodbus().await,
                "rtu" => serial::cycles().await,
                "dead" => serial::dead_units().await,
                "silent" => tcp::silent_devices().await,
                "late" => {
                    tcp::late_replies().await;
                    serial::late_replies().await;
                }
                "order" => {
                    tcp::orders().await;
                    serial::orders().await;
                }
                _ => tcp::many_points().await,
            }
        });
    }
}

/// Processor time of this process, in seconds.
pub(crate) fn processor_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    // Of the main thread only: add up all.
    drop(stat);
    let mut total = 0.0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path().join("schedstat");
        let Ok(stat) = std::fs::read_to_string(path) else { continue };
        total += stat.split_whitespace().next().unwrap().parse::<f64>().unwrap();
    }
    total / 1e9
}

/// The value below which this part of the samples lies.
pub(crate) fn percentile(samples: &mut [u64], part: f64) -> u64 {
    samples.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = (samples.len().saturating_sub(1) as f64 * part).round() as usize;
    samples.get(index).copied().unwrap_or(0)
}

/// How late each poll began, in milliseconds: against the phase of the earliest.
pub(crate) fn lateness(asked: &[u64], period_ms: u64) -> Vec<u64> {
    let phase = asked.iter().map(|at| at % period_ms).collect::<Vec<_>>();
    // The phase that most polls come just after: the start of the longest run without any.
    let mut sorted = phase.clone();
    sorted.sort_unstable();
    let (mut best, mut start) = (0, 0);
    for at in 0..sorted.len() {
        let before = if at == 0 { sorted[sorted.len() - 1] } else { sorted[at - 1] };
        let gap = (sorted[at] + period_ms - before) % period_ms;
        if best <= gap {
            (best, start) = (gap, sorted[at]);
        }
    }
    phase.iter().map(|at| (at + period_ms - start) % period_ms).collect()
}
