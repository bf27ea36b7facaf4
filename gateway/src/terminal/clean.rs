//! Text from elsewhere (names, reasons, server messages) that is going to a terminal.
//!
//! Characters that move the cursor, start escape sequences, hide themselves or turn the reading direction around are
//! replaced by U+FFFD, one for one, so that what was there is still seen to have been there.

/// One line: line ends and tabs become blanks, everything that acts instead of showing becomes `�`.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            c if acts(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// Several lines: as [`clean`], but line feeds and tabs stay, and a carriage return before a line feed is dropped.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            c if acts(c) => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character does something other than show itself: controls (C0, DEL, C1), bidirectional marks, embeddings,
/// overrides and isolates (UAX 9), line and paragraph separators, invisible operators, tags, the byte order mark.
/// Joiners stay: scripts and emoji are made of them.
const fn acts(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f'
        | '\x7f'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'
        | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_lose_their_escape_and_nothing_else() {
        assert_eq!(clean("a\x1b[31mb\u{9b}2Jc\x07\r"), "a�[31mb�2Jc��");
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(clean("api\nrefused\tby\u{2028}rule"), "api refused by rule");
    }

    #[test]
    fn text_cannot_turn_the_reading_direction_around() {
        assert_eq!(clean("pod\u{202e}gnp.exe\u{2066}x\u{200f}"), "pod�gnp.exe�x�");
        assert_eq!(clean("שלום שָׁלוֹם"), "שלום שָׁלוֹם");
    }

    #[test]
    fn several_lines_keep_their_ends() {
        assert_eq!(clean_lines("one\r\ntwo\r\x1b[2J\n\tthree"), "one\ntwo��[2J\n\tthree");
    }

    #[test]
    fn joined_emoji_survive() {
        assert_eq!(clean("👩‍💻"), "👩‍💻");
    }
}
