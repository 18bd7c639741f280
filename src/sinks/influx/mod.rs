//! InfluxDB 2: time series.

pub mod options;
