//! Label selectors with Kubernetes' meaning: all of `matchLabels` and all of `matchExpressions` must hold, and
//! an empty selector selects everything.

use std::collections::{BTreeMap, BTreeSet};

/// A selector as it is written, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectorInput {
    /// Label and the value it must have.
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    pub match_expressions: Vec<RequirementInput>,
}

/// One of `matchExpressions`, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequirementInput {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// For `In` and `NotIn`: the values.
    pub values: Vec<String>,
}

/// What a requirement asks of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// The label is there and has one of these values.
    In(BTreeSet<String>),
    /// The label is not there, or has none of these values.
    NotIn(BTreeSet<String>),
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

/// A valid selector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<(String, Operator)>,
}

/// Why a selector cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Not one of the four.
    #[error("`{operator}` is not an operator; there are In, NotIn, Exists and DoesNotExist")]
    Operator {
        /// What was given.
        operator: String,
    },
    /// `In` or `NotIn` without values.
    #[error("`{operator}` on `{key}` needs values")]
    NoValues {
        /// The label.
        key: String,
        /// The operator.
        operator: &'static str,
    },
    /// `Exists` or `DoesNotExist` with values.
    #[error("`{operator}` on `{key}` takes no values")]
    Values {
        /// The label.
        key: String,
        /// The operator.
        operator: &'static str,
    },
    /// A label's name that Kubernetes does not have.
    #[error("`{key}` is not a label's name")]
    Key {
        /// What was given.
        key: String,
    },
    /// A label's value that Kubernetes does not have, so nothing could match it.
    #[error("`{value}` is not a label's value")]
    Value {
        /// What was given.
        value: String,
    },
}

impl Selector {
    /// Checks a selector.
    ///
    /// # Errors
    /// When an operator is unknown, values are missing or too many, or a label cannot exist.
    pub fn parse(input: &SelectorInput) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        for (key, value) in &input.match_labels {
            requirements.push((label(key)?, Operator::In(values(std::slice::from_ref(value))?)));
        }
        for RequirementInput { key, operator, values: given } in &input.match_expressions {
            let (name, is_set): (&'static str, bool) = match operator.as_str() {
                "In" => ("In", true),
                "NotIn" => ("NotIn", true),
                "Exists" => ("Exists", false),
                "DoesNotExist" => ("DoesNotExist", false),
                _ => return Err(SelectorError::Operator { operator: operator.clone() }),
            };
            match (is_set, given.is_empty()) {
                (true, true) => return Err(SelectorError::NoValues { key: key.clone(), operator: name }),
                (false, false) => return Err(SelectorError::Values { key: key.clone(), operator: name }),
                _ => {}
            }
            let operator = match name {
                "In" => Operator::In(values(given)?),
                "NotIn" => Operator::NotIn(values(given)?),
                "Exists" => Operator::Exists,
                _ => Operator::DoesNotExist,
            };
            requirements.push((label(key)?, operator));
        }
        Ok(Self { requirements })
    }

    /// Whether a pod with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|(key, operator)| {
            let value = labels.get(key);
            match operator {
                Operator::In(values) => value.is_some_and(|value| values.contains(value)),
                Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
            }
        })
    }

    /// Whether it selects everything.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }
}

fn values(given: &[String]) -> Result<BTreeSet<String>, SelectorError> {
    match given.iter().find(|value| !(value.is_empty() || is_part(value))) {
        Some(value) => Err(SelectorError::Value { value: value.clone() }),
        None => Ok(given.iter().cloned().collect()),
    }
}

/// `name` or `prefix/name`, as API machinery's `IsQualifiedName` has it.
fn label(key: &str) -> Result<String, SelectorError> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefix_fits = prefix.is_none_or(|prefix| crate::PodName::parse(prefix).is_ok());
    if prefix_fits && is_part(name) {
        Ok(key.to_owned())
    } else {
        Err(SelectorError::Key { key: key.to_owned() })
    }
}

/// At most 63 of letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit.
fn is_part(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.len() <= 63
        && edge(text.as_bytes().first())
        && edge(text.as_bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn expression(key: &str, operator: &str, values: &[&str]) -> SelectorInput {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        let requirement = RequirementInput { key: key.into(), operator: operator.into(), values };
        SelectorInput { match_expressions: vec![requirement], ..SelectorInput::default() }
    }

    #[test]
    fn every_operator_means_what_kubernetes_means() {
        let (api, worker, bare) = (labels(&[("app", "api")]), labels(&[("app", "worker")]), labels(&[]));
        let cases = [
            (expression("app", "In", &["api", "web"]), [true, false, false]),
            (expression("app", "NotIn", &["api"]), [false, true, true]),
            (expression("app", "Exists", &[]), [true, true, false]),
            (expression("app", "DoesNotExist", &[]), [false, false, true]),
            (SelectorInput::default(), [true, true, true]),
            (
                SelectorInput { match_labels: labels(&[("app", "api")]), ..SelectorInput::default() },
                [true, false, false],
            ),
        ];
        for (input, expected) in cases {
            let selector = Selector::parse(&input).unwrap();
            assert_eq!([&api, &worker, &bare].map(|labels| selector.matches(labels)), expected, "{input:?}");
        }
    }

    #[test]
    fn all_requirements_must_hold() {
        let mut input = expression("tier", "Exists", &[]);
        input.match_labels = labels(&[("app", "api")]);
        let selector = Selector::parse(&input).unwrap();
        assert!(!selector.matches(&labels(&[("app", "api")])));
        assert!(selector.matches(&labels(&[("app", "api"), ("tier", "")])));
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused() {
        for (key, operator, values) in [
            ("app", "Near", &["api"][..]),
            ("app", "in", &["api"]),
            ("app", "In", &[]),
            ("app", "NotIn", &[]),
            ("app", "Exists", &["api"]),
            ("app", "DoesNotExist", &["api"]),
            ("", "Exists", &[]),
            ("a b", "Exists", &[]),
            ("a/b/c", "Exists", &[]),
            ("app", "In", &["a b"]),
        ] {
            assert!(
                Selector::parse(&expression(key, operator, values)).is_err(),
                "{key} {operator} {values:?}"
            );
        }
        assert!(Selector::parse(&expression("app.kubernetes.io/name", "In", &["Api_1.2"])).is_ok());
    }
}
