//! What a program leaves behind on the person's terminal, and how that is put back in order.
//!
//! Only what was seen to be switched is switched back: a sequence for a terminal that never heard of it shows as junk,
//! and leaving an alternate screen that nobody entered moves the cursor.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Private modes that a shell wants as it found them: whether that is on.
const MODES: [(u16, bool); 17] = [
    (1, false),
    (5, false),
    (6, false),
    (7, true),
    (25, true),
    (1000, false),
    (1002, false),
    (1003, false),
    (1004, false),
    (1005, false),
    (1006, false),
    (1015, false),
    (2004, false),
    (2026, false),
    (47, false),
    (1047, false),
    (1049, false),
];
/// Longest sequence that is looked into.
const LONGEST: usize = 64;

/// Follows a program's output.
#[derive(Debug, Default)]
pub(super) struct Tidy {
    /// The sequence under way, from its ESC.
    sequence: Option<Vec<u8>>,
    switched: BTreeMap<u16, bool>,
    /// There were escape sequences at all.
    escaped: bool,
}

impl Tidy {
    pub(super) fn output(&mut self, bytes: &[u8]) {
        if self.sequence.is_none() && !bytes.contains(&0x1b) {
            return;
        }
        for &byte in bytes {
            if byte == 0x1b {
                self.escaped = true;
                self.sequence = Some(Vec::new());
            } else if let Some(sequence) = &mut self.sequence {
                sequence.push(byte);
                let csi = sequence.first() == Some(&b'[');
                let over = !csi || (sequence.len() > 1 && (0x40..=0x7e).contains(&byte));
                if over || sequence.len() >= LONGEST {
                    let sequence = self.sequence.take().unwrap_or_default();
                    self.sequence(&sequence);
                }
            }
        }
    }

    /// Whether the program has the screen to itself, as editors and pagers do.
    pub(super) fn fills_screen(&self) -> bool {
        [47, 1047, 1049].iter().any(|mode| self.switched.get(mode) == Some(&true))
    }

    fn sequence(&mut self, sequence: &[u8]) {
        let (Some(modes), Some(on)) = (
            sequence.strip_prefix(b"[?"),
            match sequence.last() {
                Some(b'h') => Some(true),
                Some(b'l') => Some(false),
                _ => None,
            },
        ) else {
            return;
        };
        let text = String::from_utf8_lossy(modes);
        for mode in text.trim_end_matches(['h', 'l']).split(';') {
            if let Ok(mode) = mode.parse::<u16>()
                && MODES.iter().any(|(known, _)| *known == mode)
            {
                self.switched.insert(mode, on);
            }
        }
    }

    /// What puts the terminal in order; empty where nothing was disturbed.
    pub(super) fn finish(self) -> String {
        let mut out = String::new();
        if self.sequence.is_some() {
            // Abandons what was under way.
            out.push('\x18');
        }
        for (mode, usual) in MODES {
            if self.switched.get(&mode).is_some_and(|on| *on != usual) {
                let _ = write!(out, "\x1b[?{mode}{}", if usual { 'h' } else { 'l' });
            }
        }
        if self.escaped {
            out.push_str("\x1b7\x1b[r\x1b8\x1b[4l\x1b>\x1b(B\x0f\x1b[0m");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pieces: &[&str]) -> String {
        let mut tidy = Tidy::default();
        for piece in pieces {
            tidy.output(piece.as_bytes());
        }
        tidy.finish()
    }

    #[test]
    fn a_program_that_leaves_nothing_behind_needs_nothing() {
        assert_eq!(after(&[]), "");
        assert_eq!(after(&["one\r\n"]), "");
        assert_eq!(after(&["no end"]), "");
    }

    #[test]
    fn what_was_switched_is_switched_back() {
        let left = after(&["\x1b[?1049h\x1b[?1;10", "00h\x1b[?25l", "\x1b[31mred"]);
        for expected in ["\x1b[?1049l", "\x1b[?1l", "\x1b[?1000l", "\x1b[?25h", "\x1b[0m"] {
            assert!(left.contains(expected), "{left:?}");
        }
        let clean = after(&["\x1b[?1049h\x1b[?1049l\x1b[?25l\x1b[?25h\n"]);
        assert!(!clean.contains('?'), "{clean:?}");
    }

    #[test]
    fn a_program_with_a_screen_of_its_own_is_known_until_it_gives_it_back() {
        let mut tidy = Tidy::default();
        for (said, fills) in [
            ("text\x1b[?25l", false),
            ("\x1b[?10", false),
            ("49h", true),
            ("x", true),
            ("\x1b[?1049l", false),
        ] {
            tidy.output(said.as_bytes());
            assert_eq!(tidy.fills_screen(), fills, "{said:?}");
        }
    }

    #[test]
    fn an_unfinished_sequence_is_abandoned() {
        assert!(after(&["\x1b[3"]).starts_with('\x18'));
    }
}
