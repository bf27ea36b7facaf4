//! Named sets of rules that people write themselves, once, for many policies: a `CommandSet`.
//!
//! They are written in the language of policies, name no other sets, and are bounded in number and size, so that a policy
//! with all the sets that it may name stays small enough to be stored with each request.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rule::Rule;
use super::{CommandsInput, RuleInput, sets};
use crate::names::Namespace;
use crate::near::did_you_mean;

/// How many sets a policy may name.
pub(super) const MOST_SETS: usize = 8;
/// How many rules of a kind a set may have.
const MOST_RULES: usize = 256;
/// How long all the words of a set may be together, in bytes.
const LONGEST: usize = 32 * 1024;

/// The names that no set of one's own may take: those of the sets that are built in.
pub const BUILT_IN_SETS: [&str; 3] = sets::NAMES;

/// A set as it is written, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetInput {
    /// `allow`.
    pub allow: Vec<RuleInput>,
    /// `deny`.
    pub deny: Vec<RuleInput>,
}

/// A valid set. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSet(Arc<Content>);

#[derive(Debug, PartialEq, Eq)]
struct Content {
    name: String,
    allow: Vec<Rule>,
    deny: Vec<Rule>,
}

impl NamedSet {
    /// Checks a set.
    ///
    /// # Errors
    /// The field, as its YAML names it, and what is wrong there.
    pub fn parse(name: &str, input: &SetInput) -> Result<Self, (String, String)> {
        let wrong = |field: &str, problem: String| (field.to_owned(), problem);
        if BUILT_IN_SETS.contains(&name) {
            return Err(wrong("metadata.name", format!("`{name}` is a built-in set: take another name")));
        }
        Namespace::parse(name).map_err(|_| {
            wrong("metadata.name", "is a name of at most 63 lower-case letters, digits and `-`".to_owned())
        })?;
        for (field, rules) in [("allow", &input.allow), ("deny", &input.deny)] {
            if rules.len() > MOST_RULES {
                return Err(wrong(field, format!("has at most {MOST_RULES} rules")));
            }
        }
        let length: usize = input.allow.iter().chain(&input.deny).map(RuleInput::length).sum();
        if length > LONGEST {
            let most = LONGEST / 1024;
            return Err(wrong(
                "allow",
                format!("the rules of a set have at most {most} KiB: make two of it"),
            ));
        }
        let rules = |field: &str, rules: &[RuleInput], allow: bool| {
            let rules = rules.iter().enumerate();
            let parse = |(at, rule): (usize, &RuleInput)| {
                // What a name begins with says whether the rule forbids, as it does for a policy's own.
                Rule::parse(format!("{field}[{at}] of {name}"), rule, allow)
                    .map_err(|(inner, problem)| (format!("{field}[{at}].{inner}"), problem))
            };
            rules.map(parse).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self(Arc::new(Content {
            name: name.to_owned(),
            allow: rules("allow", &input.allow, true)?,
            deny: rules("deny", &input.deny, false)?,
        })))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl RuleInput {
    /// How long all its words are together.
    fn length(&self) -> usize {
        let lists = [&self.flags, &self.args, &self.reads, &self.writes];
        let words = lists.into_iter().flatten().flatten().chain(&self.programs);
        words.map(String::len).sum::<usize>() + self.message.as_ref().map_or(0, String::len)
    }
}

/// The rules that `sets` brings: those that forbid, and those that allow.
///
/// # Errors
/// The field, and what is wrong there: a set that is not there, or too many.
pub(super) fn rules(input: &CommandsInput) -> Result<(Vec<Rule>, Vec<Rule>), (String, String)> {
    if input.sets.len() > MOST_SETS {
        return Err(("sets".to_owned(), format!("names at most {MOST_SETS}")));
    }
    let (mut deny, mut allow) = (Vec::new(), Vec::new());
    let (mut added, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (at, name) in input.sets.iter().enumerate().filter(|(_, name)| names.insert(name.as_str())) {
        if let Some(rules) = sets::rules(name) {
            for (set, rule) in rules {
                for program in &rule.programs {
                    let one = RuleInput { programs: vec![program.clone()], ..rule.clone() };
                    let rule = Rule::parse(format!("{set}: {program}"), &one, true)
                        .map_err(|(_, problem)| (format!("sets[{at}]"), problem))?;
                    // `observe` and `debug` together are not twice `observe`.
                    if added.insert(format!("{}{}", rule.name, rule.text())) {
                        allow.push(rule);
                    }
                }
            }
            continue;
        }
        let Some(NamedSet(set)) = input.named.iter().find(|set| set.name() == name) else {
            let built_in = BUILT_IN_SETS.join(", ");
            let known = BUILT_IN_SETS.into_iter().chain(input.named.iter().map(NamedSet::name));
            let near = did_you_mean(name, known);
            return Err((
                format!("sets[{at}]"),
                format!(
                    "there is no set `{name}`{near}: neither a built-in one ({built_in}) nor a valid CommandSet"
                ),
            ));
        };
        deny.extend(set.deny.iter().cloned());
        allow.extend(set.allow.iter().cloned());
    }
    Ok((deny, allow))
}
