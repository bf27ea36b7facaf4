//! One rule, checked.

mod fit;

use regex::RegexBuilder;

pub(crate) use fit::Misfit;

use super::RuleInput;
use super::flags::{Seen, signal_name};
use super::paths::PathPattern;
use super::programs::{Starts, find};
use crate::line::Matcher;

/// Expressions of which one must fit all of a text.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    sources: Vec<String>,
    regex: regex::Regex,
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        self.sources == other.sources
    }
}

impl Eq for Texts {}

const REGEX_SIZE: usize = 1 << 20;

impl Texts {
    fn parse(sources: &[String]) -> Result<Self, (usize, String)> {
        let build =
            |text: &str| RegexBuilder::new(text).size_limit(REGEX_SIZE).dfa_size_limit(REGEX_SIZE).build();
        for (at, source) in sources.iter().enumerate() {
            build(source).map_err(|error| {
                let last = error
                    .to_string()
                    .lines()
                    .next_back()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                (at, format!("`{source}` is no regular expression: {last}"))
            })?;
        }
        let all: Vec<String> = sources.iter().map(|source| format!("(?:{source})")).collect();
        let regex = build(&format!(r"\A(?:{})\z", all.join("|"))).map_err(|error| (0, error.to_string()))?;
        Ok(Self { sources: sources.to_vec(), regex })
    }

    pub(crate) fn fits(&self, text: &str) -> bool {
        !self.sources.is_empty() && self.regex.is_match(text)
    }
}

/// A flag in a rule: `-n`, `--lines`, `--signal=TERM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FlagRule {
    pub(crate) name: String,
    value: Option<Matcher>,
    needed: bool,
}

impl FlagRule {
    fn parse(source: &str) -> Result<Self, String> {
        let (source, needed) = source.strip_suffix('!').map_or((source, false), |source| (source, true));
        let (name, value) = match source.split_once('=') {
            Some((name, value)) => (name, Some(Matcher::parse(value)?)),
            None => (source, None),
        };
        if name.is_empty() || name == "-" || name == "--" || name.contains(char::is_whitespace) {
            return Err(format!(
                "`{source}` is not a flag: `-n`, `--lines`, or `--signal=TERM` for one value"
            ));
        }
        Ok(Self { name: name.to_owned(), value, needed })
    }

    pub(crate) fn fits(&self, seen: &Seen) -> bool {
        // `-TERM` is a flag to people.
        if seen.is("--signal") && self.value.is_none() {
            let named = self.name.strip_prefix('-').and_then(signal_name);
            if named.is_some() && named.as_deref() == seen.value.as_deref().and_then(signal_name).as_deref() {
                return true;
            }
        }
        if !seen.is(&self.name) {
            return false;
        }
        let Some(wanted) = &self.value else { return true };
        let Some(value) = &seen.value else { return false };
        let signal = seen.is("--signal").then(|| signal_name(value)).flatten();
        wanted.matches(signal.as_deref().unwrap_or(value))
    }

    pub(crate) fn text(&self) -> String {
        self.value
            .as_ref()
            .map_or_else(|| self.name.clone(), |value| format!("{}={}", self.name, value.source()))
            + if self.needed { "!" } else { "" }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) any: bool,
    pub(crate) programs: Vec<String>,
    pub(crate) flags: Option<Vec<FlagRule>>,
    pub(crate) needs: Vec<FlagRule>,
    args: Option<Texts>,
    reads: Option<Vec<PathPattern>>,
    writes: Option<Vec<PathPattern>>,
    pub(crate) may_start: bool,
    pub(crate) message: Option<String>,
}

fn list(rules: &[FlagRule]) -> String {
    rules.iter().map(FlagRule::text).collect::<Vec<_>>().join(" ")
}

impl Rule {
    /// Checks one.
    ///
    /// # Errors
    /// The field within the rule, and what is wrong with it.
    pub(crate) fn parse(name: String, input: &RuleInput, allow: bool) -> Result<Self, (String, String)> {
        if input.programs.is_empty() {
            return Err(("programs".to_owned(), "names at least one program, or `*` for any".to_owned()));
        }
        let any = input.programs.iter().any(|program| program == "*");
        for (at, program) in input.programs.iter().enumerate() {
            let wrong = |problem: String| Err((format!("programs[{at}]"), problem));
            if program.is_empty() || program.contains(char::is_whitespace) || program.contains('=') {
                return wrong(format!(
                    "`{program}` is not a program: a name or a whole path, without arguments"
                ));
            }
            if program.contains('/') && super::paths::normal(program, None).as_deref() != Some(program) {
                return wrong(format!(
                    "`{program}` is not a path as it really is: begin with `/`, without `.`, `..` or `//`"
                ));
            }
            if program != "*" && program.contains(['*', '?']) {
                return wrong(format!("`{program}`: programs are named one by one, or `*` for any"));
            }
            let starts = find(bare(program)).map(|known| known.program.starts);
            if let (true, false, Some(Starts::Always(advice))) = (allow, input.may_start, starts) {
                return wrong(format!(
                    "`{program}` starts other programs or changes the machine: leave it out ({advice}), or set \
                     `mayStart: true`, which makes the rule a guardrail"
                ));
            }
        }
        let flags = input.flags.as_ref().map(|flags| parse_flags("flags", flags)).transpose()?;
        let needs = flags.iter().flatten().filter(|flag| flag.needed).cloned().collect();
        if let (true, false, Some(flags)) = (allow, input.may_start, &flags) {
            for (at, flag) in flags.iter().enumerate() {
                let starting = input.programs.iter().find(|program| {
                    find(bare(program))
                        .and_then(|known| known.flag(&flag.name))
                        .is_some_and(|flag| flag.starts)
                });
                if let Some(program) = starting {
                    return Err((
                        format!("flags[{at}]"),
                        format!(
                            "`{}` of `{program}` starts programs: `mayStart: true` allows it, and makes the rule a guardrail",
                            flag.name
                        ),
                    ));
                }
            }
        }
        let paths = |field: &str, given: &Option<Vec<String>>| {
            let parse = |(at, one): (usize, &String)| {
                PathPattern::parse(one)
                    .map_err(|problem| (format!("{field}[{at}]"), format!("`{one}`: {problem}")))
            };
            given
                .as_ref()
                .map(|given| given.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>())
                .transpose()
        };
        let args = input.args.as_deref().map(Texts::parse).transpose();
        Ok(Self {
            name,
            any,
            programs: input.programs.iter().map(|program| bare(program).to_owned()).collect(),
            flags,
            needs,
            args: args.map_err(|(at, problem)| (format!("args[{at}]"), problem))?,
            reads: paths("reads", &input.reads)?,
            writes: paths("writes", &input.writes)?,
            may_start: input.may_start,
            message: input.message.clone(),
        })
    }

    /// Whether it opens more than it says, with the reason.
    pub(crate) fn leaks(&self) -> Option<String> {
        if self.may_start {
            return Some("`mayStart` lets its programs start any others".to_owned());
        }
        if self.any {
            return Some("`*` allows programs of which nothing is known".to_owned());
        }
        for program in &self.programs {
            match find(program).map(|known| known.program.starts) {
                None => return Some(format!("what `{program}` starts, reads and writes is not known here")),
                Some(Starts::Closed { open, .. }) if !open.is_empty() => {
                    return Some(format!("`{program}`: {open}"));
                }
                Some(_) => {}
            }
        }
        None
    }

    /// In one line.
    pub(crate) fn text(&self) -> String {
        let mut text = self.programs.join(" ");
        let mut add = |name: &str, what: String| {
            text.push_str("; ");
            text.push_str(name);
            text.push_str(&what);
        };
        if let Some(flags) = &self.flags {
            add("flags ", if flags.is_empty() { "none".to_owned() } else { list(flags) });
        }
        if let Some(texts) = &self.args {
            add("arguments ", texts.sources.join(" or "));
        }
        for (name, patterns) in [("reads ", &self.reads), ("writes ", &self.writes)] {
            if let Some(patterns) = patterns {
                let all: Vec<&str> = patterns.iter().map(PathPattern::source).collect();
                add(name, if all.is_empty() { "nothing".to_owned() } else { all.join(" ") });
            }
        }
        if self.may_start {
            add("", "may start others".to_owned());
        }
        if let Some(message) = &self.message {
            add("", message.clone());
        }
        text
    }
}

/// The name of a program in a standard directory.
fn bare(program: &str) -> &str {
    let standard = ["/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"];
    standard
        .iter()
        .find_map(|directory| program.strip_prefix(directory))
        .filter(|name| !name.contains('/'))
        .unwrap_or(program)
}

fn parse_flags(field: &str, flags: &[String]) -> Result<Vec<FlagRule>, (String, String)> {
    flags
        .iter()
        .enumerate()
        .map(|(at, flag)| FlagRule::parse(flag).map_err(|problem| (format!("{field}[{at}]"), problem)))
        .collect()
}
