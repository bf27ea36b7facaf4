//! Line ends for a terminal that nobody puts them on: programs in a pipeline write to no PTY.

use bytes::{Bytes, BytesMut};

/// Puts a carriage return before every line feed that has none, across frames.
#[derive(Debug, Default)]
pub(super) struct Returns {
    last: u8,
}

impl Returns {
    /// The frame as a terminal in raw mode needs it.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(bytes.len() + bytes.len() / 16);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    out.extend_from_slice(text);
                    let before = text.last().copied().unwrap_or(self.last);
                    out.extend_from_slice(if before == b'\r' { b"\n" } else { b"\r\n" });
                }
                None => out.extend_from_slice(line),
            }
            self.last = line.last().copied().unwrap_or(self.last);
        }
        out.freeze()
    }

    /// Takes note of what was shown otherwise.
    pub(super) fn saw(&mut self, bytes: &[u8]) {
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// Whether the last thing shown ended a line.
    pub(super) const fn at_line_start(&self) -> bool {
        matches!(self.last, b'\n' | 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_feed_gets_one_carriage_return_also_across_frames() {
        let mut returns = Returns::default();
        assert_eq!(returns.pass(b"one\ntwo\r\nthree\r"), "one\r\ntwo\r\nthree\r");
        assert_eq!(returns.pass(b"\nfour"), "\nfour");
        assert!(!returns.at_line_start());
        assert_eq!(returns.pass(b"\n\n"), "\r\n\r\n");
        assert!(returns.at_line_start());
    }
}
