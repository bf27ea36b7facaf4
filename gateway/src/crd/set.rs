//! `CommandSet`: command rules that are written once and named by many policies.

#![expect(unreachable_pub, reason = "the derive for CEL rules copies the structs it sees")]

use kube::{CustomResource, KubeSchema, ResourceExt};
use sallyport_policy::commands::{BUILT_IN_SETS, NamedSet, SetInput};
use sallyport_policy::{Policy, PolicyError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::commands::{CommandRule, inputs};
use super::schema::LABEL;
use super::{AccessPolicySpec, ObservedPolicy};

/// Command rules that many policies name. They name no sets themselves.
#[derive(CustomResource, KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "sallyport.dev",
    version = "v1alpha1",
    kind = "CommandSet",
    plural = "commandsets",
    shortname = "cmdset",
    shortname = "cmdsets",
    derive = "PartialEq",
    category = "sallyport",
    doc = "Command rules, written once: policies name the set in `commands.sets`. A change counts for all of them, and for grants that are open at their next session.",
    validation = Rule::new("!(self.metadata.name in ['observe', 'debug', 'database-read'])").message("this is the name of a built-in set; take another one"),
    validation = Rule::new("size(self.metadata.name) < 64 && !self.metadata.name.contains('.')").message("the name of a set has at most 63 lower-case letters, digits and `-`"),
    printcolumn(name = "Description", type_ = "string", json_path = ".spec.description"),
    printcolumn(name = "Allow", type_ = "string", json_path = ".spec.allow[*].programs", priority = 1),
    printcolumn(name = "Deny", type_ = "string", json_path = ".spec.deny[*].programs", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CommandSetSpec {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub description: Option<String>,
    /// What may run. Without any, a policy that names the set gets nothing from it that may run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub allow: Vec<CommandRule>,
    /// What may not run; always wins, over the rules of the policy and of other sets as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub deny: Vec<CommandRule>,
}

/// A CommandSet at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObservedSet {
    /// Its name.
    #[schemars(length(max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// The CommandSet's uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The CommandSet's generation.
    pub generation: i64,
    /// What it said.
    pub spec: CommandSetSpec,
}

/// Why a set is not valid: the field, as its YAML names it, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SetError {
    /// The field.
    pub field: String,
    /// What is wrong.
    pub problem: String,
}

impl CommandSetSpec {
    /// Parses into what decisions are made with.
    ///
    /// # Errors
    /// At the first field that is out of bounds, or a name that a built-in set has.
    pub fn parse(&self, name: &str) -> Result<NamedSet, SetError> {
        let input = SetInput { allow: inputs(&self.allow), deny: inputs(&self.deny) };
        NamedSet::parse(name, &input).map_err(|(field, problem)| SetError { field, problem })
    }
}

impl CommandSet {
    /// Parses into what decisions are made with.
    ///
    /// # Errors
    /// At the first field that is out of bounds, or a name that a built-in set has.
    pub fn parse(&self) -> Result<NamedSet, SetError> {
        self.spec.parse(&self.name_any())
    }
}

impl ObservedPolicy {
    /// What decisions were made with then: the policy, and the sets that it names as they were.
    ///
    /// # Errors
    /// When the copy is not a valid policy.
    pub fn parse(&self, name: &str) -> Result<Policy, PolicyError> {
        let sets = self.sets.iter().map(|set| {
            set.spec.parse(&set.name).map_err(|error| PolicyError {
                field: format!("sets `{}`: {}", set.name, error.field),
                problem: error.problem,
            })
        });
        self.spec.parse(name, &sets.collect::<Result<Vec<_>, _>>()?)
    }
}

impl AccessPolicySpec {
    /// The CommandSets that it names, each with its place in `sets`; built-in sets are none.
    pub fn named_sets(&self) -> impl Iterator<Item = (usize, &str)> {
        let sets = self.commands.iter().flat_map(|commands| &commands.sets);
        sets.enumerate()
            .map(|(at, name)| (at, name.as_str()))
            .filter(|(_, name)| !BUILT_IN_SETS.contains(name))
    }

    /// Checks everything but whether the CommandSets that it names are there.
    ///
    /// # Errors
    /// At the first field that is out of bounds or cannot be evaluated.
    pub fn check(&self, name: &str) -> Result<(), PolicyError> {
        let empty = CommandSetSpec::default();
        let sets = self.named_sets().map(|(at, set)| {
            empty.parse(set).map_err(|error| PolicyError {
                field: format!("commands.sets[{at}]"),
                problem: format!("`{set}` {}", error.problem),
            })
        });
        let sets = sets.collect::<Result<Vec<_>, _>>()?;
        self.parse(name, &sets).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_may_not_have_a_built_in_ones_name_and_the_manifest_says_so_too() {
        let text = crate::crd::yaml().unwrap();
        for name in BUILT_IN_SETS {
            let error = CommandSet::new(name, CommandSetSpec::default()).parse().unwrap_err();
            assert_eq!(error.field, "metadata.name");
            assert!(text.contains(&format!("'{name}'")), "{name}");
        }
        assert!(CommandSet::new("java-team", CommandSetSpec::default()).parse().is_ok());
    }

    #[test]
    fn a_set_speaks_the_language_of_policies_and_includes_no_other_set() {
        let rule = json!({
            "programs": ["curl"], "flags": ["-s"], "args": ["http://localhost/.*"], "reads": [], "writes": ["/tmp/**"],
            "mayStart": true, "message": "x",
        });
        let spec: CommandSetSpec =
            serde_json::from_value(json!({"description": "x", "allow": [rule], "deny": [rule]})).unwrap();
        assert_eq!(spec.parse("java-team").unwrap().name(), "java-team");
        let wrong: CommandSetSpec =
            serde_json::from_value(json!({"deny": [{"programs": ["ls"], "args": ["("]}]})).unwrap();
        assert_eq!(wrong.parse("java-team").unwrap_err().field, "deny[0].args[0]");
        let schema = serde_json::to_value(schemars::schema_for!(CommandSetSpec)).unwrap();
        let fields: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["allow", "deny", "description"]);
    }
}
