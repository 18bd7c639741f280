//! From words to a value, or to the reason why there is none.
//!
//! No number leaves that the device did not send: sentinels, NaN, infinities, decimal digits above nine and a
//! wrong count of words are reasons. Scaling is the profile's; 305 × 0.1 gives 30.5. Where the device keeps the
//! exponent of ten in a register of its own, `with_factor` puts the two together once both are read.
//! Whether a number is physically possible, too old or too fast is not judged here but by the core.

use crate::field::profile::{Encoding, Order, PointSpec, ServiceRule, TextSpec};
use crate::safety::reading::ReadFault;
use crate::units::Value;

/// The largest and, negated, the smallest exponent that a scale factor may be (SunSpec's `sunssf`).
const EXPONENT_MAX: i32 = 10;

/// Decodes the words (or the bit, as 0 or 1) of one point. A scale factor is not in it yet: see [`with_factor`].
///
/// # Errors
/// `Malformed` unless there are exactly as many words as the point takes, a bit is 0 or 1 and decimal digits
/// are 0 to 9; `Sentinel` for the device's own marks; `NotANumber` for NaN and infinities, also after scaling.
pub fn value(point: &PointSpec, words: &[u16]) -> Result<Value, ReadFault> {
    let bits = part(point, pattern(point, words)?);
    if point.sentinels.contains(&bits) {
        return Err(ReadFault::Sentinel);
    }
    let number = number(point, bits)?;
    Value::new(scaled(point, number)).ok_or(ReadFault::NotANumber)
}

/// A decoded value times ten to the power of its scale factor, which is `None` while it has not been read.
///
/// # Errors
/// The value's own fault; `NotANumber` where the factor is not known, bad, or no whole number from -10 to 10:
/// a value of unknown size is none.
pub fn with_factor(
    result: Result<Value, ReadFault>,
    factor: Option<Result<Value, ReadFault>>,
) -> Result<Value, ReadFault> {
    let value = result?.get();
    let Some(Ok(factor)) = factor else { return Err(ReadFault::NotANumber) };
    let exponent = (-EXPONENT_MAX..=EXPONENT_MAX)
        .find(|exponent| (f64::from(*exponent) - factor.get()).abs() < f64::EPSILON)
        .ok_or(ReadFault::NotANumber)?;
    // Divided, not multiplied by a fraction: 305 / 10 is 30.5, 305 × 0.1 is not quite.
    let power = 10_f64.powi(exponent.abs());
    let value = if exponent < 0 { value / power } else { value * power };
    Value::new(value).ok_or(ReadFault::NotANumber)
}

/// What a point reads when its device's state reads `state`. A state that is not known takes the point with
/// it: nobody can say that the point measures.
///
/// # Errors
/// `NotInService` in a state that the rule names; the state's own fault; or the point's.
pub fn in_service(
    rule: &ServiceRule,
    state: Result<Value, ReadFault>,
    point: Result<Value, ReadFault>,
) -> Result<Value, ReadFault> {
    let state = state?;
    let named = rule.out_of_service.iter().any(|number| (f64::from(*number) - state.get()).abs() < 0.5);
    if named { Err(ReadFault::NotInService) } else { point }
}

/// Decodes a text: two characters in each word, ended by the first zero, without blanks around it.
///
/// # Errors
/// `Malformed` for a wrong count of words, and for bytes that are no printable text; `Sentinel` if nothing is
/// left.
pub fn text(spec: &TextSpec, words: &[u16]) -> Result<String, ReadFault> {
    if words.len() != usize::from(spec.words) {
        return Err(ReadFault::Malformed);
    }
    let bytes: Vec<u8> =
        words.iter().flat_map(|word| ordered(spec.byte_order, *word).to_be_bytes()).collect();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| ReadFault::Malformed)?.trim();
    match text {
        "" => Err(ReadFault::Sentinel),
        text if text.chars().any(char::is_control) => Err(ReadFault::Malformed),
        text => Ok(text.to_owned()),
    }
}

const fn ordered(order: Order, word: u16) -> u16 {
    match order {
        Order::Big => word,
        Order::Little => word.swap_bytes(),
    }
}

/// The raw bit pattern, in the low bits.
fn pattern(point: &PointSpec, words: &[u16]) -> Result<u64, ReadFault> {
    if words.len() != usize::from(point.words()) {
        return Err(ReadFault::Malformed);
    }
    if point.encoding == Encoding::Bool && 1 < words[0] {
        return Err(ReadFault::Malformed);
    }
    let push = |bits: u64, word: &u16| bits << 16 | u64::from(ordered(point.byte_order, *word));
    Ok(match point.word_order {
        Order::Big => words.iter().fold(0, push),
        Order::Little => words.iter().rev().fold(0, push),
    })
}

/// The bits of the pattern that are the point's own.
fn part(point: &PointSpec, bits: u64) -> u64 {
    point.part.map_or(bits, |part| bits >> part.shift & (u64::MAX >> (64 - u32::from(part.width))))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "the pattern holds exactly the bits of its encoding; 64-bit integers give the nearest f64, as documented"
)]
fn number(point: &PointSpec, bits: u64) -> Result<f64, ReadFault> {
    Ok(match point.encoding {
        Encoding::Bool | Encoding::U16 | Encoding::U32 | Encoding::U64 => bits as f64,
        Encoding::I16 | Encoding::I32 | Encoding::I64 => {
            let width = point.part.map_or(16 * u32::from(point.words()), |part| u32::from(part.width));
            // The sign is pushed to the top and drawn back down.
            let unused = 64 - width;
            ((bits << unused) as i64 >> unused) as f64
        }
        Encoding::F32 => f64::from(f32::from_bits(bits as u32)),
        Encoding::F64 => f64::from_bits(bits),
        Encoding::Bcd16 | Encoding::Bcd32 => decimal_digits(bits).ok_or(ReadFault::Malformed)? as f64,
        Encoding::Sm16 => {
            let magnitude = f64::from(bits as u16 & 0x7FFF);
            if bits & 0x8000 == 0 || magnitude < 1.0 { magnitude } else { -magnitude }
        }
    })
}

/// Digits of four bits each; `None` if one is above nine.
fn decimal_digits(bits: u64) -> Option<u64> {
    let digits = (0..16).rev().map(|place| bits >> (4 * place) & 0xF);
    digits.into_iter().try_fold(0, |number, digit| (digit <= 9).then_some(number * 10 + digit))
}

fn scaled(point: &PointSpec, number: f64) -> f64 {
    let scaling = &point.scaling;
    let value = number * scaling.scale + scaling.offset;
    match scaling.decimal {
        Some(decimal) => {
            let rounded = (value * decimal).round() / decimal;
            if rounded.is_finite() { rounded } else { value }
        }
        None => value,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::field::profile::Profile;

    fn point(more: &str) -> PointSpec {
        let text = format!(
            "id = \"x\"\nvendor = \"v\"\nmodels = []\nkind = \"gas\"\nsource = \"s\"\n\
             [[point]]\nname = \"p\"\ntable = \"input\"\naddress = 1\nclass = \"fast\"\n{more}\n"
        );
        Profile::parse(&text, "x").unwrap().points.remove(0)
    }

    fn label(words: u16, byte_order: Order) -> TextSpec {
        TextSpec {
            name: "serial".to_owned(),
            table: crate::field::profile::Table::Holding,
            address: 0,
            words,
            byte_order,
            model: None,
            model_index: 0,
        }
    }

    fn decoded(more: &str, words: &[u16]) -> Result<f64, ReadFault> {
        value(&point(more), words).map(Value::get)
    }

    #[test]
    fn every_type_decodes_in_every_order() {
        let cases: [(&str, &[u16], f64); 26] = [
            ("type = \"u16\"", &[0xFFFE], 65534.0),
            ("type = \"i16\"", &[0xFFFE], -2.0),
            ("type = \"u16\"\nbyte_order = \"little\"", &[0x3412], 4660.0),
            ("type = \"u32\"", &[0x0001, 0x0002], 65538.0),
            ("type = \"u32\"\nword_order = \"little\"", &[0x0002, 0x0001], 65538.0),
            ("type = \"u32\"\nbyte_order = \"little\"", &[0x0100, 0x0200], 65538.0),
            ("type = \"i32\"", &[0xFFFF, 0xFFFF], -1.0),
            ("type = \"u64\"", &[0, 0, 1, 0], 65536.0),
            ("type = \"i64\"\nword_order = \"little\"", &[0xFFFD, 0xFFFF, 0xFFFF, 0xFFFF], -3.0),
            ("type = \"f32\"", &[0x41C8, 0], 25.0),
            ("type = \"f64\"", &[0x4039, 0, 0, 0], 25.0),
            ("type = \"i16\"\nscale = 0.1", &[305], 30.5),
            ("type = \"u16\"\nscale = 0.1\noffset = -273.15", &[2982], 25.05),
            ("type = \"i16\"\ntwo_pow = 7", &[0xFB00], -10.0),
            ("type = \"bcd16\"", &[0x2024], 2024.0),
            ("type = \"bcd32\"\nscale = 0.01", &[0x0012, 0x3456], 1234.56),
            ("type = \"sm16\"", &[0x8005], -5.0),
            ("type = \"sm16\"", &[0x8000], 0.0),
            ("type = \"u8_high\"", &[0x12FE], 18.0),
            ("type = \"u8_low\"", &[0x12FE], 254.0),
            ("type = \"i8_low\"\noffset = 1", &[0x12FE], -1.0),
            ("type = \"i8_high\"\nbyte_order = \"little\"", &[0x12FE], -2.0),
            ("type = \"u16\"\nshift = 0\nwidth = 3", &[0xFFFA], 2.0),
            ("type = \"u16\"\nmask = 0x0070", &[0x0050], 5.0),
            ("type = \"u32\"\nmask = 0x00FF0000", &[0x1203, 0x4567], 3.0),
            ("type = \"i16\"\nshift = 4\nwidth = 4", &[0x00F0], -1.0),
        ];
        for (more, words, expected) in cases {
            let got = decoded(more, words).unwrap();
            assert_eq!(got.to_bits(), expected.to_bits(), "{more}: {got}");
        }
    }

    #[test]
    fn b18_what_is_no_number_becomes_a_reason() {
        let cases: [(&str, &[u16], ReadFault); 12] = [
            ("type = \"u16\"\nsentinels = [0xFFFF]", &[0xFFFF], ReadFault::Sentinel),
            ("type = \"i16\"\nsentinels = [-32768]", &[0x8000], ReadFault::Sentinel),
            ("type = \"i32\"\nsentinels = [-1]", &[0xFFFF, 0xFFFF], ReadFault::Sentinel),
            ("type = \"f32\"", &[0x7FC0, 0], ReadFault::NotANumber),
            ("type = \"f32\"", &[0x7F80, 0], ReadFault::NotANumber),
            ("type = \"f64\"\nscale = 1e300", &[0x7FEF, 0, 0, 0], ReadFault::NotANumber),
            ("type = \"u16\"", &[], ReadFault::Malformed),
            ("type = \"u16\"", &[1, 2], ReadFault::Malformed),
            ("type = \"u32\"", &[1], ReadFault::Malformed),
            ("type = \"bcd16\"", &[0x200A], ReadFault::Malformed),
            ("type = \"bcd32\"", &[0xF000, 0], ReadFault::Malformed),
            ("type = \"u8_high\"\nsentinels = [0xFF]", &[0xFF12], ReadFault::Sentinel),
        ];
        for (more, words, expected) in cases {
            assert_eq!(decoded(more, words), Err(expected), "{more}");
        }
    }

    #[test]
    fn b18_no_words_of_any_type_make_a_number_that_is_none() {
        let encodings = ["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "sm16", "bcd16", "bcd32"];
        let odd = [0, 1, 0x7F80, 0x7FC0, 0x7FEF, 0x7FF0, 0x7FF8, 0x7FFF, 0x8000, 0xFF80, 0xFFF0, 0xFFFF];
        for encoding in encodings {
            for order in ["", "\nbyte_order = \"little\""] {
                let point = point(&format!("type = \"{encoding}\"{order}\nscale = 1e150"));
                for first in odd {
                    for rest in odd {
                        let words: Vec<u16> =
                            (0..point.words()).map(|at| if at == 0 { first } else { rest }).collect();
                        if let Ok(number) = value(&point, &words) {
                            assert!(number.get().is_finite(), "{encoding} {words:x?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn b19_swapped_bytes_or_words_are_outside_a_range_that_means_something() {
        // 38.5 in tenths, 41 in hundredths, 38.5 as a float, read in each of the wrong orders. Not every number shows
        // it: 38.50 in hundredths is 25.75 with its bytes swapped, which is what the label on the device is for.
        let cases: [(&str, &[u16]); 4] = [
            ("type = \"u16\"\nscale = 0.1", &[385]),
            ("type = \"u32\"\nscale = 0.01", &[0, 4100]),
            ("type = \"i32\"\nscale = 0.01", &[0, 4100]),
            ("type = \"f32\"", &[0x421A, 0]),
        ];
        let range = 20.0..=60.0;
        let orders = [("big", "big"), ("little", "big"), ("big", "little"), ("little", "little")];
        for (more, words) in cases {
            for (byte, word) in orders {
                let word =
                    if words.len() == 1 { String::new() } else { format!("\nword_order = \"{word}\"") };
                let got = decoded(&format!("{more}\nbyte_order = \"{byte}\"{word}"), words);
                let is_right = byte == "big" && !word.contains("little");
                let plausible = got.is_ok_and(|number| range.contains(&number));
                assert_eq!(plausible, is_right, "{more} {byte}{word}: {got:?}");
            }
        }
    }

    #[test]
    fn a_scale_factor_gives_exact_decimals_and_a_bad_one_no_value() {
        let number = |n| Ok(Value::new(n).unwrap());
        let cases = [(305.0, -1.0, 30.5), (7.0, 2.0, 700.0), (3331.0, -3.0, 3.331), (5.0, 0.0, 5.0)];
        for (value, factor, expected) in cases {
            let got = with_factor(number(value), Some(number(factor))).unwrap();
            assert_eq!(got.get().to_bits(), f64::to_bits(expected), "{value} and {factor}: {got}");
        }
        for factor in [11.0, -11.0, 0.5, 1e300] {
            assert_eq!(with_factor(number(1.0), Some(number(factor))), Err(ReadFault::NotANumber));
        }
        assert_eq!(with_factor(number(1.0), None), Err(ReadFault::NotANumber));
        assert_eq!(with_factor(number(1.0), Some(Err(ReadFault::Sentinel))), Err(ReadFault::NotANumber));
        assert_eq!(with_factor(Err(ReadFault::Timeout), Some(number(0.0))), Err(ReadFault::Timeout));
    }

    #[test]
    fn a_text_ends_at_the_first_zero_and_holds_nothing_unprintable() {
        assert_eq!(text(&label(3, Order::Big), &[0x4142, 0x4300, 0x5858]).unwrap(), "ABC");
        assert_eq!(text(&label(2, Order::Little), &[0x4241, 0x2043]).unwrap(), "ABC");
        assert_eq!(text(&label(2, Order::Big), &[0x2020, 0]), Err(ReadFault::Sentinel));
        assert_eq!(text(&label(1, Order::Big), &[0x4107]), Err(ReadFault::Malformed));
        assert_eq!(text(&label(1, Order::Big), &[0xFFFF]), Err(ReadFault::Malformed));
        assert_eq!(text(&label(2, Order::Big), &[0x4142]), Err(ReadFault::Malformed));
    }

    #[test]
    fn a_point_measures_only_while_its_state_says_so() {
        let rule = ServiceRule { state: 0, out_of_service: vec![2], applies_to: vec![1] };
        let number = |n| Ok(Value::new(n).unwrap());
        assert_eq!(in_service(&rule, number(1.0), number(7.0)), number(7.0));
        assert_eq!(in_service(&rule, number(2.0), number(7.0)), Err(ReadFault::NotInService));
        assert_eq!(
            in_service(&rule, Err(ReadFault::Exception(2)), number(7.0)),
            Err(ReadFault::Exception(2))
        );
        assert_eq!(in_service(&rule, number(1.0), Err(ReadFault::Timeout)), Err(ReadFault::Timeout));
    }

    proptest! {
        #[test]
        fn no_words_make_a_text_that_cannot_be_shown(
            words in proptest::collection::vec(any::<u16>(), 4), little in any::<bool>(),
        ) {
            let order = if little { Order::Little } else { Order::Big };
            if let Ok(text) = text(&label(4, order), &words) {
                prop_assert!(!text.is_empty() && text.chars().all(|letter| !letter.is_control()));
            }
        }

        #[test]
        fn no_words_make_it_panic_or_give_more_than_a_finite_number(
            words in proptest::collection::vec(any::<u16>(), 0..6),
            kind in 0_usize..14,
            scale in prop_oneof![Just(1.0), Just(0.1), Just(1e300), Just(1e-300)],
        ) {
            let kind = [
                "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "bcd16", "bcd32", "sm16", "u8_high",
                "i8_low", "i8_high",
            ][kind];
            if let Ok(value) = decoded(&format!("type = \"{kind}\"\nscale = {scale:?}"), &words) {
                prop_assert!(value.is_finite());
            }
        }
    }
}
