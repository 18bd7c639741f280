//! From words to a value, or to the reason why there is none.
//!
//! No number leaves that the device did not send: sentinels, NaN, infinities and a wrong count of words are
//! reasons. Scaling is the profile's; 305 × 0.1 gives 30.5. Whether a number is physically possible, too old
//! or too fast is not judged here but by the core.

use crate::field::profile::{Encoding, Order, PointSpec, ServiceRule};
use crate::safety::reading::ReadFault;
use crate::units::Value;

/// Decodes the words (or the bit, as 0 or 1) of one point.
///
/// # Errors
/// `Malformed` unless there are exactly as many words as the point takes, or a bit is neither 0 nor 1;
/// `Sentinel` for the device's own marks; `NotANumber` for NaN and infinities, also after scaling.
pub fn value(point: &PointSpec, words: &[u16]) -> Result<Value, ReadFault> {
    let bits = pattern(point, words)?;
    if point.sentinels.contains(&bits) {
        return Err(ReadFault::Sentinel);
    }
    let number = number(point.encoding, bits);
    Value::new(scaled(point, number)).ok_or(ReadFault::NotANumber)
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

/// The raw bit pattern, in the low bits.
fn pattern(point: &PointSpec, words: &[u16]) -> Result<u64, ReadFault> {
    if words.len() != usize::from(point.words()) {
        return Err(ReadFault::Malformed);
    }
    if point.encoding == Encoding::Bool && 1 < words[0] {
        return Err(ReadFault::Malformed);
    }
    let push = |bits: u64, word: &u16| {
        let word = match point.byte_order {
            Order::Big => *word,
            Order::Little => word.swap_bytes(),
        };
        bits << 16 | u64::from(word)
    };
    Ok(match point.word_order {
        Order::Big => words.iter().fold(0, push),
        Order::Little => words.iter().rev().fold(0, push),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "the pattern holds exactly the bits of its encoding; 64-bit integers give the nearest f64, as documented"
)]
fn number(encoding: Encoding, bits: u64) -> f64 {
    match encoding {
        Encoding::Bool | Encoding::U16 | Encoding::U32 | Encoding::U64 => bits as f64,
        Encoding::I16 => f64::from(bits as u16 as i16),
        Encoding::I32 => f64::from(bits as u32 as i32),
        Encoding::I64 => bits as i64 as f64,
        Encoding::F32 => f64::from(f32::from_bits(bits as u32)),
        Encoding::F64 => f64::from_bits(bits),
    }
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

    fn decoded(more: &str, words: &[u16]) -> Result<f64, ReadFault> {
        value(&point(more), words).map(Value::get)
    }

    #[test]
    fn every_type_decodes_in_every_order() {
        let cases: [(&str, &[u16], f64); 14] = [
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
        ];
        for (more, words, expected) in cases {
            let got = decoded(more, words).unwrap();
            assert_eq!(got.to_bits(), expected.to_bits(), "{more}: {got}");
        }
    }

    #[test]
    fn what_is_no_number_becomes_a_reason() {
        let cases: [(&str, &[u16], ReadFault); 9] = [
            ("type = \"u16\"\nsentinels = [0xFFFF]", &[0xFFFF], ReadFault::Sentinel),
            ("type = \"i16\"\nsentinels = [-32768]", &[0x8000], ReadFault::Sentinel),
            ("type = \"i32\"\nsentinels = [-1]", &[0xFFFF, 0xFFFF], ReadFault::Sentinel),
            ("type = \"f32\"", &[0x7FC0, 0], ReadFault::NotANumber),
            ("type = \"f32\"", &[0x7F80, 0], ReadFault::NotANumber),
            ("type = \"f64\"\nscale = 1e300", &[0x7FEF, 0, 0, 0], ReadFault::NotANumber),
            ("type = \"u16\"", &[], ReadFault::Malformed),
            ("type = \"u16\"", &[1, 2], ReadFault::Malformed),
            ("type = \"u32\"", &[1], ReadFault::Malformed),
        ];
        for (more, words, expected) in cases {
            assert_eq!(decoded(more, words), Err(expected), "{more}");
        }
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
        fn no_words_make_it_panic_or_give_more_than_a_finite_number(
            words in proptest::collection::vec(any::<u16>(), 0..6),
            kind in 0_usize..8,
            scale in prop_oneof![Just(1.0), Just(0.1), Just(1e300), Just(1e-300)],
        ) {
            let kind = ["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"][kind];
            if let Ok(value) = decoded(&format!("type = \"{kind}\"\nscale = {scale:?}"), &words) {
                prop_assert!(value.is_finite());
            }
        }
    }
}
