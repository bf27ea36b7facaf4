//! What the rules say to people: programs and flags to complete, and each rule in a line. Nothing is decided here.

use std::collections::BTreeSet;

use super::super::programs::{Starts, find};
use super::super::rule::Rule;
use super::super::{Way, paths};
use super::{Commands, RuleSummary, worth};

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
