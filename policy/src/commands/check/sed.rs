//! sed: a language with `e`, `w` and `r`. What is read here in full surely has none of them; the rest is refused.

use super::starts;
use crate::commands::facts::Facts;

const ADVICE: &str = "of sed, addresses with p d q s y = n N g G h H x D P l and braces are let through";

pub(super) fn look(facts: &mut Facts) {
    let given: Vec<&str> =
        facts.seen.iter().filter(|seen| seen.is("-e")).filter_map(|seen| seen.value.as_deref()).collect();
    let text =
        if given.is_empty() { facts.operands.first().cloned().unwrap_or_default() } else { given.join("\n") };
    let mut reader = Reader { rest: text.chars().collect(), at: 0 };
    if let Err(why) = reader.script() {
        starts(facts, format!("this sed script {why}"), ADVICE);
    }
}

/// Longer than any that somebody types.
const LONGEST: usize = 8192;

struct Reader {
    rest: Vec<char>,
    at: usize,
}

type Read = Result<(), &'static str>;

impl Reader {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn skip(&mut self, which: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&which) {
            self.at += 1;
        }
    }

    fn script(&mut self) -> Read {
        if self.rest.len() > LONGEST {
            return Err("is too long to be read");
        }
        // What braces open they close; how deep does not matter for what a command does.
        loop {
            self.skip(|c| c.is_whitespace() || c == ';' || c == '}');
            if self.peek().is_none() {
                return Ok(());
            }
            self.address()?;
            if self.peek() == Some(',') {
                self.next();
                self.skip(|c| c == ' ');
                self.skip(|c| matches!(c, '+' | '~'));
                self.address()?;
            }
            self.skip(|c| c == ' ' || c == '!');
            self.command()?;
        }
    }

    fn address(&mut self) -> Read {
        match self.peek() {
            Some('0'..='9') => {
                self.skip(|c| c.is_ascii_digit());
                if self.peek() == Some('~') {
                    self.next();
                    self.skip(|c| c.is_ascii_digit());
                }
            }
            Some('$') => {
                self.next();
            }
            Some('/') => {
                self.next();
                self.regex('/')?;
                self.skip(|c| matches!(c, 'I' | 'M'));
            }
            Some('\\') => {
                self.next();
                let delimiter = self.next().filter(|c| c.is_ascii_punctuation() && *c != '\\');
                self.regex(delimiter.ok_or("has an address that is not read here")?)?;
                self.skip(|c| matches!(c, 'I' | 'M'));
            }
            _ => {}
        }
        self.skip(|c| c == ' ');
        Ok(())
    }

    /// Up to the delimiter. Within brackets implementations differ on whether it ends there.
    fn regex(&mut self, delimiter: char) -> Read {
        let mut bracket = false;
        while let Some(c) = self.next() {
            match c {
                _ if c == delimiter && bracket => {
                    return Err("has its delimiter within brackets, which sed's read differently");
                }
                _ if c == delimiter => return Ok(()),
                '\n' => return Err("has a line's end within a pattern"),
                '\\' if bracket => return Err("has `\\` within brackets, which sed's read differently"),
                '\\' if self.next().is_none_or(|c| c == '\n') => {
                    return Err("has a line's end within a pattern");
                }
                '[' if bracket => return Err("has brackets within brackets"),
                '[' => {
                    bracket = true;
                    self.skip(|c| c == '^');
                    if self.peek() == Some(']') {
                        return Err("has `]` first in brackets");
                    }
                }
                ']' => bracket = false,
                _ => {}
            }
        }
        Err("has a pattern without an end")
    }

    fn plain(&mut self, delimiter: char) -> Read {
        while let Some(c) = self.next() {
            match c {
                _ if c == delimiter => return Ok(()),
                '\n' => return Err("has a line's end within a replacement"),
                '\\' if self.next().is_none_or(|c| c == '\n') => {
                    return Err("has a line's end within a replacement");
                }
                _ => {}
            }
        }
        Err("has a replacement without an end")
    }

    fn command(&mut self) -> Read {
        match self.next() {
            Some('{') => return Ok(()),
            Some('p' | 'd' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | 'D' | 'P' | '=') => {}
            Some('q' | 'Q' | 'l') => {
                self.skip(|c| c == ' ');
                self.skip(|c| c.is_ascii_digit());
            }
            Some(kind @ ('s' | 'y')) => {
                let delimiter =
                    self.next().filter(|c| c.is_ascii_punctuation() && !matches!(c, '\\' | '[' | ']'));
                let delimiter = delimiter.ok_or("has a delimiter that is not read here")?;
                if kind == 's' {
                    self.regex(delimiter)?
                } else {
                    self.plain(delimiter)?
                }
                self.plain(delimiter)?;
                self.skip(|c| {
                    kind == 's' && (matches!(c, 'g' | 'p' | 'i' | 'I' | 'M' | 'm') || c.is_ascii_digit())
                });
            }
            None => return Ok(()),
            Some('e') => return Err("starts a program (`e`)"),
            Some('w' | 'W') => return Err("writes a file (`w`)"),
            Some('r' | 'R') => return Err("reads another file (`r`)"),
            Some(_) => return Err("has a command that is not read here"),
        }
        self.skip(|c| c == ' ' || c == '\t');
        match self.peek() {
            None | Some(';' | '\n' | '}') => Ok(()),
            Some('e') => Err("starts a program (`e`)"),
            Some('w') => Err("writes a file (`w`)"),
            Some(_) => Err("has a command that is not read here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reader;

    fn read(text: &str) -> Result<(), &'static str> {
        Reader { rest: text.chars().collect(), at: 0 }.script()
    }

    #[test]
    fn scripts_that_only_edit_what_passes_are_let_through() {
        for fine in [
            "s/a/b/",
            "s/a/b/g",
            "1,10p",
            "/ERROR/,/END/p",
            "$!d",
            "5q",
            "10,+3p",
            "/x/I{p;q}",
            "s|/var|/srv|gp",
            "s/\\/a/b/",
            "y/abc/def/",
            "\\,a/b,d",
            "0~4d",
            "/a/!p",
            "s/[0-9]*//2",
            "n;d",
            "=",
            "s/a/b/;s/c/d/",
            "s/w/e/g",
            "",
        ] {
            assert_eq!(read(fine), Ok(()), "{fine}");
        }
    }

    #[test]
    fn scripts_that_start_write_or_read_are_not() {
        for bad in [
            "1e id",
            "e",
            "s/a/id/e",
            "s/a/b/w /tmp/x",
            "s/a/b/ge",
            "w /tmp/x",
            "1r /etc/shadow",
            "R /etc/shadow",
            "W /tmp/x",
            "s/a/b/;e id",
            "/a/e id",
            "1!e id",
            "s/[/]/e;p/",
            "s,a,b,we",
            "{e id",
            "1{p;e id\n}",
            "a text",
            "i\\\nx",
            "b end",
            "s/a/b\\\n/e",
            "s/x",
            "F",
            "z;e",
            "s/[]/]/x/e",
            "1~2e id",
            "s\na\nb\ne",
            "\\e/a/b",
            "pe",
            "p e id",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
