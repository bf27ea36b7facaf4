//! The pattern of one part of a path (POSIX 2.13.1): `*`, `?`, `[…]`, and characters that stand for themselves.

/// What one part of a path must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
    /// How many characters a name has at least.
    shortest: usize,
    /// Whether a `[` stands for itself because nothing closes it.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Character(char),
    Any,
    /// Never two in a row.
    Star,
    Set {
        negated: bool,
        items: Vec<Item>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Range(char, char),
    Class(Class),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Alnum,
    Alpha,
    Blank,
    Cntrl,
    Digit,
    Graph,
    Lower,
    Print,
    Punct,
    Space,
    Upper,
    Xdigit,
}

/// What can be found in brackets.
enum Brackets {
    Set {
        token: Token,
        behind: usize,
    },
    /// They are not closed: `[` is a character.
    Open,
}

impl Pattern {
    /// From characters, each with whether it is quoted.
    ///
    /// # Errors
    /// For brackets that shells read differently, in words.
    pub(super) fn compile(characters: &[(char, bool)]) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut at = 0;
        // Once a bracket is found open, all later ones are: none is looked for twice.
        let mut open = false;
        while let Some(&(character, quoted)) = characters.get(at) {
            at += 1;
            let token = match character {
                '*' if !quoted => {
                    if tokens.last() == Some(&Token::Star) {
                        continue;
                    }
                    Token::Star
                }
                '?' if !quoted => Token::Any,
                '[' if !quoted && !open => match brackets(characters, at)? {
                    Brackets::Set { token, behind } => {
                        at = behind;
                        token
                    }
                    Brackets::Open => {
                        open = true;
                        Token::Character('[')
                    }
                },
                _ => Token::Character(character),
            };
            tokens.push(token);
        }
        let shortest = tokens.iter().filter(|token| **token != Token::Star).count();
        Ok(Self { tokens, shortest, open })
    }

    /// The only text that fits, where there is only one.
    pub(super) fn literal(&self) -> Option<String> {
        let character = |token: &Token| match token {
            Token::Character(character) => Some(*character),
            _ => None,
        };
        self.tokens.iter().map(character).collect()
    }

    /// Whether a `[` stands for itself because nothing closes it.
    pub(super) const fn has_open_bracket(&self) -> bool {
        self.open
    }

    /// Whether it begins with a dot that stands for itself.
    pub(super) fn begins_with_dot(&self) -> bool {
        self.tokens.first() == Some(&Token::Character('.'))
    }

    /// Whether all of a name fits. After a star that did not fit, only the last star moves on: at most the product of both
    /// lengths. `work` counts what was compared.
    pub(super) fn matches(&self, name: &[char], work: &mut u64) -> bool {
        if name.len() < self.shortest {
            return false;
        }
        let (mut token, mut character) = (0, 0);
        // Behind the last star, and how far it reaches.
        let mut star: Option<(usize, usize)> = None;
        while let Some(&next) = name.get(character) {
            *work += 1;
            match self.tokens.get(token) {
                Some(Token::Star) => {
                    token += 1;
                    star = Some((token, character));
                    continue;
                }
                Some(one) if one.fits(next, work) => {
                    token += 1;
                    character += 1;
                    continue;
                }
                _ => {}
            }
            let Some((behind, reach)) = &mut star else { return false };
            *reach += 1;
            (token, character) = (*behind, *reach);
        }
        self.tokens.iter().skip(token).all(|token| *token == Token::Star)
    }
}

impl Token {
    fn fits(&self, character: char, work: &mut u64) -> bool {
        match self {
            Self::Character(own) => *own == character,
            Self::Any | Self::Star => true,
            Self::Set { negated, items } => {
                *work += u64::try_from(items.len()).unwrap_or(u64::MAX);
                items.iter().any(|item| item.has(character)) != *negated
            }
        }
    }
}

impl Item {
    fn has(self, c: char) -> bool {
        match self {
            Self::Range(first, last) => (first..=last).contains(&c),
            Self::Class(class) => match class {
                Class::Alnum => c.is_ascii_alphanumeric(),
                Class::Alpha => c.is_ascii_alphabetic(),
                Class::Blank => matches!(c, ' ' | '\t'),
                Class::Cntrl => c.is_ascii_control(),
                Class::Digit => c.is_ascii_digit(),
                Class::Graph => c.is_ascii_graphic(),
                Class::Lower => c.is_ascii_lowercase(),
                Class::Print => c.is_ascii_graphic() || c == ' ',
                Class::Punct => c.is_ascii_punctuation(),
                Class::Space => c.is_ascii_whitespace() || c == '\u{B}',
                Class::Upper => c.is_ascii_uppercase(),
                Class::Xdigit => c.is_ascii_hexdigit(),
            },
        }
    }
}

fn class(name: &str) -> Option<Class> {
    Some(match name {
        "alnum" => Class::Alnum,
        "alpha" => Class::Alpha,
        "blank" => Class::Blank,
        "cntrl" => Class::Cntrl,
        "digit" => Class::Digit,
        "graph" => Class::Graph,
        "lower" => Class::Lower,
        "print" => Class::Print,
        "punct" => Class::Punct,
        "space" => Class::Space,
        "upper" => Class::Upper,
        "xdigit" => Class::Xdigit,
        _ => return None,
    })
}

/// Reads brackets whose first character is at `at`.
fn brackets(characters: &[(char, bool)], mut at: usize) -> Result<Brackets, String> {
    let plain = |at: usize| characters.get(at).filter(|(_, quoted)| !quoted).map(|(character, _)| *character);
    let negated = plain(at) == Some('!');
    let hat = plain(at) == Some('^');
    at += usize::from(negated);
    let first = at;
    let mut items = Vec::new();
    let mut doubt: Option<String> = None;
    loop {
        let Some(&(character, _)) = characters.get(at) else {
            let class = items.iter().any(|item| matches!(item, Item::Class(_)));
            return match doubt {
                None if !class => Ok(Brackets::Open),
                _ => Err("a `[` is not closed: write `]` behind it, or quote it".to_owned()),
            };
        };
        match plain(at) {
            Some(']') if at > first => break,
            Some('[') => match plain(at + 1) {
                Some(':') => {
                    let name: String =
                        (at + 2..).map_while(|at| plain(at).filter(|c| c.is_ascii_alphanumeric())).collect();
                    let behind = at + 2 + name.chars().count();
                    if plain(behind) == Some(':') && plain(behind + 1) == Some(']') {
                        match class(&name) {
                            Some(class) => items.push(Item::Class(class)),
                            None => {
                                doubt = Some(format!(
                                    "there is no class `[:{name}:]`: write `[:alpha:]`, `[:digit:]`, `[:alnum:]` or the characters"
                                ))
                            }
                        }
                        at = behind + 2;
                        if plain(at) == Some('-') && plain(at + 1).is_some_and(|c| c != ']') {
                            doubt = Some("a range cannot begin with a class: write the `-` last".to_owned());
                        }
                        continue;
                    }
                    doubt =
                        Some("`[:` in brackets begins a class: write `[[:digit:]]`, or quote it".to_owned());
                }
                Some(mark @ ('.' | '=')) => {
                    doubt = Some(format!(
                        "`[{mark}` in brackets is not in the language: write the characters, or quote it"
                    ));
                }
                _ => {}
            },
            _ => {}
        }
        at += 1;
        // A range, unless its `-` is quoted or the last one.
        let end = characters.get(at + 1).map(|(end, _)| *end).filter(|_| plain(at) == Some('-'));
        let Some(end) = end.filter(|_| plain(at + 1) != Some(']')) else {
            items.push(Item::Range(character, character));
            continue;
        };
        if end < character {
            doubt = Some(format!(
                "the range `{character}-{end}` is backwards: write `{end}-{character}`, or quote the `-`"
            ));
        }
        if plain(at + 1) == Some('[') && matches!(plain(at + 2), Some(':' | '.' | '=')) {
            doubt = Some("a range cannot end with a class: write the `-` last".to_owned());
        }
        items.push(Item::Range(character, end));
        at += 2;
    }
    if hat {
        doubt = Some("shells read `[^…]` differently: write `[!…]`, or quote the `^`".to_owned());
    }
    match doubt {
        Some(problem) => Err(problem),
        None => Ok(Brackets::Set { token: Token::Set { negated, items }, behind: at + 1 }),
    }
}
