//! Line ends for a terminal that nobody puts them on: programs in a pipeline write to no PTY.

use bytes::{Bytes, BytesMut};

/// Puts a carriage return before every line feed that has none, across frames.
#[derive(Debug, Default)]
pub(super) struct Returns {
    last: u8,
    place: Place,
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
        self.place.follow(bytes);
        out.freeze()
    }

    /// Takes note of what was shown otherwise.
    pub(super) fn saw(&mut self, bytes: &[u8]) {
        self.last = bytes.last().copied().unwrap_or(self.last);
        self.place.follow(bytes);
    }

    /// Whether the cursor stands in the first column.
    pub(super) const fn at_line_start(&self) -> bool {
        !self.place.along
    }
}

/// Whether the cursor stands behind something in its row. What moves it up, down and back is not followed; an
/// alternate screen (`top`, `less`, `vi`) gives back where it was.
#[derive(Debug, Default)]
struct Place {
    along: bool,
    before: bool,
    within: Within,
    parameters: Vec<u8>,
}

/// Where in an escape sequence.
#[derive(Debug, Default, Clone, Copy)]
enum Within {
    #[default]
    Text,
    Escape,
    Sequence,
    /// Up to its end, such as a title.
    Words,
}

/// The most parameters of a sequence that are kept.
const PARAMETERS: usize = 16;

impl Place {
    fn follow(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.take(byte);
        }
    }

    fn take(&mut self, byte: u8) {
        self.within = match (self.within, byte) {
            (_, 0x1b) => Within::Escape,
            (Within::Text, b'\r' | b'\n') => {
                self.along = false;
                Within::Text
            }
            (Within::Text, b'\t' | 0x20..) => {
                self.along = true;
                Within::Text
            }
            (Within::Text, _) => Within::Text,
            (Within::Escape, b'[') => {
                self.parameters.clear();
                Within::Sequence
            }
            (Within::Escape, b']' | b'P' | b'X' | b'^' | b'_') => Within::Words,
            (Within::Escape, 0x20..=0x2f) => Within::Escape,
            (Within::Escape, _) | (Within::Words, 7) => Within::Text,
            (Within::Words, _) => Within::Words,
            (Within::Sequence, 0x40..=0x7e) => {
                self.moved(byte);
                Within::Text
            }
            (Within::Sequence, _) => {
                if self.parameters.len() < PARAMETERS {
                    self.parameters.push(byte);
                }
                Within::Sequence
            }
        };
    }

    fn moved(&mut self, last: u8) {
        let parameters = self.parameters.as_slice();
        let first = |column: &[u8]| matches!(column, b"" | b"1");
        match last {
            b'h' if is_other_screen(parameters) => self.before = self.along,
            b'l' if is_other_screen(parameters) => self.along = self.before,
            b'E' | b'F' => self.along = false,
            b'G' | b'`' => self.along = !first(parameters),
            b'H' | b'f' => self.along = !first(parameters.split(|b| *b == b';').nth(1).unwrap_or_default()),
            b'C' | b'a' => self.along = true,
            _ => {}
        }
    }
}

fn is_other_screen(parameters: &[u8]) -> bool {
    matches!(parameters, b"?1049" | b"?1047" | b"?47")
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

    #[test]
    fn whether_a_row_has_begun_is_known_behind_sequences_and_other_screens() {
        for (bytes, fresh) in [
            (&b""[..], true),
            (b"a", false),
            (b"a\r\n", true),
            (b"a\r\n\x1b[?2004l", true),
            (b"a\x1b[0m", false),
            (b"\x1b]0;title\x07", true),
            (b"\x1b]0;title\x1b\\", true),
            (b"\x1b(B\x1b[m", true),
            (b"\x1b[?1049h\x1b[24;1Htext\x1b[?1049l", true),
            (b"text\x1b[?1049h\r\n\x1b[?1049l", false),
            (b"text\x1b[H", true),
            (b"\x1b[3;7H", false),
            (b"text\x1b[G", true),
            ("\u{e9}".as_bytes(), false),
        ] {
            let mut whole = Returns::default();
            whole.saw(bytes);
            let mut pieces = Returns::default();
            bytes.chunks(1).for_each(|byte| pieces.saw(byte));
            let shown = bytes.escape_ascii();
            assert_eq!((whole.at_line_start(), pieces.at_line_start()), (fresh, fresh), "{shown}");
        }
    }
}
