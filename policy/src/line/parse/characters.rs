//! Characters that make a line look like another one than it is: refused anywhere, in quotes and comments too.

use crate::line::LineError;

/// Refuses control characters, characters that turn the direction of writing, and those that nobody sees.
pub(super) fn check(text: &str) -> Result<(), LineError> {
    for (at, character) in text.char_indices() {
        let Some(what) = unseen(character) else { continue };
        let code = u32::from(character);
        let problem = match character {
            '\0' => "a NUL character cannot be part of a command: leave it out".to_owned(),
            '\r' => {
                "a carriage return (U+000D) would be hidden in the line: end lines with a newline".to_owned()
            }
            _ => format!("{what} (U+{code:04X}) is in the line: type it again without it"),
        };
        return Err(LineError::new(at..at + character.len_utf8(), problem));
    }
    Ok(())
}

fn unseen(character: char) -> Option<&'static str> {
    match character {
        '\t' | '\n' => None,
        _ if character.is_control() => Some("a control character"),
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}' => {
            Some("a character that turns the direction of writing")
        }
        '\u{2028}' | '\u{2029}' => Some("a separator that looks like a new line"),
        // Format characters, fillers, joiners, variation selectors and tags: they show nothing of their own.
        '\u{AD}'
        | '\u{34F}'
        | '\u{600}'..='\u{605}'
        | '\u{6DD}'
        | '\u{70F}'
        | '\u{890}'..='\u{891}'
        | '\u{8E2}'
        | '\u{115F}'..='\u{1160}'
        | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200D}'
        | '\u{2060}'..='\u{2065}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}'
        | '\u{110BD}'
        | '\u{110CD}'
        | '\u{13430}'..='\u{1343F}'
        | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}' => Some("a character that cannot be seen"),
        _ => None,
    }
}
