//! Strict recordings show nothing that is not on disk, and text is written in whole characters: the beginning of a
//! character is held back, three bytes at most for each stream, until the rest of it comes or the stream is over.

use bytes::{Bytes, BytesMut};

use super::cast::Source;

/// What is held back.
#[derive(Debug, Default)]
pub(super) struct Held {
    output: Bytes,
    errors: Bytes,
}

impl Held {
    /// What can be shown now: what was held back and all of `bytes` but the beginning of a character at its end.
    pub(super) fn pass(&mut self, source: Source, bytes: &Bytes) -> Bytes {
        let held = self.of(source);
        let whole = if held.is_empty() {
            bytes.clone()
        } else {
            let mut whole = BytesMut::with_capacity(held.len() + bytes.len());
            whole.extend_from_slice(held);
            whole.extend_from_slice(bytes);
            whole.freeze()
        };
        let end = whole.len() - cut_off(&whole);
        *held = Bytes::copy_from_slice(whole.get(end..).unwrap_or_default());
        whole.slice(..end)
    }

    /// What is left of a stream that is over.
    pub(super) fn rest(&mut self, source: Source) -> Bytes {
        std::mem::take(self.of(source))
    }

    const fn of(&mut self, source: Source) -> &mut Bytes {
        match source {
            Source::Output => &mut self.output,
            Source::Errors => &mut self.errors,
        }
    }
}

/// How many bytes at the end are the beginning of a character that may still come.
fn cut_off(bytes: &[u8]) -> usize {
    let tail = bytes.get(bytes.len().saturating_sub(3)..).unwrap_or_default();
    let beginning = |from: &usize| {
        let part = tail.get(*from..).unwrap_or_default();
        std::str::from_utf8(part).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (0..tail.len()).find(beginning).map_or(0, |from| tail.len() - from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_beginning_of_a_character_is_held_back() {
        for (bytes, held) in [
            (&b""[..], 0),
            (b"abc", 0),
            ("界".as_bytes(), 0),
            (b"ab\xe7", 1),
            (b"ab\xe7\x95", 2),
            (b"\xf0\x9f\x99", 3),
            (b"\xff", 0),
            (b"\xe7a", 0),
            (b"\x80\x80\x80", 0),
        ] {
            assert_eq!(cut_off(bytes), held, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_added_or_reordered_and_little_is_held(
            chunks in prop::collection::vec(prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select("é界🙂".as_bytes().to_vec())], 0..8), 0..16),
        ) {
            let (mut held, mut shown) = (Held::default(), Vec::new());
            for chunk in &chunks {
                shown.extend_from_slice(&held.pass(Source::Output, &Bytes::copy_from_slice(chunk)));
                prop_assert!(held.output.len() <= 3);
            }
            shown.extend_from_slice(&held.rest(Source::Output));
            prop_assert_eq!(shown, chunks.concat());
        }
    }
}
