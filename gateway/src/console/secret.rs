//! Random words, and comparing them without telling by the time it takes how much of one was right.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What is kept of a secret: its SHA-256.
pub(super) type Hash = [u8; 32];

/// 256 bits at random, as cookies and forms carry them.
pub(super) fn word() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

pub(super) fn hash(text: &str) -> Hash {
    let mut hash = Hash::default();
    let found = digest(&SHA256, text.as_bytes());
    hash.iter_mut().zip(found.as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}
