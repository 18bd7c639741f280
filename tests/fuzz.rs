//! Decoders against inputs that nobody meant: frames, replies and profiles, mutated from a corpus by a seeded
//! generator. A short run is part of the tests; the long one is
//! `EMBERWATCH_FUZZ_INPUTS=100000000 cargo test --release --test fuzz -- --nocapture`.
//! What fails is printed byte by byte, to be added to `fuzz/corpus.txt`.

#![expect(clippy::print_stdout, reason = "long work shows its progress")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use emberwatch::clock;
use emberwatch::field::decode;
use emberwatch::field::frame::mbap;
use emberwatch::field::frame::rtu::{self, Expected, Found};
use emberwatch::field::pdu::{Reply, Request};
use emberwatch::field::profile::walk::WalkStep;
use emberwatch::field::profile::{Profile, Table, Write};
use emberwatch::units::Millis;

/// Inputs of the short run: some seconds.
const INPUTS: u64 = 3_000_000;

/// One input in so many is a profile: they take a thousand times as long.
const PROFILES_EVERY: u64 = 2000;

/// The longest input.
const BYTES_MAX: usize = 700;

/// Bytes that have broken decoders before.
const ODD: [u8; 12] = [0, 1, 2, 3, 0x7F, 0x80, 0x83, 0xFE, 0xFF, 43, 14, 125];

struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("below a length")
    }

    fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_le_bytes();
        byte
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        for _ in 0..=self.below(6) {
            let at = self.below(input.len());
            match self.below(7) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 if at < input.len() => input[at] = ODD[self.below(ODD.len())],
                2 if at < input.len() => input[at] = self.byte(),
                3 if at < input.len() => _ = input.remove(at),
                4 => input.insert(at, self.byte()),
                5 => input.truncate(at),
                _ => {
                    let copy: Vec<u8> = input[at..].iter().copied().take(20).collect();
                    input.extend(copy);
                }
            }
            input.truncate(BYTES_MAX);
        }
    }
}

#[test]
fn no_frame_reply_or_profile_makes_a_decoder_panic_or_lie() {
    let inputs = std::env::var("EMBERWATCH_FUZZ_INPUTS");
    let inputs = inputs.map_or(INPUTS, |text| text.parse().expect("EMBERWATCH_FUZZ_INPUTS is a number"));
    let seed = std::env::var("EMBERWATCH_FUZZ_SEED");
    let seed: u64 = seed.map_or(0x5EED, |text| text.parse().expect("EMBERWATCH_FUZZ_SEED is a number"));
    let threads: u64 = 2;
    let corpus = corpus();
    let profiles = profiles();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (corpus, profiles) = (&corpus, &profiles);
            scope.spawn(move || fuzz(Chance(seed + thread + 1), inputs / threads, corpus, profiles));
        }
    });
    println!("{inputs} inputs from seed {seed}: no decoder panicked or lied");
}

fn fuzz(mut chance: Chance, inputs: u64, corpus: &[Vec<u8>], profiles: &[Vec<u8>]) {
    let mut told = clock::uptime();
    for number in 0..inputs {
        let is_profile = number % PROFILES_EVERY == 0;
        let seeds = if is_profile { profiles } else { corpus };
        let mut input = seeds[chance.below(seeds.len())].clone();
        if is_profile {
            let at = chance.below(input.len());
            let byte = chance.byte();
            input[at] = byte;
        } else {
            chance.mutate(&mut input);
        }
        let tried = catch_unwind(AssertUnwindSafe(|| {
            if is_profile { profile(&input, &mut chance) } else { frame(&input, &mut chance) }
        }));
        assert!(tried.is_ok(), "this input fails: {input:02x?}");
        if Millis::from_secs(10) < clock::uptime().since(told) {
            told = clock::uptime();
            println!("{number} of {inputs} inputs");
        }
    }
}

fn requests(chance: &mut Chance) -> [Request; 5] {
    let count = u16::from(chance.byte() % 125) + 1;
    [
        Request::Read { table: Table::Holding, address: 0x28, count: 2 },
        Request::Read { table: Table::Coil, address: 3, count },
        Request::Write(Write::Coil { address: 3, on: true }),
        Request::ServerId,
        Request::DeviceId { level: 1, object: 0 },
    ]
}

fn frame(input: &[u8], chance: &mut Chance) {
    let requests = requests(chance);
    if let Ok(Some(frame)) = mbap::first(input) {
        assert!(frame.bytes() <= input.len().min(mbap::FRAME_BYTES_MAX));
        for request in &requests {
            reply(request, frame.pdu);
        }
    }
    for request in &requests {
        reply(request, input);
        for unit in [1, 7] {
            if let Found::Reply(start, end) = Expected::of(unit, request).find(input) {
                let found = &input[start..end];
                assert!(
                    rtu::is_intact(found) && found[0] == unit,
                    "only an intact frame of the unit is a reply"
                );
                reply(request, rtu::pdu(found));
            }
        }
    }
    _ = rtu::holds_frame(input);
}

fn reply(request: &Request, pdu: &[u8]) {
    if let (Request::Read { count, .. }, Ok(Reply::Words(words))) = (request, request.decode(pdu)) {
        assert_eq!(words.len(), usize::from(*count));
    }
}

/// A profile that still parses is walked through answers at random, placed, and decodes words at random.
fn profile(input: &[u8], chance: &mut Chance) {
    let text = String::from_utf8_lossy(input);
    let Ok(profile) = Profile::parse(&text, "fuzz") else { return };
    let mut placed = profile.clone();
    if let Some(mut walk) = profile.walk() {
        for _ in 0..3000 {
            match walk.next() {
                WalkStep::Ask { count, .. } => {
                    let words: Vec<u16> = (0..count).map(|_| u16::from(chance.byte())).collect();
                    walk.heard(Ok(&words));
                }
                WalkStep::Done(layout) => {
                    placed = profile.placed(&layout);
                    break;
                }
                WalkStep::Failed(_) => break,
            }
        }
    }
    for point in &placed.points {
        let words: Vec<u16> =
            (0..point.words()).map(|_| u16::from_le_bytes([chance.byte(), chance.byte()])).collect();
        if let Ok(value) = decode::value(point, &words) {
            assert!(value.get().is_finite());
        }
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let text = include_str!("fuzz/corpus.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let digits = |line: &str| line.chars().filter(|digit| !digit.is_whitespace()).collect::<String>();
    let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hexadecimal");
    lines.map(|line| digits(line).as_bytes().chunks(2).map(byte).collect()).collect()
}

fn profiles() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/profiles");
    let entries = std::fs::read_dir(folder).expect("profiles");
    let read = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read(entry.expect("a file").path());
    let mut texts: Vec<Vec<u8>> = entries.map(|entry| read(entry).expect("readable")).collect();
    // In an order that does not depend on the file system: the same seed, the same inputs.
    texts.sort();
    texts
}
