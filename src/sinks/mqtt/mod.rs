//! MQTT: the topic tree.

pub mod options;
