//! What is known of one command before it runs: its flags in normal form, its operands, what it reads and writes, and
//! whether it starts others.

use super::flags::{Seen, Split, split};
use super::paths::{climbs, climbs_behind_a_name, join, last, normal};
use super::programs::{Kind, Known, Operands, Starts, Syntax, find};

/// Why something is refused, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) why: String,
    pub(crate) instead: Option<String>,
}

impl Stop {
    pub(crate) fn new(why: impl Into<String>, instead: impl Into<String>) -> Self {
        let instead = instead.into();
        Self { why: why.into(), instead: (!instead.is_empty()).then_some(instead) }
    }
}

/// What happens to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// Not known which.
    Either,
}

/// A path that a command touches, or may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Absolute and normal; `None` where the working directory is needed and not known.
    pub(crate) path: Option<String>,
    /// As it was written.
    pub(crate) written: String,
    pub(crate) access: Access,
    /// With everything below it.
    pub(crate) deep: bool,
    /// Whether it surely is a path.
    pub(crate) certain: bool,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// What a rule calls it: a bare name, or the absolute path where that is not a standard directory's.
    pub(crate) name: String,
    /// Whether only a rule of exactly this path fits.
    pub(crate) exact: bool,
    pub(crate) known: Option<&'static Known>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) operands: Vec<String>,
    pub(crate) touched: Vec<Touched>,
    /// It could start another program.
    pub(crate) starts: Option<Stop>,
    /// What it would do cannot be known, or must not be.
    pub(crate) unknowable: Option<Stop>,
    /// Where the command begins that it starts.
    pub(crate) inner: Option<usize>,
    /// The directory that the inner command works in.
    pub(crate) directory: Option<String>,
    /// What it sets for the inner command.
    pub(crate) sets: Vec<(String, String)>,
    /// Commands that it starts beside: find's, each with `{}` replaced by where it searches.
    pub(crate) nested: Vec<Vec<String>>,
    /// Words that close it, before and behind its name.
    pub(crate) closed: Option<(&'static [&'static str], &'static [&'static str])>,
    /// What stays open although it is closed.
    pub(crate) open: &'static str,
    /// The words in their normal form.
    pub(crate) argv: Vec<String>,
    /// Everything is about whole trees: find's inner commands.
    pub(crate) deep: bool,
    /// Flags that make it write files, which is not what it is for.
    pub(crate) flag_writes: Vec<String>,
}

const STANDARD: [&str; 6] = ["/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];

/// Programs that look at the working directory where they are given no path.
const LOOKS_AROUND: [&str; 6] = ["ls", "dir", "vdir", "du", "tree", "find"];

impl Facts {
    /// Reads a command, which has at least a program.
    pub(crate) fn read(argv: &[String], directory: Option<&str>, deep: bool) -> Self {
        let program = argv.first().map(String::as_str).unwrap_or_default();
        let mut facts = Self {
            name: program.to_owned(),
            exact: false,
            known: None,
            seen: Vec::new(),
            operands: Vec::new(),
            touched: Vec::new(),
            starts: None,
            unknowable: None,
            inner: None,
            directory: directory.map(str::to_owned),
            sets: Vec::new(),
            nested: Vec::new(),
            closed: None,
            open: "",
            argv: argv.to_vec(),
            deep,
            flag_writes: Vec::new(),
        };
        facts.identify(program);
        match facts.known {
            Some(known) => facts.read_known(known, argv),
            None => facts.read_unknown(argv),
        }
        facts
    }

    /// Which program it is.
    fn identify(&mut self, program: &str) {
        let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-' | '[');
        if program.contains('/') {
            let Some(path) = normal(program, self.directory.as_deref()) else {
                self.exact = true;
                self.unknowable = Some(Stop::new(
                    format!("where `{program}` is cannot be known: the working directory is not"),
                    "write its whole path",
                ));
                return;
            };
            let name = last(&path).to_owned();
            let parent = path.strip_suffix(&name).unwrap_or_default().trim_end_matches('/');
            if let Some(first) = self.argv.first_mut() {
                first.clone_from(&path);
            }
            self.exact = !STANDARD.contains(&parent) || !name.chars().all(usual);
            self.name = if self.exact { path } else { name };
        } else {
            self.exact = !program.chars().all(usual) || program.starts_with('-');
        }
        if !self.exact {
            self.known = find(&self.name);
        }
    }

    fn read_known(&mut self, known: &'static Known, argv: &[String]) {
        let Split { seen, operands, renamed } = split(known, argv);
        for (at, word) in renamed {
            self.replace(at, 0, &word);
        }
        self.seen = seen;
        self.operands = operands.iter().filter_map(|at| argv.get(*at)).cloned().collect();
        if let Starts::Always(advice) = known.program.starts {
            self.starts = Some(Stop::new(
                format!(
                    "`{}` starts other programs or changes the machine, which no rule could follow",
                    self.name
                ),
                advice,
            ));
        }
        if let Starts::Closed { before, behind, open } = known.program.starts {
            self.closed = Some((before, behind));
            self.open = open;
        }
        let guilty = self.seen.iter().find(|seen| seen.flag.is_some_and(|flag| flag.starts));
        if let (Some(seen), None) = (guilty, &self.starts) {
            self.starts = Some(Stop::new(
                format!(
                    "`{}` of `{}` starts programs, or reads more commands from a file",
                    seen.name, self.name
                ),
                format!("leave `{}` out", seen.name),
            ));
        }
        self.deep = self.deep || self.seen.iter().any(|seen| seen.flag.is_some_and(|flag| flag.deep));
        let to_file = |seen: &&Seen| {
            let nowhere =
                seen.value.as_deref().is_some_and(|value| value == "-" || super::protected::harmless(value));
            seen.flag.is_some_and(|flag| {
                flag.writes || (matches!(flag.value, Some(Kind::Write | Kind::Into)) && !nowhere)
            })
        };
        self.flag_writes = self.seen.iter().filter(to_file).map(|seen| seen.name.clone()).collect();
        self.read_values();
        self.read_operands(known, &operands);
        super::check::look(self, known, &operands);
        if known.program.syntax != Syntax::Pairs {
            let unknown: Vec<Seen> = self.seen.iter().filter(|seen| seen.unknown()).cloned().collect();
            for seen in unknown {
                self.possible(&format!("{}{}", seen.name, seen.value.unwrap_or_default()));
            }
        }
    }

    /// What flags were given.
    fn read_values(&mut self) {
        for seen in self.seen.clone() {
            let (Some(kind), Some(value)) = (seen.flag.and_then(|flag| flag.value), seen.value) else {
                continue;
            };
            match kind {
                Kind::Text | Kind::Secret => {}
                Kind::Read => self.path(&value, Access::Read, seen.place),
                Kind::Write | Kind::Into => self.path(&value, Access::Write, seen.place),
                Kind::Chdir => {
                    self.path(&value, Access::Read, seen.place);
                    match normal(&value, self.directory.as_deref()) {
                        Some(directory) => self.directory = Some(directory),
                        None => {
                            self.directory = None;
                            self.unknowable = Some(Stop::new(
                                format!("where `{value}` is cannot be known: the working directory is not"),
                                "write its whole path",
                            ));
                        }
                    }
                }
                Kind::At => {
                    let head = value.split('=').next().unwrap_or_default();
                    if let Some((_, path)) = head.split_once('@').and_then(|_| value.split_once('@')) {
                        self.path(path, Access::Read, None);
                    }
                }
                Kind::Form => {
                    let content = value.split_once('=').map_or(value.as_str(), |(_, content)| content);
                    for (at, head) in content.match_indices("headers=") {
                        let rest = content.get(at + head.len()..).unwrap_or_default();
                        if let Some(path) = rest.strip_prefix(['@', '<']) {
                            let path = path.split(';').next().unwrap_or_default().trim_matches('"');
                            self.path(path, Access::Read, None);
                        }
                    }
                    if let Some(paths) = content.strip_prefix(['@', '<']) {
                        for part in paths.split(',') {
                            let path = part.split(';').next().unwrap_or_default().trim_matches('"');
                            self.path(path, Access::Read, None);
                        }
                    }
                }
            }
        }
    }

    fn read_operands(&mut self, known: &'static Known, at: &[usize]) {
        let marked = |mark: fn(&super::programs::Flag) -> bool| {
            self.seen.iter().any(|seen| seen.flag.is_some_and(mark))
        };
        let (pattern, writes) = (marked(|flag| flag.pattern), marked(|flag| flag.writes));
        let into: Option<String> = self
            .seen
            .iter()
            .find(|seen| {
                seen.flag.is_some_and(|flag| flag.value == Some(Kind::Into) && flag.names.contains(&"-t"))
            })
            .and_then(|seen| seen.value.clone());
        let last_at = at.len().saturating_sub(1);
        match known.program.operands {
            Operands::Read | Operands::Pattern | Operands::Write | Operands::Mode => {
                if self.name == "diff" {
                    self.compared(at);
                }
                let skipped = usize::from(
                    matches!(known.program.operands, Operands::Pattern | Operands::Mode) && !pattern,
                );
                let writing = matches!(known.program.operands, Operands::Write | Operands::Mode) || writes;
                for place in at.iter().skip(skipped) {
                    self.operand(*place, if writing { Access::Write } else { Access::Read });
                }
                if self.name == "csplit" && !self.seen.iter().any(|seen| seen.is("-f")) {
                    self.path("xx00", Access::Write, None);
                }
                let nowhere = at.len() <= skipped;
                let around = nowhere && (self.deep || LOOKS_AROUND.contains(&self.name.as_str()));
                if let Some(here) = self.directory.clone().filter(|_| around) {
                    self.path(&here, Access::Read, None);
                }
            }
            Operands::CopyTo | Operands::MoveTo => {
                let moves = known.program.operands == Operands::MoveTo;
                // Links make everything below what they lead to reachable; what is moved goes as a whole.
                self.deep = self.deep || moves || self.name == "ln";
                for (index, place) in at.iter().enumerate() {
                    if index == last_at && into.is_none() && (at.len() > 1 || self.name != "ln") {
                        self.operand(*place, Access::Write);
                    } else {
                        self.operand(*place, if moves { Access::Either } else { Access::Read });
                    }
                }
                let target = match &into {
                    Some(target) => Some(target.clone()),
                    None if at.len() > 1 => at.last().and_then(|place| self.argv.get(*place)).cloned(),
                    None => Some(".".to_owned()),
                };
                let sources: Vec<String> = self.operands.clone();
                for source in sources.iter().take(if into.is_some() { at.len() } else { last_at.max(1) }) {
                    if let Some(target) = &target {
                        self.path(&join(target, last(source)), Access::Write, None);
                    }
                }
                if self.name == "ln" {
                    let count = if into.is_some() { sources.len() } else { last_at.max(1) };
                    self.relative_links(sources.get(..count).unwrap_or(&sources));
                }
            }
            Operands::Filter => {
                for (index, place) in at.iter().enumerate() {
                    self.operand(*place, if index == 0 { Access::Read } else { Access::Write });
                }
                if self.name == "split" && at.len() < 2 {
                    self.path("xaa", Access::Write, None);
                }
            }
            Operands::Command => self.inner = at.first().copied(),
            Operands::TextCommand => self.inner = at.get(1).copied(),
            Operands::Assignments => self.assignments(at),
            Operands::Text | Operands::Url => {}
            Operands::Unknown => {
                for word in self.argv.clone().iter().skip(1) {
                    self.possible(word);
                }
            }
        }
    }

    /// Of two directories diff compares what is in them, of a file and a directory what is there by that name.
    fn compared(&mut self, at: &[usize]) {
        let words: Vec<String> = at.iter().filter_map(|place| self.argv.get(*place)).cloned().collect();
        for word in &words {
            let named = words.iter().map(|other| (join(word, last(other)), false));
            for (written, deep) in named.chain([(format!("{word}/"), true)]).collect::<Vec<_>>() {
                let path = normal(&written, self.directory.as_deref());
                self.touched.push(Touched { path, written, access: Access::Read, deep, certain: false });
            }
        }
    }

    /// A link's text counts from where the link is.
    fn relative_links(&mut self, sources: &[String]) {
        if self.seen.iter().any(|seen| seen.is("-s")) && sources.iter().any(|source| !source.starts_with('/'))
        {
            self.unknowable = Some(Stop::new(
                "where a relative link leads depends on where it is",
                "write the whole path that it leads to",
            ));
        }
    }

    /// `NAME=VALUE …` before a command.
    fn assignments(&mut self, at: &[usize]) {
        for place in at {
            let Some(word) = self.argv.get(*place) else { continue };
            match word.split_once('=') {
                Some((name, value)) => self.sets.push((name.to_owned(), value.to_owned())),
                None if word == "-" => {}
                None => {
                    self.inner = Some(*place);
                    return;
                }
            }
        }
    }

    fn operand(&mut self, at: usize, access: Access) {
        if let Some(word) = self.argv.get(at).cloned() {
            self.path(&word, access, Some((at, 0)));
        }
    }

    /// A word, or its end, that is a path. Where it climbs, the command gets the normal form instead.
    pub(crate) fn path(&mut self, written: &str, access: Access, place: Option<(usize, usize)>) {
        if written == "-" || written.is_empty() {
            return;
        }
        // Scripts such as zgrep put names into texts that are run.
        if written.chars().any(char::is_control) {
            self.unknowable = Some(Stop::new(
                format!("a path with control characters in it: {written:?}"),
                "rename the file where it is made",
            ));
        }
        let path = normal(written, self.directory.as_deref());
        if climbs(written) {
            match (&path, place) {
                (Some(path), Some((at, from))) => {
                    let path = path.clone();
                    self.replace(at, from, &path);
                }
                _ if climbs_behind_a_name(written) => self.climbing(written),
                _ => {}
            }
        }
        self.touched.push(Touched {
            path,
            written: written.to_owned(),
            access,
            deep: self.deep,
            certain: true,
        });
    }

    fn climbing(&mut self, written: &str) {
        self.unknowable = Some(Stop::new(
            format!("`..` behind a name in `{written}`: where it leads cannot be known"),
            "write the path without `..`",
        ));
    }

    /// Replaces the end of a word.
    fn replace(&mut self, at: usize, from: usize, by: &str) {
        if let Some(word) = self.argv.get_mut(at) {
            let head = word.get(..from).unwrap_or_default().to_owned();
            *word = head + by;
        }
    }

    fn read_unknown(&mut self, argv: &[String]) {
        self.operands = argv.iter().skip(1).cloned().collect();
        for word in argv.iter().skip(1) {
            self.possible(word);
        }
    }

    /// A word that may be a path, or have one in it.
    pub(crate) fn possible(&mut self, word: &str) {
        let mut found: Vec<&str> = Vec::new();
        if !word.starts_with('-') {
            found.push(word);
        }
        if let Some((_, value)) = word.split_once('=') {
            found.push(value);
        }
        if !word.starts_with("--") && word.starts_with('-') {
            found.extend(word.char_indices().nth(2).and_then(|(at, _)| word.get(at..)));
        }
        for (at, _) in word.match_indices('/').take(64) {
            let rest = word.get(at..).unwrap_or_default();
            found.push(rest);
            found.extend(rest.split([',', ':', ';']).next());
        }
        for part in word.split([',', ':', '@', '=']).take(64) {
            found.push(part);
        }
        found.sort_unstable();
        found.dedup();
        for written in found.into_iter().filter(|written| !written.is_empty()) {
            if climbs_behind_a_name(written) {
                self.climbing(written);
            }
            let path = normal(written, self.directory.as_deref());
            self.touched.push(Touched {
                path,
                written: written.to_owned(),
                access: Access::Either,
                deep: self.deep,
                certain: false,
            });
        }
    }
}
