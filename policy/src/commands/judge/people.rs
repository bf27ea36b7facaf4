//! What the rules say to people: programs and flags to complete, and each rule in a line. Nothing is decided here.

use std::collections::BTreeSet;

use super::super::programs::{Starts, find};
use super::super::rule::Rule;
use super::super::{Way, paths};
use super::{Commands, RuleSummary, worth};

/// Rules of a built-in set that say the same of several programs, as one: `observe: ps` and `observe: top` become
/// `observe`, of `ps top`. Each rule is its name, what it says, and what it is worth. For people; in refusals and
/// events each program's rule has its own name.
pub fn gathered<W: PartialEq>(
    rules: impl IntoIterator<Item = (String, String, W)>,
) -> Vec<(String, String, W)> {
    let mut all: Vec<(String, String, W)> = Vec::new();
    // What the last one says behind its programs, where more may come.
    let mut open: Option<String> = None;
    for (name, text, worth) in rules {
        let parts = name.split_once(": ").and_then(|(set, program)| {
            let says = text.strip_prefix(program)?;
            Some((set.to_owned(), program.to_owned(), says.to_owned()))
        });
        let Some((set, program, says)) = parts else {
            open = None;
            all.push((name, text, worth));
            continue;
        };
        let fits = |last: &&mut (String, String, W)| {
            last.0 == set && last.2 == worth && open.as_deref() == Some(says.as_str())
        };
        match all.last_mut().filter(fits) {
            Some(last) => {
                let programs = last.1.strip_suffix(&says).unwrap_or_default();
                last.1 = format!("{programs} {program}{says}");
            }
            None => all.push((set, text, worth)),
        }
        open = Some(says);
    }
    all
}

impl Commands {
    /// Programs that some rule allows, for completion and help.
    #[must_use]
    pub fn programs(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self
            .allow
            .rules
            .iter()
            .flat_map(|rule| &rule.programs)
            .map(String::as_str)
            .filter(|name| *name != "*")
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The flags of a program that could be typed, long ones first.
    #[must_use]
    pub fn flags(&self, program: &str) -> Vec<String> {
        let known =
            find(paths::last(program)).filter(|known| !matches!(known.program.starts, Starts::Always(_)));
        let mut all = BTreeSet::new();
        for rule in self.allow.about(program) {
            match &rule.flags {
                Some(flags) => {
                    for flag in flags.iter().filter(|flag| flag.name.starts_with('-')) {
                        all.insert(flag.name.clone());
                        let names =
                            known.and_then(|known| known.flag(&flag.name)).map(|flag| flag.names.clone());
                        all.extend(names.unwrap_or_default().into_iter().map(str::to_owned));
                    }
                }
                None => {
                    let open = known.into_iter().flat_map(|known| &known.flags);
                    let open =
                        open.filter(|flag| rule.may_start || !(flag.starts || flag.change || flag.writes));
                    all.extend(
                        open.flat_map(|flag| &flag.names)
                            .filter(|name| **name != "-NUM")
                            .map(|name| (*name).to_owned()),
                    );
                }
            }
        }
        let mut all: Vec<String> = all.into_iter().collect();
        all.sort_by_key(|name| !name.starts_with("--"));
        all
    }

    /// All rules, in the order in which they are asked, and what each is worth in this way in.
    #[must_use]
    pub fn rules(&self, way: Way) -> Vec<RuleSummary> {
        let summary = |rule: &Rule, leak: Option<String>| RuleSummary {
            name: rule.name.clone(),
            text: rule.text(),
            assurance: worth(leak, way),
        };
        let deny = self.deny.rules.iter().map(|rule| summary(rule, self.around()));
        deny.chain(self.allow.rules.iter().map(|rule| summary(rule, rule.leaks()))).collect()
    }
}
