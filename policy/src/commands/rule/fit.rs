//! Whether a command fits a rule: a forbid in any way of reading it, an allow rule in all of them.

use super::super::facts::{Access, Facts, Stop, Touched};
use super::super::flags::{Seen, could_be};
use super::super::paths::{PathPattern, last};
use super::super::programs::{Kind, Syntax};
use super::super::protected::{harmless, reached};
use super::{FlagRule, Rule, Texts, list};
use crate::near::slip;

/// Why a command does not fit an allow rule, and how far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) rank: u8,
    pub(crate) stop: Stop,
    /// It is told by a slip, which nobody needs to be asked about.
    pub(crate) slip: bool,
}

fn misfit(rank: u8, why: String, instead: impl Into<String>) -> Misfit {
    Misfit { rank, stop: Stop::new(why, instead), slip: false }
}

impl Rule {
    /// Whether an allow rule is about this program at all.
    pub(crate) fn names(&self, facts: &Facts) -> bool {
        let any = self.any && (!facts.exact || self.may_start);
        any || self.programs.contains(&facts.name)
    }

    /// Whether a forbid means this command, in any way of reading it.
    pub(crate) fn forbids(&self, facts: &Facts, redirected: &[Touched]) -> bool {
        let base = last(&facts.name);
        if !(self.any || self.programs.iter().any(|program| *program == facts.name || program == base)) {
            return false;
        }
        let flag = |rule: &FlagRule| {
            let unknown = facts.known.is_none_or(|known| {
                known.flag(&rule.name).is_none() && known.program.syntax != Syntax::Plain
            }) || facts.seen.iter().any(Seen::unknown);
            facts.seen.iter().any(|seen| rule.fits(seen))
                || (unknown && facts.argv.iter().skip(1).any(|word| could_be(word, &rule.name)))
        };
        let touches = |patterns: &[PathPattern], not: Access| {
            facts.touched.iter().chain(redirected).filter(|touched| touched.access != not).any(|touched| {
                let path = touched.path.as_deref();
                path.is_some_and(|path| patterns.iter().any(|pattern| reached(pattern, path, touched)))
            })
        };
        let said = |text: &str, texts: &Texts| {
            texts.fits(text) || text.split_once('=').is_some_and(|(_, value)| texts.fits(value))
        };
        self.flags.as_ref().is_none_or(|flags| flags.iter().any(flag))
            && self.args.as_ref().is_none_or(|texts| {
                facts.argv.iter().skip(1).chain(&facts.operands).any(|word| said(word, texts))
                    || facts
                        .seen
                        .iter()
                        .filter_map(|seen| seen.value.as_ref())
                        .any(|value| said(value, texts))
                    || facts
                        .touched
                        .iter()
                        .filter_map(|touched| touched.path.as_ref())
                        .any(|path| said(path, texts))
            })
            && self.reads.as_ref().is_none_or(|patterns| touches(patterns, Access::Write))
            && self.writes.as_ref().is_none_or(|patterns| touches(patterns, Access::Read))
    }

    /// Whether an allow rule that names the program lets the command pass.
    pub(crate) fn admits(&self, facts: &Facts, redirected: &[Touched]) -> Result<(), Misfit> {
        let (rule, program) = (&self.name, &facts.name);
        if let (Some(stop), false) = (&facts.starts, self.may_start) {
            return Err(Misfit { rank: 9, stop: stop.clone(), slip: false });
        }
        self.admits_flags(facts)?;
        if let Some(missing) = self.needs.iter().find(|need| !facts.seen.iter().any(|seen| need.fits(seen))) {
            return Err(misfit(
                3,
                format!("{rule} allows `{program}` only with `{}`", missing.text().trim_end_matches('!')),
                format!("`{program} {}`", list(&self.needs).replace('!', "")),
            ));
        }
        if let Some(texts) = &self.args {
            let word = |word: &&String| facts.known.is_some() || !word.starts_with('-');
            if let Some(bad) = facts.operands.iter().filter(word).find(|word| !texts.fits(word)) {
                return Err(misfit(
                    4,
                    format!("`{bad}` fits none of the arguments that {rule} allows"),
                    self.arguments(texts),
                ));
            }
        }
        self.admits_paths(facts, redirected)
    }

    /// What to type instead of an argument that does not fit. The sets say it in words.
    fn arguments(&self, texts: &Texts) -> String {
        match &self.message {
            Some(message) if self.name.contains(": ") => message.clone(),
            _ => format!("arguments like {}", texts.sources.join(" or ")),
        }
    }

    fn admits_flags(&self, facts: &Facts) -> Result<(), Misfit> {
        let (rule, program) = (&self.name, &facts.name);
        let Some(flags) = &self.flags else {
            if self.may_start {
                return Ok(());
            }
            if let Some(seen) = facts.seen.iter().find(|seen| facts.known.is_some() && seen.unknown()) {
                let flags = facts.known.iter().flat_map(|known| &known.flags).flat_map(|flag| &flag.names);
                let long = flags.copied().filter(|name| name.starts_with("--"));
                let meant = Some(&seen.name).filter(|name| name.len() > 4).and_then(|name| slip(name, long));
                let instead = match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "leave it out, or have the policy's `flags` name it".to_owned(),
                };
                let why = format!("`{}` of `{program}` is not known here", seen.name);
                return Err(Misfit { slip: meant.is_some(), ..misfit(2, why, instead) });
            }
            let change = facts
                .seen
                .iter()
                .find(|seen| seen.name == ":change" || seen.flag.is_some_and(|flag| flag.change));
            if let (Some(flag), None) = (facts.flag_writes.first(), &self.writes) {
                return Err(misfit(
                    5,
                    format!("{rule} does not let `{flag}` of `{program}` write files"),
                    "leave it out, or have the policy's `writes` say where",
                ));
            }
            return match change {
                Some(seen) if seen.name == ":change" => Err(misfit(
                    5,
                    format!("this would change something (`{}`)", seen.value.clone().unwrap_or_default()),
                    "a policy would have to list `:change` among the flags",
                )),
                Some(seen) => Err(misfit(
                    5,
                    format!("`{}` of `{program}` changes something", seen.name),
                    "leave it out, or have the policy's `flags` name it",
                )),
                None => Ok(()),
            };
        };
        let allowed =
            || if flags.is_empty() { "no flags".to_owned() } else { format!("flags: {}", list(flags)) };
        let asks = |seen: &Seen| matches!(seen.name.as_str(), "--help" | "--version") && seen.flag.is_some();
        if facts.known.is_some() {
            match facts.seen.iter().find(|seen| !asks(seen) && !flags.iter().any(|flag| flag.fits(seen))) {
                Some(seen) if seen.name == ":change" => {
                    let what = seen.value.clone().unwrap_or_default();
                    Err(misfit(
                        5,
                        format!("{rule} only lets `{program}` look, and `{what}` would change something"),
                        String::new(),
                    ))
                }
                Some(seen) => {
                    let shown = seen.flag.is_none_or(|flag| flag.value != Some(Kind::Secret));
                    let value = seen.value.as_ref().filter(|_| shown);
                    let value = value.map(|value| format!(" {value}")).unwrap_or_default();
                    Err(misfit(
                        2,
                        format!("{rule} does not allow `{}{value}` of `{program}`", seen.name),
                        allowed(),
                    ))
                }
                None => Ok(()),
            }
        } else {
            // Nobody knows how it reads its words: each must stand in the rule as it is.
            let fits = |word: &str| {
                let (name, value) =
                    word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
                flags
                    .iter()
                    .any(|flag| flag.fits(&Seen::mark(name, value)) || flag.fits(&Seen::mark(word, None)))
            };
            match facts.argv.iter().skip(1).find(|word| word.starts_with('-') && !fits(word)) {
                Some(word) => Err(misfit(
                    2,
                    format!("{rule} does not allow `{word}` of `{program}`"),
                    format!("{}, each written apart", allowed()),
                )),
                None => Ok(()),
            }
        }
    }

    fn admits_paths(&self, facts: &Facts, redirected: &[Touched]) -> Result<(), Misfit> {
        for touched in facts.touched.iter().chain(redirected) {
            let Some(path) = &touched.path else {
                if touched.certain && (self.reads.is_some() || self.writes.is_some()) {
                    return Err(misfit(
                        6,
                        format!(
                            "where `{}` is cannot be known: the working directory is not",
                            touched.written
                        ),
                        "write its whole path",
                    ));
                }
                continue;
            };
            if harmless(path) {
                continue;
            }
            let reads = self.reads.as_deref();
            let writes = self.writes.as_deref();
            let fits = |patterns: Option<&[PathPattern]>| {
                patterns.is_none_or(|patterns| {
                    patterns.iter().any(|pattern| {
                        if touched.deep { pattern.covers(path) } else { pattern.matches(path) }
                    })
                })
            };
            if !touched.certain {
                // A word of a program that nobody knows: one that `args` names is no path.
                let named = self.args.as_ref().is_some_and(|texts| texts.fits(&touched.written));
                let whole = facts.operands.contains(&touched.written) && !touched.written.starts_with('-');
                if whole
                    && !named
                    && (self.reads.is_some() || self.writes.is_some())
                    && !(self.reads.is_some() && fits(reads) || self.writes.is_some() && fits(writes))
                {
                    return Err(misfit(
                        6,
                        format!("`{}` may be a path that {} does not open", touched.written, self.name),
                        "have the policy's `args` name it",
                    ));
                }
                continue;
            }
            if touched.access != Access::Write && !fits(reads) {
                return Err(misfit(
                    7,
                    format!("{} does not let `{}` read `{path}`{}", self.name, facts.name, whole(touched)),
                    within(reads),
                ));
            }
            // What a program is for, naming it allows; a file that its output goes to is another thing.
            let sent = redirected.contains(touched) && writes.is_none();
            if touched.access != Access::Read && (sent || !fits(writes)) {
                return Err(misfit(
                    8,
                    format!("{} does not let `{}` write `{path}`{}", self.name, facts.name, whole(touched)),
                    within(writes),
                ));
            }
        }
        Ok(())
    }
}

fn whole(touched: &Touched) -> &'static str {
    if touched.deep { " with everything below it" } else { "" }
}

fn within(patterns: Option<&[PathPattern]>) -> String {
    match patterns {
        None | Some([]) => String::new(),
        Some(patterns) => {
            let shown: Vec<_> = patterns.iter().take(SHOWN).map(PathPattern::source).collect();
            let more = match patterns.len() - shown.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("only {}{more}", shown.join(" "))
        }
    }
}

/// How many patterns a refusal lists; `help` and `rules` list all of them.
const SHOWN: usize = 4;
