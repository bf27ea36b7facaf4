//! One pass over a text in any shell's language, for the commands in it. Contexts are a stack of its own, not calls.

use super::context::{Context, Found, Piece, Target, Until};
use super::nested::is_shell;

/// All simple commands in a text, in the order in which they end.
pub(super) fn scan(text: &str) -> Vec<Found> {
    let mut scan = Scan {
        rest: text,
        found: Vec::new(),
        context: Context::new(Until::End),
        outer: Vec::new(),
        here: Vec::new(),
    };
    while let Some(next) = scan.next() {
        if scan.context.double { scan.quoted(next) } else { scan.plain(next) }
    }
    while !scan.outer.is_empty() {
        scan.close();
    }
    scan.end_command();
    scan.found
}

struct Scan<'a> {
    rest: &'a str,
    found: Vec<Found>,
    context: Context,
    /// What the context stands in, the outermost first.
    outer: Vec<Context>,
    /// Words that end here-documents, whose texts begin with the next line.
    here: Vec<String>,
}

impl Scan<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next()?;
        self.rest = characters.as_str();
        Some(next)
    }

    fn take(&mut self, wanted: &str) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn open(&mut self, until: Until) {
        let outer = std::mem::replace(&mut self.context, Context::new(until));
        self.outer.push(outer);
    }

    /// Ends the context, whatever it waited for.
    fn close(&mut self) {
        self.end_command();
        let Some(outer) = self.outer.pop() else { return };
        let closed = std::mem::replace(&mut self.context, outer);
        if closed.until == Until::Parenthesis {
            self.end_command();
        }
    }

    fn end_word(&mut self) {
        self.here.extend(self.context.end_word());
    }

    fn end_command(&mut self) {
        self.end_word();
        self.context.end_command(&mut self.found);
    }

    /// Within double quotes.
    fn quoted(&mut self, next: char) {
        match next {
            '"' => self.context.double = false,
            '\\' => match self.next() {
                Some('\n') | None => {}
                Some(escaped @ ('$' | '`' | '"' | '\\')) => self.context.push(escaped, true),
                Some(other) => {
                    self.context.push('\\', true);
                    self.context.push(other, true);
                }
            },
            '$' => self.dollar(),
            '`' => self.backtick(),
            _ => self.context.push(next, true),
        }
    }

    fn plain(&mut self, next: char) {
        match next {
            ' ' | '\t' | '\r' => self.end_word(),
            '\n' => {
                self.end_command();
                self.documents();
            }
            '\'' => self.single(),
            '"' => {
                self.context.word.get_or_insert(Piece { known: true, ..Piece::default() }).quoted = true;
                self.context.double = true;
            }
            '\\' => match self.next() {
                Some('\n') | None => {}
                // Backticks within backticks.
                Some('`') if self.in_backticks() => self.backtick_within(),
                Some(escaped) => self.context.push(escaped, true),
            },
            '$' => self.dollar(),
            '`' => self.backtick(),
            '#' if self.context.word.is_none() => {
                let line = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = self.rest.get(line..).unwrap_or_default();
            }
            '<' | '>' => self.redirection(next),
            '(' => self.parenthesis(),
            ')' => self.parenthesis_closed(),
            '}' if self.context.until == Until::Brace => {
                self.context.words.clear();
                self.context.word = None;
                self.close();
            }
            '&' if self.rest.starts_with('>') => self.end_word(),
            '|' | '&' if self.context.test => self.end_word(),
            '|' if self.context.pattern => self.end_word(),
            ';' if self.rest.starts_with([';', '&']) && self.context.cases > 0 => {
                self.end_command();
                self.rest = self.rest.trim_start_matches([';', '&']);
                self.context.pattern = true;
            }
            ';' | '|' | '&' => {
                self.end_word();
                self.context.pattern = false;
                self.end_command();
            }
            _ => self.context.push(next, false),
        }
    }

    fn single(&mut self) {
        let (text, rest) = self.rest.split_once('\'').unwrap_or((self.rest, ""));
        self.rest = rest;
        let word = self.context.word.get_or_insert(Piece { known: true, ..Piece::default() });
        word.text.push_str(text);
        word.quoted = true;
    }

    fn dollar(&mut self) {
        let double = self.context.double;
        if let Some(rest) = self.rest.strip_prefix("((").and_then(arithmetic) {
            self.rest = rest;
            self.context.unknown("$((…))");
        } else if self.take("(") {
            self.context.unknown("$(…)");
            self.open(Until::Substitution);
        } else if self.take("{") {
            self.name("${");
            self.open(Until::Brace);
        } else if !double && self.take("'") {
            // Its escapes are not read: a word with some is not known.
            self.single();
            let text = self.context.word.as_ref().map_or("", |word| word.text.as_str());
            if text.contains('\\') {
                self.context.unknown("");
            }
        } else if !double && self.rest.starts_with('"') {
            // `$"…"` is `"…"` nearly everywhere.
        } else {
            self.name("$");
        }
    }

    /// A variable's name, as it is written.
    fn name(&mut self, before: &str) {
        let length =
            self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (name, rest) = match self.rest.chars().next() {
            Some('?' | '!' | '@' | '*' | '#' | '$' | '-') => {
                self.rest.split_at_checked(1).unwrap_or_default()
            }
            _ => self.rest.split_at_checked(length).unwrap_or_default(),
        };
        if name.is_empty() && before == "$" {
            return self.context.push('$', false);
        }
        self.rest = rest;
        let after = if before == "${" { "}" } else { "" };
        self.context.unknown(&format!("{before}{name}{after}"));
    }

    fn in_backticks(&self) -> bool {
        self.context.until == Until::Backtick
            || self.outer.iter().any(|context| context.until == Until::Backtick)
    }

    /// Opens, or closes the innermost one with all that was left open in it.
    fn backtick(&mut self) {
        if self.in_backticks() {
            while self.context.until != Until::Backtick {
                self.close();
            }
            self.close();
        } else {
            self.context.unknown("`…`");
            self.open(Until::Backtick);
        }
    }

    /// A backtick behind a backslash: where the inner command begins or ends, a command does.
    fn backtick_within(&mut self) {
        self.end_command();
    }

    fn redirection(&mut self, first: char) {
        // `2>`: the number is no word.
        let number = self
            .context
            .word
            .as_ref()
            .is_some_and(|word| !word.quoted && word.text.bytes().all(|byte| byte.is_ascii_digit()));
        if number {
            self.context.word = None;
        }
        self.end_word();
        if self.context.test {
            return;
        }
        if self.take("(") {
            self.context.unknown("<(…)");
            return self.open(Until::Substitution);
        }
        let target = match first {
            '<' if self.take("<<") => Target::Text,
            '<' if self.take("<-") || self.take("<") => Target::Here,
            _ => {
                while ['>', '&', '|'].into_iter().any(|more| self.take(more.encode_utf8(&mut [0; 4]))) {}
                Target::File
            }
        };
        self.context.target = Some(target);
    }

    fn parenthesis(&mut self) {
        if self.context.test {
            return self.end_word();
        }
        if let Some(rest) = self.rest.strip_prefix('(').and_then(arithmetic) {
            self.rest = rest;
            return self.end_command();
        }
        self.end_word();
        if self.context.pattern {
            return;
        }
        if self.context.words.len() == 1 {
            // `name()`: its name is nothing that runs.
            self.context.words.clear();
        }
        self.end_command();
        self.open(Until::Parenthesis);
    }

    fn parenthesis_closed(&mut self) {
        if self.context.test {
            return self.end_word();
        }
        self.end_word();
        if self.context.cases > 0 {
            // The pattern of a `case`.
            self.context.pattern = false;
            return self.end_command();
        }
        match self.context.until {
            Until::Parenthesis | Until::Substitution => self.close(),
            _ => self.end_command(),
        }
    }

    /// The texts of here-documents: a shell reads them as commands, and for everybody the shell puts substitutions in.
    fn documents(&mut self) {
        for end in std::mem::take(&mut self.here) {
            let mut text = String::new();
            while !self.rest.is_empty() {
                let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
                self.rest = rest;
                if line.trim_start_matches('\t') == end {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            let shell = self.found.iter().any(|found| match found {
                Found::Command(words) => words.iter().any(|word| is_shell(&word.text)),
                Found::Text(_) => false,
            });
            if shell {
                self.found.push(Found::Text(text));
            } else if text.contains("$(") || text.contains('`') {
                // As one quoted argument of a command that does nothing.
                self.found.push(Found::Text(format!(": \"{}\"", text.replace('"', ""))));
            }
        }
    }
}

/// The longest arithmetic that is passed over, in bytes.
const ARITHMETIC: usize = 256;

/// What comes behind `((…))`, where nothing but numbers, names and operators stands in it.
fn arithmetic(text: &str) -> Option<&str> {
    let mut depth = 2;
    for (at, character) in text.char_indices().take_while(|(at, _)| *at < ARITHMETIC) {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if character.is_ascii_alphanumeric() || " +-*/%<>=!&|^~?:,$_".contains(character) => {}
            _ => return None,
        }
        if depth == 0 {
            let (within, behind) = text.split_at_checked(at + 1)?;
            return (within.ends_with("))") && !apart(within)).then_some(behind);
        }
    }
    None
}

/// Whether two words stand side by side, as no arithmetic has them.
fn apart(text: &str) -> bool {
    let is_word = |text: &str| text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let pieces: Vec<&str> = text.split(' ').filter(|piece| !piece.is_empty()).collect();
    pieces.iter().zip(pieces.iter().skip(1)).any(|(left, right)| {
        is_word(left) && right.starts_with(|c: char| c.is_ascii_alphanumeric() || "_$-".contains(c))
    })
}
