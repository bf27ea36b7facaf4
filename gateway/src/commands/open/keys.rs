//! What a person's bytes are as keys, one byte at a time.
//!
//! A line's end ends every sequence: nothing that stands in the middle of an escape sequence, a reply of the terminal or
//! a character can carry one past the reader. Where it ends: which key does what is the shell's affair; only those are
//! told apart whose meaning matters for the typed line.

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// A character that is shown as it is.
    Text(char),
    /// CR, LF, Ctrl-O, keypad Enter: what ends a line.
    Enter,
    /// Ctrl-D: the end of input, or of a line without a newline.
    End,
    /// Backspace as most terminals send it.
    Erase,
    /// Ctrl-U.
    Kill,
    /// Ctrl-C, Ctrl-\: the line is given up.
    Interrupt,
    /// NUL: nothing to a shell, and not to be seen.
    Nothing,
    /// `ESC [ 200 ~`.
    PasteBegins,
    /// `ESC [ 201 ~`.
    PasteEnds,
    /// Ctrl-X Ctrl-E: the line goes to an editor and what comes back is run.
    Editor,
    /// Anything else: it may change the line in any way.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    /// After ESC.
    Escape,
    /// After ESC [: the parameter so far, as far as it is one number.
    Control(u16),
    /// After ESC O.
    Single,
    /// In a terminal's reply, until BEL or ESC \.
    Reply,
    /// In a character: its code so far, how many bytes are still to come, the smallest code of that length.
    Character(u32, u8, u32),
    /// After Ctrl-X.
    ControlX,
    /// After Ctrl-V or Ctrl-Q: the next key is a character.
    Quoted,
}

/// Tells keys apart.
#[derive(Debug)]
pub(super) struct Keys {
    state: State,
}

impl Keys {
    pub(super) const fn new() -> Self {
        Self { state: State::Ground }
    }

    /// Whether something has begun and not ended.
    pub(super) fn in_the_middle(&self) -> bool {
        self.state != State::Ground
    }

    /// Takes a byte; `None` in the middle of something.
    pub(super) fn feed(&mut self, byte: u8) -> Option<Key> {
        let state = std::mem::replace(&mut self.state, State::Ground);
        // These end whatever has begun.
        match byte {
            b'\r' | b'\n' | 0x0f => return Some(Key::Enter),
            0x03 | 0x1c => return Some(Key::Interrupt),
            0x04 => return Some(Key::End),
            _ => {}
        }
        match (state, byte) {
            (State::Quoted, byte) if byte < 0x80 => Some(Key::Other),
            (State::ControlX, 0x05) => Some(Key::Editor),
            (State::ControlX, 0x18) => self.go(State::ControlX),
            (State::ControlX, _) => Some(Key::Other),
            (State::Escape, b'[') => self.go(State::Control(0)),
            (State::Escape, b'O') => self.go(State::Single),
            (State::Escape, b']' | b'P' | b'_' | b'^' | b'X') => self.go(State::Reply),
            (State::Escape, 0x1b) => self.go(State::Escape),
            (State::Escape | State::Single | State::Control(_), 0x80..) => Some(Key::Other),
            (State::Single, b'M') => Some(Key::Enter),
            (State::Escape | State::Single, 0x20..) => Some(Key::Other),
            (State::Control(n), b'0'..=b'9') => {
                self.go(State::Control(n.saturating_mul(10).saturating_add(u16::from(byte - b'0'))))
            }
            (State::Control(_), 0x20..=0x3f) => self.go(State::Control(u16::MAX)),
            (State::Control(200), b'~') => Some(Key::PasteBegins),
            (State::Control(201), b'~') => Some(Key::PasteEnds),
            (State::Control(_), 0x40..) => Some(Key::Other),
            (State::Reply, 0x07) => Some(Key::Other),
            (State::Reply, 0x1b) => self.go(State::Escape),
            (State::Reply, 0x20..) => self.go(State::Reply),
            (State::Character(code, left, least), 0x80..=0xbf) => {
                let code = code << 6 | u32::from(byte & 0x3f);
                if left > 1 {
                    return self.go(State::Character(code, left - 1, least));
                }
                // An overlong or impossible one is not a character.
                Some(char::from_u32(code).filter(|_| code >= least).map_or(Key::Other, text))
            }
            (_, byte) => self.ground(byte),
        }
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        match byte {
            0x00 => Some(Key::Nothing),
            0x7f => Some(Key::Erase),
            0x15 => Some(Key::Kill),
            0x11 | 0x16 => self.go(State::Quoted),
            0x18 => self.go(State::ControlX),
            0x1b => self.go(State::Escape),
            0x20..=0x7e => Some(Key::Text(char::from(byte))),
            0xc2..=0xdf => self.go(State::Character(u32::from(byte & 0x1f), 1, 0x80)),
            0xe0..=0xef => self.go(State::Character(u32::from(byte & 0x0f), 2, 0x800)),
            0xf0..=0xf4 => self.go(State::Character(u32::from(byte & 0x07), 3, 0x1_0000)),
            _ => Some(Key::Other),
        }
    }

    fn go(&mut self, state: State) -> Option<Key> {
        self.state = state;
        None
    }
}

/// C1 control characters are characters that no terminal shows.
fn text(c: char) -> Key {
    if c.is_control() { Key::Other } else { Key::Text(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::new();
        bytes.iter().filter_map(|byte| keys.feed(*byte)).collect()
    }

    #[test]
    fn every_way_to_end_a_line_is_seen() {
        for bytes in [
            &b"\r"[..],
            b"\n",
            b"\x0f",
            b"\x1bOM",
            b"\x1b\r",
            b"\x16\r",
            b"\x1b[\r",
            b"\xc3\r",
            b"\x1b]0;x\r",
        ] {
            assert_eq!(keys(bytes).last(), Some(&Key::Enter), "{bytes:?}");
        }
    }

    #[test]
    fn characters_of_several_bytes_are_one_key_and_overlong_ones_none() {
        assert_eq!(keys("é漢🦀".as_bytes()), [Key::Text('é'), Key::Text('漢'), Key::Text('🦀')]);
        for overlong in
            [&b"\xe0\x80\xaf"[..], b"\xf0\x80\x80\xaf", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
        {
            let seen = keys(overlong);
            assert!(!seen.is_empty() && seen.iter().all(|key| *key == Key::Other), "{overlong:?} {seen:?}");
        }
    }

    #[test]
    fn sequences_and_replies_are_one_key() {
        for bytes in
            [&b"\x1b[A"[..], b"\x1b[1;5C", b"\x1bOA", b"\x1bb", b"\x1b[24;80R", b"\x1b[3~", b"\x1b[?62;c"]
        {
            assert_eq!(keys(bytes), [Key::Other], "{bytes:?}");
        }
        assert_eq!(keys(b"\x1b]11;rgb:0/0/0\x07x"), [Key::Other, Key::Text('x')]);
        assert_eq!(keys(b"\x1b[200~a\x1b[201~"), [Key::PasteBegins, Key::Text('a'), Key::PasteEnds]);
        assert_eq!(keys(b"\x18\x05"), [Key::Editor]);
        assert_eq!(keys(b"\x18\x18\x05"), [Key::Editor]);
    }
}
