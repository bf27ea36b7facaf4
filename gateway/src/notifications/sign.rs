//! Signatures as the Standard Webhooks have them: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`. The secret
//! is base64, with or without `whsec_` before it. A file of several lines holds several secrets; each signs, and a
//! receiver that knows one of them is satisfied: that is how a secret is changed without a gap.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign as hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// Shorter secrets can be guessed.
const MIN_BYTES: usize = 24;
/// How many secrets a file may hold.
const MOST: usize = 4;

/// The header's value.
pub(super) fn sign(secrets: &SecretString, id: &str, timestamp: i64, body: &[u8]) -> Result<String, String> {
    let lines: Vec<_> =
        secrets.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.len() > MOST {
        return Err(format!("the secret's file has over {MOST} lines"));
    }
    let mut signatures = Vec::new();
    for line in lines {
        let secret = STANDARD.decode(line.strip_prefix("whsec_").unwrap_or(line)).unwrap_or_default();
        if secret.len() < MIN_BYTES {
            return Err(format!(
                "the secret is not base64 of at least {MIN_BYTES} bytes: make one with `openssl rand -base64 32`"
            ));
        }
        let mut text = format!("{id}.{timestamp}.").into_bytes();
        text.extend_from_slice(body);
        let tag = hmac(&Key::new(HMAC_SHA256, &secret), &text);
        signatures.push(format!("v1,{}", STANDARD.encode(tag.as_ref())));
    }
    Ok(signatures.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the Standard Webhooks' reference libraries.
    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn signed(secret: &str) -> Result<String, String> {
        sign(&SecretString::from(secret), ID, 1_614_265_330, br#"{"test": 2432232314}"#)
    }

    #[test]
    fn the_reference_example_is_signed_alike_with_and_without_the_prefix() {
        assert_eq!(signed(SECRET).unwrap(), SIGNATURE);
        assert_eq!(signed(&format!("whsec_{SECRET}")).unwrap(), SIGNATURE);
    }

    #[test]
    fn during_a_change_both_secrets_sign() {
        let both = signed(&format!("{}\nwhsec_{SECRET}\n", STANDARD.encode([7; 32]))).unwrap();
        let both: Vec<_> = both.split(' ').collect();
        assert_eq!((both.len(), both[1]), (2, SIGNATURE));
        assert_ne!(both[0], both[1]);
    }

    #[test]
    fn a_secret_that_is_weak_or_no_base64_is_refused() {
        for secret in
            ["hunter2", "whsec_", "not base64 at all, however long it is!", &STANDARD.encode([1; 23])]
        {
            assert!(signed(secret).unwrap_err().contains("openssl rand"), "{secret}");
        }
        assert!(signed(&format!("{SECRET}\n").repeat(5)).is_err());
    }
}
