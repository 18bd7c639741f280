//! What raw words could mean: every interpretation, the likely ones first.
//!
//! Word order is the field's oldest guess: manuals leave out type, order and scale. Given the words and, best,
//! the physical range that the quantity must lie in, this lists all readings of them. It decides nothing: a
//! person who knows what the display of the device says picks one and writes it into a profile.
//! Inside the range come first those that real devices use most: big-endian before little, one word before
//! two, decimal scales before powers of two.

use crate::field::profile::Order;

/// The part of a range below which a float is taken for chance.
const SPECK: f64 = 1e-6;

/// How the bits of a value are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Unsigned, of this many words (1, 2, 4).
    Unsigned(u8),
    /// Two's complement, of this many words (1, 2, 4).
    Signed(u8),
    /// IEEE 754, of this many words (2, 4).
    Float(u8),
    /// A decimal digit in each four bits, of this many words (1, 2).
    Bcd(u8),
}

impl Layout {
    const ALL: [Self; 10] = [
        Self::Unsigned(1),
        Self::Signed(1),
        Self::Bcd(1),
        Self::Unsigned(2),
        Self::Signed(2),
        Self::Float(2),
        Self::Bcd(2),
        Self::Unsigned(4),
        Self::Signed(4),
        Self::Float(4),
    ];

    /// How many words it takes.
    #[must_use]
    pub const fn words(self) -> u8 {
        match self {
            Self::Unsigned(words) | Self::Signed(words) | Self::Float(words) | Self::Bcd(words) => words,
        }
    }

    /// Its name, as profiles call it.
    #[must_use]
    pub fn name(self) -> String {
        let bits = 16 * u32::from(self.words());
        match self {
            Self::Unsigned(_) => format!("u{bits}"),
            Self::Signed(_) => format!("i{bits}"),
            Self::Float(_) => format!("f{bits}"),
            Self::Bcd(_) => format!("bcd{bits}"),
        }
    }

    /// How unusual it is.
    const fn cost(self) -> u32 {
        match self {
            Self::Unsigned(1) => 0,
            Self::Signed(1) => 1,
            Self::Float(2) => 2,
            Self::Unsigned(2) => 3,
            Self::Signed(2) => 4,
            Self::Float(_) => 7,
            Self::Bcd(_) => 8,
            Self::Unsigned(_) => 9,
            Self::Signed(_) => 10,
        }
    }

    fn number(self, bits: u64) -> Option<f64> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_possible_wrap,
            clippy::cast_precision_loss,
            reason = "the pattern holds exactly the bits of its layout; 64-bit integers give the nearest f64"
        )]
        let number = match self {
            Self::Unsigned(_) => bits as f64,
            Self::Signed(1) => f64::from(bits as u16 as i16),
            Self::Signed(2) => f64::from(bits as u32 as i32),
            Self::Signed(_) => bits as i64 as f64,
            Self::Float(2) => f64::from(f32::from_bits(bits as u32)),
            Self::Float(_) => f64::from_bits(bits),
            Self::Bcd(words) => bcd(bits, words)?,
        };
        number.is_finite().then_some(number)
    }
}

fn bcd(bits: u64, words: u8) -> Option<f64> {
    (0..4 * u32::from(words)).rev().try_fold(0.0, |number, digit| {
        let digit = u32::try_from(bits >> (4 * digit) & 0xF).ok().filter(|digit| *digit <= 9)?;
        Some(number * 10.0 + f64::from(digit))
    })
}

/// From the raw number to the quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Divided by ten to this power: scales 1, 0.1, 0.01, 0.001.
    Decimal(u8),
    /// Divided by two to this power.
    Binary(u8),
}

impl Scale {
    /// Decimal scales tried.
    const DECIMALS: u8 = 3;
    /// Binary scales tried.
    const BINARIES: u8 = 16;

    /// As a profile writes it; empty for 1.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Decimal(0) => String::new(),
            Self::Decimal(power) => format!("scale = {}", 10_f64.powi(-i32::from(power))),
            Self::Binary(power) => format!("two_pow = {power}"),
        }
    }

    fn of(self, number: f64) -> f64 {
        match self {
            Self::Decimal(power) => number / 10_f64.powi(i32::from(power)),
            Self::Binary(power) => number / 2_f64.powi(i32::from(power)),
        }
    }

    fn cost(self) -> u32 {
        match self {
            Self::Decimal(power) => u32::from(power),
            Self::Binary(8) => 12,
            Self::Binary(_) => 14,
        }
    }
}

/// One interpretation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// How its bits are laid out.
    pub layout: Layout,
    /// Order of the bytes of each word.
    pub byte_order: Order,
    /// Order of the words.
    pub word_order: Order,
    /// Its scale.
    pub scale: Scale,
    /// What it then reads.
    pub value: f64,
    /// Whether it lies in the range that was expected; without one, whether it is a number of human size.
    pub plausible: bool,
    cost: u32,
}

/// Every interpretation of the first words, plausible ones first, then the usual ones. Interpretations that
/// give the same number from as many words are listed once, in their most usual form.
#[must_use]
pub fn guesses(words: &[u16], expected: Option<(f64, f64)>) -> Vec<Guess> {
    let mut all = Vec::new();
    for layout in Layout::ALL {
        let Some(raw) = words.get(..usize::from(layout.words())) else { continue };
        for byte_order in [Order::Big, Order::Little] {
            for word_order in [Order::Big, Order::Little] {
                if raw.len() == 1 && word_order == Order::Little {
                    continue;
                }
                if let Some(number) = layout.number(pattern(raw, byte_order, word_order)) {
                    all.extend(scaled(layout, byte_order, word_order, number, expected));
                }
            }
        }
    }
    all.sort_by_key(|guess| (!guess.plausible, guess.cost));
    let mut kept: Vec<Guess> = Vec::new();
    for guess in all {
        let same = |known: &Guess| {
            known.layout.words() == guess.layout.words() && known.value.to_bits() == guess.value.to_bits()
        };
        if !kept.iter().any(same) {
            kept.push(guess);
        }
    }
    kept
}

fn pattern(words: &[u16], byte_order: Order, word_order: Order) -> u64 {
    let push = |bits: u64, word: &u16| {
        let word = if byte_order == Order::Big { *word } else { word.swap_bytes() };
        bits << 16 | u64::from(word)
    };
    match word_order {
        Order::Big => words.iter().fold(0, push),
        Order::Little => words.iter().rev().fold(0, push),
    }
}

fn scaled(
    layout: Layout,
    byte_order: Order,
    word_order: Order,
    number: f64,
    expected: Option<(f64, f64)>,
) -> Vec<Guess> {
    let is_float = matches!(layout, Layout::Float(_));
    let decimals = (0..=if is_float { 0 } else { Scale::DECIMALS }).map(Scale::Decimal);
    // Powers of two only where a range sorts them: there are too many to look through.
    let binaries =
        if is_float || expected.is_none() || matches!(layout, Layout::Bcd(_)) { 0 } else { Scale::BINARIES };
    let order = |order| if order == Order::Big { 0 } else { 4 };
    let cost = layout.cost() + order(byte_order) + order(word_order);
    decimals
        .chain((1..=binaries).map(Scale::Binary))
        .map(|scale| {
            let value = scale.of(number);
            let plausible = match expected {
                Some((low, high)) => {
                    low <= value && value <= high && !(is_float && is_speck(value, low, high))
                }
                None => is_of_human_size(value),
            };
            // A float in range is rarely there by chance, unless it is a mere zero.
            let bonus = if is_float && plausible && 0.0 < value.abs() { 6 } else { 0 };
            let cost = (cost + scale.cost()).saturating_sub(bonus);
            Guess { layout, byte_order, word_order, scale, value, plausible, cost }
        })
        .collect()
}

/// Too small for the range to be meant: words that are no float mostly read as one of these.
fn is_speck(value: f64, low: f64, high: f64) -> bool {
    let size = value.abs();
    0.0 < size && size < SPECK * low.abs().max(high.abs())
}

/// Neither a speck nor astronomical: most of the wrong readings of a float are one of the two.
fn is_of_human_size(value: f64) -> bool {
    let size = value.abs();
    size == 0.0 || (1e-3..1e7).contains(&size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most likely one: type, byte order, word order, scale and value, as text.
    fn best(words: &[u16], range: (f64, f64)) -> String {
        let all = guesses(words, Some(range));
        let best = all.first().filter(|guess| guess.plausible).expect("something fits");
        let order = |order| if order == Order::Big { "big" } else { "little" };
        format!(
            "{} {}/{} {} = {}",
            best.layout.name(),
            order(best.byte_order),
            order(best.word_order),
            best.scale.text(),
            best.value
        )
    }

    #[test]
    fn the_range_of_the_quantity_picks_the_layout() {
        let cases: [(&[u16], (f64, f64), &str); 12] = [
            (&[25], (10.0, 60.0), "u16 big/big  = 25"),
            (&[305], (10.0, 60.0), "u16 big/big scale = 0.1 = 30.5"),
            (&[3305], (2.5, 3.65), "u16 big/big scale = 0.001 = 3.305"),
            (&[0xFF33], (-40.0, 85.0), "i16 big/big scale = 0.1 = -20.5"),
            (&[0x1900], (20.0, 30.0), "u16 little/big  = 25"),
            (&[0x41C8, 0x0000], (10.0, 60.0), "f32 big/big  = 25"),
            (&[0x0000, 0x41C8], (10.0, 60.0), "f32 big/little  = 25"),
            (&[0xC841, 0x0000], (10.0, 60.0), "f32 little/big  = 25"),
            (&[0x0001, 0x86A0], (99_000.0, 101_000.0), "u32 big/big  = 100000"),
            (&[0x86A0, 0x0001], (99_000.0, 101_000.0), "u32 big/little  = 100000"),
            (&[0x4039, 0, 0, 0], (20.0, 30.0), "f64 big/big  = 25"),
            (&[0x1234], (1234.0, 1234.0), "bcd16 big/big  = 1234"),
        ];
        for (words, range, expected) in cases {
            assert_eq!(best(words, range), expected, "{words:04x?}");
        }
    }

    #[test]
    fn a_fixed_point_of_the_maker_is_found_where_no_decimal_fits() {
        assert_eq!(best(&[0x1E40], (60.4, 60.6)), "u16 big/big two_pow = 7 = 60.5");
    }

    #[test]
    fn what_fits_comes_before_what_does_not_and_nothing_twice() {
        let all = guesses(&[0x41C8, 0, 0x0001, 0], Some((20.0, 30.0)));
        let first_wrong = all.iter().position(|guess| !guess.plausible).expect("most do not fit");
        assert!(all[first_wrong..].iter().all(|guess| !guess.plausible));
        for (at, guess) in all.iter().enumerate() {
            let again = |other: &&Guess| {
                other.layout.words() == guess.layout.words() && other.value.to_bits() == guess.value.to_bits()
            };
            assert_eq!(all[at + 1..].iter().find(again), None);
        }
    }

    #[test]
    fn without_a_range_what_is_of_human_size_comes_first() {
        let all = guesses(&[0x0000, 0x41C8], None);
        let float = |guess: &Guess| guess.layout == Layout::Float(2) && guess.word_order == Order::Little;
        let wrong = |guess: &Guess| guess.layout == Layout::Float(2) && guess.word_order == Order::Big;
        let at = |which: &dyn Fn(&Guess) -> bool| all.iter().position(which);
        assert!(at(&float) < at(&wrong));
        assert_eq!(guesses(&[], None), []);
        assert!(guesses(&[0x7FC0, 0], None).iter().all(|guess| guess.value.is_finite()));
    }
}
