//! One code: 24 random characters and one that checks them, from an alphabet of 29 without look-alikes.
//!
//! The check is a sum modulo 29 with the weights 1 to 25. 29 is prime and greater than every weight, so one wrong
//! character and any two that changed places are always noticed. It tells mistyped from wrong, and protects nothing.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};

/// Without 0 and O, without 1, I and L, and without S and U, which look like 5 and V.
pub(super) const ALPHABET: &[u8; 29] = b"23456789ABCDEFGHJKMNPQRTVWXYZ";
const PRIME: u32 = 29;
/// Characters of a code.
pub(super) const LENGTH: usize = 25;
const GROUP: usize = 5;
/// The inverse of 25, the check character's weight: 25 · 7 = 175 = 6 · 29 + 1.
const INVERSE: u32 = 7;

/// A one-time code. It is shown only on its sheet.
pub struct Code(SecretString);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code")
    }
}

impl Code {
    /// A new one, with 116 bits of randomness.
    #[must_use]
    pub(super) fn random() -> Self {
        let mut random = rand::rng();
        let mut values: Vec<u32> = (1..LENGTH).map(|_| random.random_range(0..PRIME)).collect();
        values.push((PRIME - weighted(&values)) * INVERSE % PRIME);
        Self(values.iter().filter_map(|value| letter(*value)).collect::<String>().into())
    }

    /// What somebody typed: blanks, `-` and the letters' case do not matter. `None` where that is no code at all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.chars().filter(|c| !matches!(c, ' ' | '\t' | '-'));
        let letters: String = letters.take(LENGTH + 1).map(|c| c.to_ascii_uppercase()).collect();
        let values: Vec<u32> = letters.chars().map(value).collect::<Option<_>>()?;
        (values.len() == LENGTH && weighted(&values) == 0).then(|| Self(letters.into()))
    }

    /// As the sheet has it: five groups of five.
    #[must_use]
    pub(super) fn shown(&self) -> SecretString {
        let letters: Vec<char> = self.0.expose_secret().chars().collect();
        let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
        groups.join("-").into()
    }

    /// What the file keeps of it.
    #[must_use]
    pub(super) fn hash(&self, file: &str, salt: &[u8]) -> [u8; 32] {
        // Each part's length is fixed, so no two inputs look the same.
        let mut text = b"sallyport code 1 ".to_vec();
        text.extend_from_slice(file.as_bytes());
        text.extend_from_slice(salt);
        text.extend_from_slice(self.0.expose_secret().as_bytes());
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest(&SHA256, &text).as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }
}

fn weighted(values: &[u32]) -> u32 {
    (1..).zip(values).map(|(weight, value): (u32, _)| weight * value).sum::<u32>() % PRIME
}

fn letter(value: u32) -> Option<char> {
    ALPHABET.get(value as usize).copied().map(char::from)
}

fn value(letter: char) -> Option<u32> {
    let at = ALPHABET.iter().position(|known| char::from(*known) == letter)?;
    u32::try_from(at).ok()
}
