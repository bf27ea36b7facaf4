//! Bytes from a person's terminal made into keys: UTF-8 and escape sequences, in whatever pieces they arrive.
//!
//! What is no key is dropped: broken UTF-8, unknown sequences, a terminal's answers. Nothing is kept but a few bytes of
//! a sequence under way, and a sequence that never ends is given up at the next line end or Ctrl-C.

/// Longest escape sequence that is kept; longer ones are still read to their end.
const LONGEST: usize = 16;
/// Longest text in an operating system command or the like, before it is taken for something else.
const LONGEST_STRING: usize = 4096;

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Character(char),
    /// Ctrl with a letter, in lower case.
    Control(char),
    /// Alt with a letter, in lower case, or with a dot.
    Alt(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    WordLeft,
    WordRight,
    WordBack,
    Escape,
    /// A character of a paste; a line end is `\n`.
    Pasted(char),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    Escape,
    Csi,
    Ss3,
    /// OSC, DCS, APC, PM, SOS: until BEL or ST.
    Text {
        seen: usize,
        escape: bool,
    },
}

/// Reads keys, byte by byte.
#[derive(Debug)]
pub(super) struct Keys {
    state: State,
    sequence: Vec<u8>,
    /// A character under way: what there is of it, and how many bytes are missing.
    partial: Vec<u8>,
    missing: usize,
    pasting: bool,
    /// The last byte was a carriage return: a line feed behind it is the same line end.
    returned: bool,
}

impl Keys {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Ground,
            sequence: Vec::new(),
            partial: Vec::new(),
            missing: 0,
            pasting: false,
            returned: false,
        }
    }

    /// Takes a byte; a key where it completes one.
    pub(super) fn take(&mut self, byte: u8) -> Option<Key> {
        match self.state {
            State::Ground => self.ground(byte),
            State::Escape => self.escape(byte),
            State::Csi | State::Ss3 => self.sequence(byte),
            State::Text { seen, escape } => self.text(byte, seen, escape),
        }
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        let returned = std::mem::take(&mut self.returned);
        if byte >= 0x80 {
            return self.multibyte(byte).and_then(|c| self.character(c));
        }
        self.missing = 0;
        match byte {
            0x1b => {
                self.state = State::Escape;
                None
            }
            b'\r' => {
                self.returned = true;
                self.line_end()
            }
            b'\n' if returned => None,
            b'\n' => self.line_end(),
            b'\t' if self.pasting => Some(Key::Pasted('\t')),
            b'\t' => Some(Key::Tab),
            0x20..=0x7e => self.character(char::from(byte)),
            _ if self.pasting => None,
            0x08 | 0x7f => Some(Key::Backspace),
            0x01..=0x1a => Some(Key::Control(char::from(byte | 0x60))),
            _ => None,
        }
    }

    const fn line_end(&self) -> Option<Key> {
        Some(if self.pasting { Key::Pasted('\n') } else { Key::Enter })
    }

    const fn character(&self, character: char) -> Option<Key> {
        Some(if self.pasting { Key::Pasted(character) } else { Key::Character(character) })
    }

    /// A character once it is whole. What does not belong to one is dropped.
    fn multibyte(&mut self, byte: u8) -> Option<char> {
        match byte {
            0x80..=0xbf if self.missing > 0 => {
                self.partial.push(byte);
                self.missing -= 1;
                if self.missing > 0 {
                    return None;
                }
                std::str::from_utf8(&self.partial).ok().and_then(|text| text.chars().next())
            }
            0xc2..=0xf4 => {
                self.partial.clear();
                self.partial.push(byte);
                self.missing = match byte {
                    0xc2..=0xdf => 1,
                    0xe0..=0xef => 2,
                    _ => 3,
                };
                None
            }
            _ => {
                self.missing = 0;
                None
            }
        }
    }

    fn escape(&mut self, byte: u8) -> Option<Key> {
        self.sequence.clear();
        self.state = State::Ground;
        match byte {
            b'[' => self.state = State::Csi,
            b'O' => self.state = State::Ss3,
            b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::Text { seen: 0, escape: false },
            0x1b => self.state = State::Escape,
            _ if self.pasting => return self.ground(byte),
            0x08 | 0x7f => return Some(Key::WordBack),
            b'a'..=b'z' | b'A'..=b'Z' | b'.' => return Some(Key::Alt(char::from(byte.to_ascii_lowercase()))),
            // Escape for itself, and then a key that acts.
            0x00..=0x1f => return self.ground(byte),
            _ => return Some(Key::Escape),
        }
        None
    }

    fn sequence(&mut self, byte: u8) -> Option<Key> {
        match byte {
            0x20..=0x3f => {
                if self.sequence.len() < LONGEST {
                    self.sequence.push(byte);
                }
                None
            }
            0x40..=0x7e => {
                let ss3 = self.state == State::Ss3;
                self.state = State::Ground;
                let key = self.named(byte, ss3);
                key.filter(|_| !self.pasting)
            }
            0x1b => {
                self.state = State::Escape;
                None
            }
            // A control or a byte that no sequence has: it was none.
            _ => {
                self.state = State::Ground;
                self.ground(byte)
            }
        }
    }

    /// What a sequence means: `last` is its final byte.
    fn named(&mut self, last: u8, ss3: bool) -> Option<Key> {
        let words = !ss3 && [&b";5"[..], b";3"].iter().any(|held| self.sequence.ends_with(held));
        Some(match last {
            b'A' => Key::Up,
            b'B' => Key::Down,
            b'C' if words => Key::WordRight,
            b'D' if words => Key::WordLeft,
            b'C' => Key::Right,
            b'D' => Key::Left,
            b'H' => Key::Home,
            b'F' => Key::End,
            b'M' if ss3 => Key::Enter,
            b'~' if !ss3 => match self.sequence.as_slice() {
                b"1" | b"7" => Key::Home,
                b"4" | b"8" => Key::End,
                b"3" => Key::Delete,
                b"200" => {
                    self.pasting = true;
                    return None;
                }
                b"201" => {
                    self.pasting = false;
                    return None;
                }
                _ => return None,
            },
            _ => return None,
        })
    }

    fn text(&mut self, byte: u8, seen: usize, escape: bool) -> Option<Key> {
        self.state = State::Ground;
        match byte {
            0x07 => None,
            b'\\' if escape => None,
            b'\r' | b'\n' | 0x03 => self.ground(byte),
            _ if seen >= LONGEST_STRING => None,
            _ => {
                self.state = State::Text { seen: seen + 1, escape: byte == 0x1b };
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::new();
        bytes.iter().filter_map(|&byte| keys.take(byte)).collect()
    }

    #[test]
    fn every_way_to_say_home_is_home() {
        for home in [&b"\x1b[H"[..], b"\x1bOH", b"\x1b[1~", b"\x1b[7~"] {
            assert_eq!(keys(home), [Key::Home], "{home:?}");
        }
        assert_eq!(keys(b"\x1b[1;5D\x1b[1;3C"), [Key::WordLeft, Key::WordRight]);
    }

    #[test]
    fn a_character_in_pieces_is_one_key_and_broken_ones_are_none() {
        assert_eq!(keys("é漢👩".as_bytes()), ['é', '漢', '👩'].map(Key::Character));
        assert_eq!(keys(b"\xc3a\xff\x80\xe6\xbcb\xed\xa0\x80c"), ['a', 'b', 'c'].map(Key::Character));
    }

    #[test]
    fn a_paste_has_no_keys_that_act() {
        let pasted = keys(b"\x1b[200~a\x03\r\nb\tc\x1b[A\x04\x1b[201~\r");
        let expected = ['a', '\n', 'b', '\t', 'c'].map(Key::Pasted);
        assert_eq!(pasted, expected.into_iter().chain([Key::Enter]).collect::<Vec<_>>());
    }

    #[test]
    fn unknown_sequences_and_answers_are_dropped_and_cannot_swallow_ctrl_c() {
        assert_eq!(keys(b"\x1b[?62;22ca\x1b[99;99;99;99;99;99;99;99;99~b"), ['a', 'b'].map(Key::Character));
        assert_eq!(keys(b"\x1b]11;rgb:0/0/0\x1b\\a\x1bPx\x07b"), ['a', 'b'].map(Key::Character));
        assert_eq!(keys(b"\x1b]never ends\x03"), [Key::Control('c')]);
        assert_eq!(keys(b"\x1b[12\x03"), [Key::Control('c')]);
        assert_eq!(keys(b"\x1b\x03"), [Key::Control('c')]);
    }

    #[test]
    fn a_line_end_is_one_line_end() {
        assert_eq!(keys(b"\r\n\r\r\n\n"), [Key::Enter; 4]);
    }
}
