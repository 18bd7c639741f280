//! Standard Webhooks signatures over `id.timestamp.body`: HMAC-SHA256 (`v1`) and Ed25519 (`v1a`).
//!
//! A target may have several keys while they are being rotated: each signs, and the receiver is content with
//! the one it knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use secrecy::{ExposeSecret, SecretString};

/// The shortest and longest symmetric key by the scheme, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// An Ed25519 key is its seed …
const SEED_BYTES: usize = 32;
/// … or its seed and the public key after it.
const PAIR_BYTES: usize = 64;

/// The keys of one target.
pub(super) struct Signer(Vec<Key>);

enum Key {
    Symmetric(hmac::Key),
    Asymmetric(Ed25519KeyPair),
}

impl Signer {
    /// `None` if there is no key, or one is not what the scheme knows.
    pub(super) fn new(keys: &[SecretString]) -> Option<Self> {
        let keys: Vec<Key> = keys.iter().map(|key| Key::new(key.expose_secret())).collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The value of the `webhook-signature` header.
    pub(super) fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let mut content = format!("{id}.{timestamp_s}.").into_bytes();
        content.extend_from_slice(body);
        let signatures = self.0.iter().map(|key| match key {
            Key::Symmetric(key) => format!("v1,{}", STANDARD.encode(hmac::sign(key, &content))),
            Key::Asymmetric(pair) => format!("v1a,{}", STANDARD.encode(pair.sign(&content))),
        });
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// What receivers verify `v1a` with: `whpk_…`.
    pub(super) fn public_keys(&self) -> Vec<String> {
        let pairs = self.0.iter().filter_map(|key| match key {
            Key::Symmetric(_) => None,
            Key::Asymmetric(pair) => Some(format!("whpk_{}", STANDARD.encode(pair.public_key()))),
        });
        pairs.collect()
    }
}

impl Key {
    fn new(text: &str) -> Option<Self> {
        if let Some(text) = text.strip_prefix("whsec_") {
            let key = STANDARD.decode(text).ok()?;
            return KEY_BYTES
                .contains(&key.len())
                .then(|| Self::Symmetric(hmac::Key::new(hmac::HMAC_SHA256, &key)));
        }
        let key = STANDARD.decode(text.strip_prefix("whsk_")?).ok()?;
        let pair = match key.len() {
            SEED_BYTES => Ed25519KeyPair::from_seed_unchecked(&key),
            PAIR_BYTES => {
                let (seed, public) = key.split_at(SEED_BYTES);
                Ed25519KeyPair::from_seed_and_public_key(seed, public)
            }
            _ => return None,
        };
        pair.ok().map(Self::Asymmetric)
    }
}

/// Whether this is a key that messages can be signed with.
pub(super) fn is_key(key: &SecretString) -> bool {
    Key::new(key.expose_secret()).is_some()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use ring::signature::{ED25519, UnparsedPublicKey};

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    /// The first test vector of RFC 8032, section 7.1.
    const SEED: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn accepts(secret: &str, signature: &str, body: &[u8]) -> bool {
        let mut headers = reqwest::header::HeaderMap::new();
        let now = crate::clock::now().wall.0 / 1000;
        for (name, value) in [
            ("webhook-id", "msg_1".to_owned()),
            ("webhook-timestamp", now.to_string()),
            ("webhook-signature", signature.to_owned()),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        standardwebhooks::Webhook::new(secret).unwrap().verify(body, &headers).is_ok()
    }

    #[test]
    fn x10_while_keys_are_rotated_the_reference_accepts_with_either_and_no_flipped_bit() {
        let signer = Signer::new(&[OLD.into(), NEW.into(), SEED.into()]).unwrap();
        let now = crate::clock::now().wall.0 / 1000;
        let body = br#"{"type":"test"}"#;
        let signature = signer.sign("msg_1", now, body);
        assert!(accepts(OLD, &signature, body) && accepts(NEW, &signature, body));
        assert!(!accepts("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &signature, body));
        for bit in 0..body.len() * 8 {
            let mut flipped = body.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepts(OLD, &signature, &flipped), "bit {bit}");
        }
    }

    #[test]
    fn an_asymmetric_signature_is_verified_with_the_public_key() {
        let signer = Signer::new(&[SEED.into()]).unwrap();
        assert_eq!(signer.public_keys(), [PUBLIC]);
        let signature = signer.sign("msg_1", 7, b"{}");
        let raw = STANDARD.decode(signature.strip_prefix("v1a,").unwrap()).unwrap();
        let public = STANDARD.decode(PUBLIC.strip_prefix("whpk_").unwrap()).unwrap();
        let key = UnparsedPublicKey::new(&ED25519, public);
        assert!(key.verify(b"msg_1.7.{}", &raw).is_ok());
        assert!(key.verify(b"msg_1.7.{ }", &raw).is_err());
    }

    #[test]
    fn what_is_no_key_of_the_scheme_is_refused() {
        for bad in ["whsec_AAAA", "whsk_AAAA", "secret", PUBLIC] {
            assert!(Signer::new(&[bad.into()]).is_none(), "{bad}");
        }
        assert!(Signer::new(&[]).is_none());
        assert!(Signer::new(&[OLD.into(), "whsec_AAAA".into()]).is_none(), "one bad key spoils all");
    }
}
