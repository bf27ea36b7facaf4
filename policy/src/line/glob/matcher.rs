//! Patterns in rules, for whole paths.

use super::pattern::Pattern;

/// The longest pattern in a rule, in bytes.
const LONGEST: usize = 4096;

/// A compiled pattern for paths and texts in rules: `*`, `?` and `[…]` stay within a path's part, `**` as a part of its
/// own stands for any number of parts, also none (`/var/log/**` is `/var/log` too). Unlike in a shell, `*` matches names
/// that begin with a dot: a rule about all files is about hidden ones too. `\` takes a character's meaning away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    One(Pattern),
    /// Never two in a row.
    Any,
}

impl Matcher {
    /// Compiles one.
    ///
    /// # Errors
    /// In words, where it is no pattern.
    pub fn parse(source: &str) -> Result<Self, String> {
        if source.is_empty() {
            return Err("a pattern is empty: write a path, or `**` for all".to_owned());
        }
        if source.len() > LONGEST {
            return Err(format!("a pattern has more than {LONGEST} bytes: write a shorter one"));
        }
        let mut parts = Vec::new();
        for part in unescape(source)?.split(|(character, _)| *character == '/') {
            match part {
                [('*', false), ('*', false)] => {
                    if parts.last() != Some(&Part::Any) {
                        parts.push(Part::Any);
                    }
                }
                _ if part.windows(2).any(|two| two == [('*', false), ('*', false)]) => {
                    return Err(format!(
                        "`**` in `{source}` must stand alone between slashes: write `/**/`, or one `*`"
                    ));
                }
                _ => {
                    let pattern =
                        Pattern::compile(part).map_err(|problem| format!("`{source}`: {problem}"))?;
                    if pattern.has_open_bracket() {
                        return Err(format!(
                            "a `[` in `{source}` is not closed: write `]` in the same part, or `\\[`"
                        ));
                    }
                    parts.push(Part::One(pattern));
                }
            }
        }
        Ok(Self { source: source.to_owned(), parts })
    }

    /// Whether all of a path matches. The last `**` moves on where the rest does not fit, as a star does in a part: no
    /// more than the product of both lengths, squared.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        if path.is_empty() {
            return false;
        }
        let names: Vec<Vec<char>> = path.split('/').map(|name| name.chars().collect()).collect();
        let mut work = 0;
        let (mut part, mut name) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(next) = names.get(name) {
            match self.parts.get(part) {
                Some(Part::Any) => {
                    part += 1;
                    star = Some((part, name));
                    continue;
                }
                Some(Part::One(pattern)) if pattern.matches(next, &mut work) => {
                    part += 1;
                    name += 1;
                    continue;
                }
                _ => {}
            }
            let Some((behind, reach)) = &mut star else { return false };
            *reach += 1;
            (part, name) = (*behind, *reach);
        }
        self.parts.iter().skip(part).all(|part| *part == Part::Any)
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Characters, each with whether a backslash stood before it.
fn unescape(source: &str) -> Result<Vec<(char, bool)>, String> {
    let mut characters = Vec::new();
    let mut rest = source.chars();
    while let Some(character) = rest.next() {
        match character {
            '\0' => return Err("a pattern has a NUL character: no path does".to_owned()),
            '\\' => match rest.next() {
                Some(escaped) => characters.push((escaped, true)),
                None => return Err(format!("`{source}` ends with `\\`: write `\\\\` for the character")),
            },
            _ => characters.push((character, false)),
        }
    }
    Ok(characters)
}
