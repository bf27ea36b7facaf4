//! Bytes of a stream as text, across chunks.

/// Decodes UTF-8 that arrives in pieces: a character cut in two is held back, what is not UTF-8 becomes U+FFFD.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The beginning of a character, three bytes at most.
    held: Vec<u8>,
}

impl Decoder {
    pub(super) fn decode(&mut self, bytes: &[u8], out: &mut String) {
        let joined;
        let bytes = if self.held.is_empty() {
            bytes
        } else {
            let mut whole = std::mem::take(&mut self.held);
            whole.extend_from_slice(bytes);
            joined = whole;
            joined.as_slice()
        };
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            out.push_str(chunk.valid());
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            let last = chunks.peek().is_none();
            let cut = last && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if cut {
                self.held = invalid.to_vec();
            } else {
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    /// The stream is over: what is held back will not be completed.
    pub(super) fn finish(&mut self, out: &mut String) {
        if !std::mem::take(&mut self.held).is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cutting_the_stream_anywhere_changes_nothing(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select("é界🙂".as_bytes().to_vec())], 0..64),
            cuts in prop::collection::vec(0..64_usize, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let (mut decoder, mut text) = (Decoder::default(), String::new());
            for pair in cuts.windows(2) {
                decoder.decode(&bytes[pair[0]..pair[1]], &mut text);
            }
            decoder.finish(&mut text);
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
