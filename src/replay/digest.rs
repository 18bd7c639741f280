//! A fingerprint of everything that the core said: the same recording and rules give the same one, always.

use std::fmt::Write as _;

use super::player::Moment;
use crate::safety::fact::{Fact, Output};
use crate::safety::site::Site;
use crate::wire::why;

/// Bytes that are gathered before they are digested.
const PORTION: usize = 16 * 1024;

/// SHA-256 over every fact and order, each with its time.
pub struct Digest {
    context: ring::digest::Context,
    portion: Vec<u8>,
}

impl Default for Digest {
    fn default() -> Self {
        Self {
            context: ring::digest::Context::new(&ring::digest::SHA256),
            portion: Vec::with_capacity(2 * PORTION),
        }
    }
}

impl Digest {
    /// Takes in what one scan said.
    pub fn hear(&mut self, site: &Site, moment: Moment<'_>) {
        for output in moment.outputs {
            self.portion.extend_from_slice(&moment.now.uptime.0.to_le_bytes());
            match output {
                // Most of all facts: as few bytes as will do.
                Output::Fact(Fact::Reading { point, reading }) => {
                    let value = reading.good().map_or(0, |(value, _)| value.get().to_bits());
                    self.portion.extend_from_slice(&point.0.to_le_bytes());
                    self.portion.extend_from_slice(&value.to_le_bytes());
                    self.portion.extend_from_slice(why::quality(reading).as_bytes());
                }
                Output::Fact(fact) => self.words(site, &format!("{fact:?}")),
                Output::Order(order) => self.words(site, &format!("{order:?}")),
            }
        }
        if PORTION <= self.portion.len() {
            self.context.update(&self.portion);
            self.portion.clear();
        }
    }

    fn words(&mut self, site: &Site, words: &str) {
        self.portion.extend_from_slice(site.name.as_bytes());
        self.portion.extend_from_slice(words.as_bytes());
    }

    /// In hexadecimal.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.context.update(&self.portion);
        self.context.finish().as_ref().iter().fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
