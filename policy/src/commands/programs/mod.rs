//! What is known of programs: which flags they have, which of their words are paths, and which of them start others.
//!
//! It is a table for people to review, one room per family. A flag is written `-n/--lines=num:mark`: its names, what it
//! takes (`=` the next word or glued, `?=` glued only), and marks: `starts` (starts programs, or loads code), `writes`
//! (writes files that it does not name, or makes the operands written), `deep` (reads or writes whole trees), `pattern`
//! (gives the pattern or script, so that no operand does), `change` (changes something that is not a file),
//! `bare` (only its long name can have a value).
//!
//! Where its guarantee ends: it describes the usual implementations (GNU, busybox, util-linux, procps). What is not in the
//! table is not known, and an unknown flag is allowed only where a rule names it.

mod databases;
mod editors;
mod files;
mod interpreters;
mod jvm;
mod network;
mod processes;
mod text;
mod tools;
mod wrappers;

use std::collections::HashMap;
use std::sync::LazyLock;

/// How a program reads its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// Flags anywhere until `--`; short ones can be joined, long ones shortened.
    Gnu,
    /// The same, but the first operand ends the flags.
    Posix,
    /// `-name` is one flag: openssl, find, java.
    LongDash,
    /// No flags at all: every word is an operand.
    Plain,
    /// `if=FILE`: dd.
    Pairs,
    /// The first word may be letters without a dash: tar, ar, ps.
    Bundle,
    /// `-TERM` and `-9` are one flag: kill, killall, pkill.
    Signal,
}

/// What operands are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operands {
    /// Paths that are read.
    Read,
    /// Paths that are written.
    Write,
    /// Paths, the last of which is written: cp, mv, ln.
    CopyTo,
    /// The same, and what is read disappears: mv.
    MoveTo,
    /// First a pattern or a script, then paths that are read.
    Pattern,
    /// First a path that is read, then one that is written: uniq.
    Filter,
    /// First a mode or an owner, then paths that are written: chmod.
    Mode,
    /// Texts: nothing of the file system.
    Text,
    /// Web addresses.
    Url,
    /// A command: program and arguments.
    Command,
    /// One operand, then a command: timeout, chrt.
    TextCommand,
    /// `NAME=VALUE` as often as wanted, then a command: env.
    Assignments,
    /// Nothing is known of them: each may be a path.
    Unknown,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text that is no path.
    Text,
    /// A path that is read.
    Read,
    /// A path that is written.
    Write,
    /// A directory into which files are written.
    Into,
    /// A directory in which the program then works.
    Chdir,
    /// Text, or `@PATH` to read it.
    At,
    /// `NAME=VALUE`, `NAME=@PATH` or `NAME=<PATH`: curl's forms.
    Form,
    /// A password, a token.
    Secret,
}

/// Whether a program starts others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Starts {
    /// It does not, but for flags that are marked.
    Never,
    /// That is what it is for. With what to type instead.
    Always(&'static str),
    /// It starts the command that its operands are, and nothing else.
    Operands,
    /// It can once it runs, unless closed: these words are put before and behind the program's name.
    Closed {
        /// Before: `env NAME=VALUE`.
        before: &'static [&'static str],
        /// Behind the name.
        behind: &'static [&'static str],
        /// What stays open, in words; empty where nothing does.
        open: &'static str,
    },
}

/// What has to be looked at beyond flags and paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Nothing.
    None,
    /// An awk program.
    Awk,
    /// A sed script.
    Sed,
    /// find's expression.
    Find,
    /// ps, whose letters mean two things.
    Ps,
    /// ip's objects and verbs.
    Ip,
    /// `hostname NAME`, `date SETTING`: an operand changes something, unless it begins with this character.
    Sets(char),
    /// less: `+` and what follows is a command of its own.
    Plus,
    /// psql.
    Psql,
    /// mysql.
    Mysql,
    /// sqlite3.
    Sqlite,
    /// redis-cli.
    Redis,
    /// jcmd: what it asks of the JVM.
    Jcmd,
    /// A jq program.
    Jq,
    /// getent: which database.
    Getent,
    /// tar: what is done with the archive.
    Tar,
    /// `who am i`: two words are no files.
    Who,
    /// sar, whose flags take the next word only where that looks like one of theirs.
    Sar,
    /// tput: what a terminal is made ready with can be a program.
    Terminal,
    /// curl and wget.
    Url,
    /// Only with this flag and nothing behind it: `sh -c TEXT`.
    Shell,
}

/// A program, as the tables write it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// Its names, by blanks.
    pub(crate) names: &'static str,
    /// How it reads its words.
    pub(crate) syntax: Syntax,
    /// What operands are.
    pub(crate) operands: Operands,
    /// Its flags.
    pub(crate) flags: &'static str,
    /// Whether it starts others.
    pub(crate) starts: Starts,
    /// What else has to be looked at.
    pub(crate) check: Check,
}

const fn program(names: &'static str, syntax: Syntax, operands: Operands, flags: &'static str) -> Program {
    Program { names, syntax, operands, flags, starts: Starts::Never, check: Check::None }
}

impl Program {
    const fn starts(mut self, starts: Starts) -> Self {
        self.starts = starts;
        self
    }

    const fn always(self, advice: &'static str) -> Self {
        self.starts(Starts::Always(advice))
    }

    const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }
}

/// A flag, read from its line in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flag {
    /// `-n`, `--lines`: all its names.
    pub(crate) names: Vec<&'static str>,
    /// What it takes.
    pub(crate) value: Option<Kind>,
    /// Whether the value must be glued.
    pub(crate) optional: bool,
    /// Starts programs.
    pub(crate) starts: bool,
    /// Writes files.
    pub(crate) writes: bool,
    /// Reads or writes whole trees.
    pub(crate) deep: bool,
    /// Gives the pattern.
    pub(crate) pattern: bool,
    /// Changes something.
    pub(crate) change: bool,
    /// Only its long name can have a value.
    pub(crate) bare: bool,
}

/// A program with its flags read. There is one of each.
#[derive(Debug)]
pub(crate) struct Known {
    /// As the table has it.
    pub(crate) program: &'static Program,
    /// In the order of the table.
    pub(crate) flags: Vec<Flag>,
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.program, other.program)
    }
}

impl Eq for Known {}

impl Known {
    /// The flag of exactly this name, dashes included.
    pub(crate) fn flag(&self, name: &str) -> Option<&Flag> {
        self.flags.iter().find(|flag| flag.names.contains(&name))
    }

    /// The long flag that this begins, where it is one alone, and its whole name.
    pub(crate) fn abbreviated(&self, name: &str) -> Option<(&Flag, &'static str)> {
        if let Some((flag, whole)) = self
            .flags
            .iter()
            .find_map(|flag| flag.names.iter().find(|whole| **whole == name).map(|whole| (flag, *whole)))
        {
            return Some((flag, whole));
        }
        let mut found: Option<(&Flag, &'static str)> = None;
        for flag in &self.flags {
            if let Some(whole) =
                flag.names.iter().find(|whole| whole.starts_with("--") && whole.starts_with(name))
            {
                if found.is_some() {
                    return None;
                }
                found = Some((flag, *whole));
            }
        }
        found
    }
}

/// Reads a flag's line: `-n/--lines=num:mark`.
pub(crate) fn read_flag(line: &'static str) -> Option<Flag> {
    let mut parts = line.split(':');
    let head = parts.next()?;
    let (names, optional, kind) = match head.split_once("?=") {
        Some((names, kind)) => (names, true, Some(kind)),
        None => match head.split_once('=') {
            Some((names, kind)) => (names, false, Some(kind)),
            None => (head, false, None),
        },
    };
    let value = match kind {
        None => None,
        Some("text" | "num") => Some(Kind::Text),
        Some("read") => Some(Kind::Read),
        Some("write") => Some(Kind::Write),
        Some("into") => Some(Kind::Into),
        Some("chdir") => Some(Kind::Chdir),
        Some("at") => Some(Kind::At),
        Some("form") => Some(Kind::Form),
        Some("secret") => Some(Kind::Secret),
        Some(_) => return None,
    };
    let mut flag = Flag {
        names: names.split('/').collect(),
        value,
        optional,
        starts: false,
        writes: false,
        deep: false,
        pattern: false,
        change: false,
        bare: false,
    };
    for mark in parts {
        match mark {
            "starts" => flag.starts = true,
            "writes" => flag.writes = true,
            "deep" => flag.deep = true,
            "pattern" => flag.pattern = true,
            "change" => flag.change = true,
            "bare" => flag.bare = true,
            _ => return None,
        }
    }
    let dashed = flag.names.iter().all(|name| name.len() > 1 && name.starts_with('-'));
    dashed.then_some(flag)
}

/// Every room.
pub(crate) const ROOMS: [&[Program]; 10] = [
    files::PROGRAMS,
    text::PROGRAMS,
    processes::PROGRAMS,
    network::PROGRAMS,
    databases::PROGRAMS,
    editors::PROGRAMS,
    interpreters::PROGRAMS,
    wrappers::PROGRAMS,
    jvm::PROGRAMS,
    tools::PROGRAMS,
];

static TABLE: LazyLock<HashMap<&'static str, &'static Known>> = LazyLock::new(|| {
    let mut table = HashMap::new();
    for program in ROOMS.into_iter().flatten() {
        // A line that cannot be read is left out, so that its flag is not known; a test holds that there is none.
        let flags = program.flags.split_whitespace().filter_map(read_flag).collect();
        let known: &'static Known = Box::leak(Box::new(Known { program, flags }));
        for name in program.names.split_whitespace() {
            table.insert(name, known);
        }
    }
    table
});

/// What is known of a program of this name.
pub(crate) fn find(name: &str) -> Option<&'static Known> {
    if let Some(known) = TABLE.get(name) {
        return Some(known);
    }
    // `python3.11`, `gcc-12`, `perl5.36`: interpreters come with their version.
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    if bare.len() < name.len() { TABLE.get(bare).copied().filter(|known| always(known)) } else { None }
}

fn always(known: &Known) -> bool {
    matches!(known.program.starts, Starts::Always(_))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_flag_of_every_program_can_be_read_and_no_program_is_there_twice() {
        let mut names = HashSet::new();
        for program in ROOMS.into_iter().flatten() {
            for line in program.flags.split_whitespace() {
                assert!(read_flag(line).is_some(), "{}: {line}", program.names);
            }
            let flags: Vec<Flag> = program.flags.split_whitespace().filter_map(read_flag).collect();
            let mut seen = HashSet::new();
            for name in flags.iter().flat_map(|flag| &flag.names) {
                assert!(seen.insert(*name), "{}: {name} twice", program.names);
                assert!(
                    *name == "-NUM"
                        || name.starts_with("--")
                        || name.len() == 2
                        || program.syntax != Syntax::Gnu
                        || matches!(*name, "-nv" | "-np" | "-nc"),
                    "{}: {name}",
                    program.names
                );
            }
            for name in program.names.split_whitespace() {
                assert!(names.insert(name), "{name} twice");
            }
        }
        assert!(names.len() >= 120, "{}", names.len());
    }

    #[test]
    fn a_version_behind_an_interpreters_name_does_not_hide_it() {
        for name in ["python3", "python3.11", "perl5.36.0", "lua5.4", "php8.2", "ruby3.1"] {
            assert!(find(name).is_some_and(always), "{name}");
        }
        assert!(find("ls5").is_none());
    }
}
