//! Samples as text: `OpenMetrics` where the scraper takes it, else the older format of Prometheus.

use std::fmt::Write as _;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::names::{ALL, Kind, Metric};
use super::{Number, Samples};

/// Which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `OpenMetrics` 1.0.
    Open,
    /// Prometheus text 0.0.4.
    Classic,
}

impl Form {
    /// What a scraper that sends this `Accept` wants.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::Open } else { Self::Classic }
    }

    /// Its `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Open => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

pub(super) fn write(samples: Samples, form: Form) -> String {
    let mut registry = Registry::with_prefix("emberwatch");
    registry.register_collector(Box::new(samples));
    let mut open = String::new();
    // Writing to a String cannot fail.
    let _ = text::encode(&mut open, &registry);
    match form {
        Form::Open => open,
        Form::Classic => classic(&open),
    }
}

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        for metric in ALL {
            let Some(all) = self.0.get(metric.name) else { continue };
            let help = metric.help.trim_end_matches('.');
            let mut family =
                encoder.encode_descriptor(metric.family(), help, None, metric.kind.of_client())?;
            for (labels, number) in all {
                if metric.kind == Kind::Info {
                    family.encode_info(labels)?;
                } else if labels.is_empty() {
                    write_number(number, metric.kind, &mut family)?;
                } else {
                    let mut labelled = family.encode_family(labels)?;
                    write_number(number, metric.kind, &mut labelled)?;
                }
            }
        }
        Ok(())
    }
}

fn write_number(number: &Number, kind: Kind, to: &mut MetricEncoder) -> Result<(), std::fmt::Error> {
    match number {
        Number::Plain(value) if kind == Kind::Counter => {
            to.encode_counter::<NoLabelSet, f64, f64>(value, None)
        }
        Number::Plain(value) => to.encode_gauge(value),
        Number::Classes(classes, sum) => {
            let count = classes.iter().map(|class| class.1).sum();
            to.encode_histogram::<NoLabelSet>(*sum, count, classes, None)
        }
    }
}

impl Metric {
    /// Its name without the ending that the format adds by itself.
    fn family(&self) -> &'static str {
        let bare = match self.kind {
            Kind::Counter => self.name.strip_suffix("_total"),
            Kind::Info => self.name.strip_suffix("_info"),
            Kind::Gauge | Kind::Histogram => None,
        };
        bare.unwrap_or(self.name)
    }
}

impl Kind {
    const fn of_client(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Info => MetricType::Info,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

/// The same in the older format: it names a family as its samples are named, knows no info and has no end mark.
fn classic(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut held: Option<(&str, &str)> = None;
    for line in open.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            held = Some((name, help));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (ending, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some((_, help)) = held.take() {
                let _ = writeln!(text, "# HELP {name}{ending} {help}");
            }
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# TYPE {name}{ending} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    fn samples() -> Samples {
        let mut samples = Samples::default();
        samples.put(&names::BUILD, [("version", "1.2".to_owned())], 1.0);
        samples.count(&names::WATCHDOG_PINGS, [], 7);
        let labels =
            |point: &str| [("room", "r".to_owned()), ("device", "d".to_owned()), ("point", point.to_owned())];
        samples.put(&names::TEMPERATURE, labels("a"), 24.5);
        samples.put(&names::TEMPERATURE, labels("say \"b\""), -3.0);
        samples.classes(
            &names::POLL_DURATION,
            [("link", "l".to_owned())],
            vec![(0.5, 2), (f64::INFINITY, 1)],
            4.0,
        );
        samples
    }

    #[test]
    fn samples_are_written_in_the_older_format() {
        let expected = "\
# HELP emberwatch_build_info What runs here
# TYPE emberwatch_build_info gauge
emberwatch_build_info{version=\"1.2\"} 1
# HELP emberwatch_watchdog_pings_total Times the watchdog of the system was told that the loop lives and polling goes on
# TYPE emberwatch_watchdog_pings_total counter
emberwatch_watchdog_pings_total 7.0
# HELP emberwatch_poll_duration_seconds Round trips of requests that were answered
# TYPE emberwatch_poll_duration_seconds histogram
emberwatch_poll_duration_seconds_sum{link=\"l\"} 4.0
emberwatch_poll_duration_seconds_count{link=\"l\"} 3
emberwatch_poll_duration_seconds_bucket{le=\"0.5\",link=\"l\"} 2
emberwatch_poll_duration_seconds_bucket{le=\"+Inf\",link=\"l\"} 3
# HELP emberwatch_temperature_celsius A temperature that is believed
# TYPE emberwatch_temperature_celsius gauge
emberwatch_temperature_celsius{room=\"r\",device=\"d\",point=\"a\"} 24.5
emberwatch_temperature_celsius{room=\"r\",device=\"d\",point=\"say \\\"b\\\"\"} -3.0
";
        assert_eq!(samples().text(Form::Classic), expected);
    }

    #[test]
    fn samples_are_written_as_open_metrics_where_it_is_accepted() {
        let text =
            samples().text(Form::accepted("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"));
        assert!(
            text.contains("# TYPE emberwatch_watchdog_pings counter\nemberwatch_watchdog_pings_total 7.0\n"),
            "{text}"
        );
        assert!(text.contains("# TYPE emberwatch_build info\n") && text.ends_with("# EOF\n"), "{text}");
        assert_eq!(Form::accepted("*/*"), Form::Classic);
    }
}
