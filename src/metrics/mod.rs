//! Numbers for Prometheus: what emberwatch counts and measures, in the text formats that scrapers read.
//!
//! Every metric is named once, in [`names`]; the page of the documentation is compared with that table. Edges keep counters
//! of their own and leave a way to read them here ([`Sources`]); nothing is copied, counted or locked between scrapes, and
//! the safety loop knows nothing of it. A number that is not known has no sample: it is absent, never zero.

pub mod names;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use names::Metric;
pub use text::Form;

/// A label and its value.
pub type Label = (&'static str, String);

/// One number of one metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// A counter or a gauge.
    Plain(f64),
    /// Round trips or the like: the upper end of each class with how many fell into it alone, and the sum of all.
    Classes(Vec<(f64, u64)>, f64),
}

/// What is known at one moment.
#[derive(Clone, Debug, Default)]
pub struct Samples(BTreeMap<&'static str, Vec<(Vec<Label>, Number)>>);

impl Samples {
    /// One number. Numbers that are not finite are not known.
    pub fn put(&mut self, metric: &Metric, labels: impl IntoIterator<Item = Label>, value: f64) {
        if value.is_finite() {
            self.add(metric, labels, Number::Plain(value));
        }
    }

    /// A count.
    pub fn count(&mut self, metric: &Metric, labels: impl IntoIterator<Item = Label>, count: u64) {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, as the formats are")]
        self.put(metric, labels, count as f64);
    }

    /// How many fell into which class.
    pub fn classes(
        &mut self,
        metric: &Metric,
        labels: impl IntoIterator<Item = Label>,
        classes: Vec<(f64, u64)>,
        sum: f64,
    ) {
        self.add(metric, labels, Number::Classes(classes, sum));
    }

    fn add(&mut self, metric: &Metric, labels: impl IntoIterator<Item = Label>, number: Number) {
        self.0.entry(metric.name).or_default().push((labels.into_iter().collect(), number));
    }

    /// All of it as text.
    #[must_use]
    pub fn text(self, form: Form) -> String {
        text::write(self, form)
    }
}

/// Reads what an edge has counted.
pub type Source = Box<dyn Fn(&mut Samples) + Send>;

/// Where the numbers of the edges come from, by the name of the edge. One that is started anew takes the place of the old.
#[derive(Clone, Default)]
pub struct Sources(Arc<Mutex<BTreeMap<String, Source>>>);

impl Sources {
    /// From now on the numbers of this edge are read so.
    pub fn set(&self, edge: &str, source: impl Fn(&mut Samples) + Send + 'static) {
        self.all().insert(edge.to_owned(), Box::new(source));
    }

    /// Reads all of them.
    pub fn read(&self, samples: &mut Samples) {
        self.all().values().for_each(|source| source(samples));
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Source>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_that_is_started_anew_is_read_once() {
        let sources = Sources::default();
        for count in [3, 5] {
            sources.set("mqtt", move |samples| samples.count(&names::OUTBOX_MESSAGES, [], count));
        }
        let mut samples = Samples::default();
        sources.read(&mut samples);
        assert_eq!(samples.0["outbox_messages"], [(vec![], Number::Plain(5.0))]);
    }

    #[test]
    fn what_is_not_finite_is_absent() {
        let mut samples = Samples::default();
        samples.put(&names::POWER_WATTS, [], f64::NAN);
        assert!(samples.0.is_empty());
    }
}
