//! Standard Webhooks signatures: HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

/// The shortest and longest key by the scheme, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that signs messages.
#[derive(Debug)]
pub(super) struct Signer(hmac::Key);

impl Signer {
    /// From `whsec_…`; `None` if it is not base64 of 24 to 64 bytes.
    pub(super) fn new(secret: &SecretString) -> Option<Self> {
        let key = STANDARD.decode(secret.expose_secret().strip_prefix("whsec_")?).ok()?;
        KEY_BYTES.contains(&key.len()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The value of the `webhook-signature` header.
    pub(super) fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp_s}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}
