//! From words to flags and operands, as the program itself would tell them apart.

use super::programs::{Flag, Known, Syntax};

/// A flag that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// As the table has it; `None` where it does not.
    pub(crate) flag: Option<&'static Flag>,
    /// Its name as it was given, without its value; a whole long name where it was shortened.
    pub(crate) name: String,
    /// What it was given.
    pub(crate) value: Option<String>,
    /// Where the value stands: which word, from which byte.
    pub(crate) place: Option<(usize, usize)>,
    /// Whether a check knows it although the table does not have it.
    pub(crate) checked: bool,
}

impl Seen {
    pub(crate) fn mark(name: &str, value: Option<&str>) -> Self {
        Self {
            flag: None,
            name: name.to_owned(),
            value: value.map(str::to_owned),
            place: None,
            checked: true,
        }
    }

    /// Whether it is called that, by any of its names.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name || self.flag.is_some_and(|flag| flag.names.contains(&name))
    }

    /// Whether nothing is known of it.
    pub(crate) const fn unknown(&self) -> bool {
        self.flag.is_none() && !self.checked
    }
}

/// All words of a command but the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Split {
    /// In their order.
    pub(crate) seen: Vec<Seen>,
    /// Where operands stand.
    pub(crate) operands: Vec<usize>,
    /// Words that are better written out: shortened flags.
    pub(crate) renamed: Vec<(usize, String)>,
}

/// Tells flags from operands.
pub(crate) fn split(known: &'static Known, argv: &[String]) -> Split {
    let mut reader = Reader { known, argv, at: 1, out: Split::default() };
    match known.program.syntax {
        Syntax::Plain => reader.operands(),
        Syntax::Pairs => reader.pairs(),
        Syntax::LongDash => reader.long_dash(),
        Syntax::Bundle => {
            reader.bundle();
            reader.gnu(false, false);
        }
        Syntax::Gnu => reader.gnu(false, false),
        Syntax::Posix => reader.gnu(true, false),
        Syntax::Signal => reader.gnu(false, true),
    }
    reader.out
}

struct Reader<'a> {
    known: &'static Known,
    argv: &'a [String],
    at: usize,
    out: Split,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(usize, &'a str)> {
        let word = self.argv.get(self.at)?;
        self.at += 1;
        Some((self.at - 1, word.as_str()))
    }

    fn operands(&mut self) {
        while let Some((at, _)) = self.next() {
            self.out.operands.push(at);
        }
    }

    fn pairs(&mut self) {
        while let Some((at, word)) = self.next() {
            match word.split_once('=') {
                Some((name, value)) => {
                    self.push(None, name.to_owned(), Some(value), Some((at, name.len() + 1)))
                }
                None => self.out.operands.push(at),
            }
        }
    }

    fn push(
        &mut self,
        flag: Option<&'static Flag>,
        name: String,
        value: Option<&str>,
        place: Option<(usize, usize)>,
    ) {
        self.out.seen.push(Seen { flag, name, value: value.map(str::to_owned), place, checked: false });
    }

    /// Takes the next word as a flag's value.
    fn take(&mut self, flag: &'static Flag, name: String) {
        match self.next() {
            Some((at, value)) => self.push(Some(flag), name, Some(value), Some((at, 0))),
            None => self.push(Some(flag), name, None, None),
        }
    }

    fn gnu(&mut self, first_operand_ends: bool, signals: bool) {
        while let Some((at, word)) = self.next() {
            if word == "--" {
                return self.operands();
            }
            if let Some(long) = word.strip_prefix("--") {
                self.long(at, word, long.split_once('=').map(|(name, value)| (name.len() + 2, value)));
            } else if word.len() > 1 && word.starts_with('-') {
                if !(signals && self.signal(at, word)) {
                    self.short(at, word);
                }
            } else {
                self.out.operands.push(at);
                if first_operand_ends {
                    return self.operands();
                }
            }
        }
    }

    fn long(&mut self, at: usize, word: &str, glued: Option<(usize, &str)>) {
        let name = glued.and_then(|(end, _)| word.get(..end)).unwrap_or(word);
        let known = self.known;
        let place = glued.map(|(end, _)| (at, end + 1));
        let value = glued.map(|(_, value)| value);
        match known.abbreviated(name) {
            Some((flag, _)) if flag.value.is_none() && value.is_some() => {
                self.push(None, name.to_owned(), value, place)
            }
            Some((flag, whole)) => {
                if whole != name {
                    let rest = word.get(name.len()..).unwrap_or_default();
                    self.out.renamed.push((at, format!("{whole}{rest}")));
                }
                // A longer name moves its value.
                let place = place.map(|(at, from)| (at, from + whole.len() - name.len()));
                if flag.value.is_some() && value.is_none() && !flag.optional {
                    self.take(flag, whole.to_owned());
                } else {
                    self.push(Some(flag), whole.to_owned(), value, place);
                }
            }
            None => self.push(None, name.to_owned(), value, place),
        }
    }

    /// `-abc`, `-n5`, `-n 5`, `-20`.
    fn short(&mut self, at: usize, word: &str) {
        let known = self.known;
        // `-nv`: a flag of several letters, where the table has it.
        if let Some(flag) = known.flag(word).filter(|flag| word.len() > 2 && flag.value.is_none()) {
            return self.push(Some(flag), word.to_owned(), None, None);
        }
        let mut letters = word.char_indices().skip(1).peekable();
        while let Some((from, letter)) = letters.next() {
            let name = format!("-{letter}");
            let behind = from + letter.len_utf8();
            let rest = word.get(behind..).unwrap_or_default();
            let Some(flag) = known.flag(&name) else {
                if let Some(number) = known.flag("-NUM").filter(|_| letter.is_ascii_digit()) {
                    let digits: String = word
                        .get(from..)
                        .unwrap_or_default()
                        .chars()
                        .take_while(char::is_ascii_digit)
                        .collect();
                    for _ in 1..digits.len() {
                        letters.next();
                    }
                    self.push(Some(number), "-NUM".to_owned(), Some(&digits), None);
                    continue;
                }
                let value = (!rest.is_empty()).then_some(rest);
                return self.push(None, name, value, value.map(|_| (at, behind)));
            };
            match (flag.value.is_some(), rest.is_empty()) {
                (false, _) => self.push(Some(flag), name, None, None),
                (true, _) if flag.bare => self.push(Some(flag), name, None, None),
                (true, false) => return self.push(Some(flag), name, Some(rest), Some((at, behind))),
                (true, true) if flag.optional => return self.push(Some(flag), name, None, None),
                (true, true) => return self.take(flag, name),
            }
        }
    }

    /// The first word of `tar xvf FILE`: letters that take their values from the words behind.
    fn bundle(&mut self) {
        let known = self.known;
        if self.argv.get(1).is_none_or(|word| word.starts_with('-')) {
            return;
        }
        let Some((_, word)) = self.next() else { return };
        for letter in word.chars() {
            let name = format!("-{letter}");
            match known.flag(&name) {
                Some(flag) if flag.value.is_some() && !flag.optional => self.take(flag, name),
                flag => self.push(flag, name, None, None),
            }
        }
    }

    fn long_dash(&mut self) {
        let known = self.known;
        while let Some((at, word)) = self.next() {
            if word.len() < 2 || !word.starts_with('-') {
                self.out.operands.push(at);
                continue;
            }
            let (name, value) =
                word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let single = if name.starts_with("--") { name.get(1..).unwrap_or(name) } else { name };
            let place = value.map(|_| (at, name.len() + 1));
            match known.flag(name).or_else(|| known.flag(single)) {
                Some(flag) if flag.value.is_some() && value.is_none() && !flag.optional => {
                    self.take(flag, single.to_owned())
                }
                Some(flag) if flag.value.is_some() || value.is_none() => {
                    self.push(Some(flag), single.to_owned(), value, place);
                }
                _ => self.push(None, name.to_owned(), value, place),
            }
        }
    }

    /// `-TERM`, `-SIGTERM`, `-15`, once; true where it was one.
    fn signal(&mut self, at: usize, word: &str) -> bool {
        let text = word.get(1..).unwrap_or_default();
        let given = self.out.seen.iter().any(|seen| seen.is("--signal"));
        let number = text.bytes().all(|byte| byte.is_ascii_digit());
        match signal_name(text) {
            // A second number is a group of processes.
            Some(_) | None if number && (given || !self.out.operands.is_empty()) => {
                self.out.operands.push(at);
                true
            }
            Some(name) => {
                let flag = self.known.flag("--signal");
                self.push(flag, "--signal".to_owned(), Some(&name), None);
                true
            }
            None => false,
        }
    }
}

const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// `TERM` of `TERM`, `SIGTERM`, `sigterm` and `15`.
pub(crate) fn signal_name(text: &str) -> Option<String> {
    if let Ok(number) = text.parse::<usize>() {
        return match number {
            0 => Some("0".to_owned()),
            _ => Some(SIGNALS.get(number - 1).map_or_else(|| number.to_string(), |name| (*name).to_owned())),
        };
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    (SIGNALS.contains(&bare) || bare.starts_with("RTM")).then(|| bare.to_owned())
}

/// Whether a word that nobody knows to read could contain a flag, in any way of reading it.
pub(crate) fn could_be(word: &str, flag: &str) -> bool {
    let head = word.split('=').next().unwrap_or(word);
    if !word.starts_with('-') || word.len() < 2 {
        // `key=value` and bare letters, where the flag is written so.
        return head == flag;
    }
    if let Some(long) = flag.strip_prefix("--") {
        let given = head.trim_start_matches('-');
        // Shortened, whole, or with one dash.
        return !given.is_empty()
            && (long.starts_with(given) || word.trim_start_matches('-').starts_with(long));
    }
    let Some(short) = flag.strip_prefix('-') else { return head == flag };
    if short.chars().count() == 1 {
        // Among joined letters, or with a value behind it.
        return !word.starts_with("--") && word.contains(short);
    }
    word.trim_start_matches('-').starts_with(short)
}
