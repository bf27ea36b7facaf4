//! Label and field selectors.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use serde_json::Value;

use crate::cluster::store::{self, ResourceId, object};

/// More than any selector needs, and few enough to check for every object.
const MOST: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

/// A label selector; the empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    tests: Vec<(String, Test)>,
}

impl LabelSelector {
    /// From the query syntax: `app=api,tier in (a,b),!legacy`.
    pub fn parse(text: &str) -> Result<LabelSelector, String> {
        let wrong = |why: &str| format!("unable to parse requirement: {why}");
        let mut tests = Vec::new();
        for part in split_outside_parentheses(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let (key, test) =
                requirement(part).ok_or_else(|| wrong(&format!("invalid selector: {part:?}")))?;
            if !is_label_key(&key) {
                return Err(wrong(&format!(
                    "<nil>: Invalid value: {key:?}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
                )));
            }
            tests.push((key, test));
        }
        LabelSelector::bounded(tests)
    }

    /// From `{matchLabels, matchExpressions}`.
    pub fn of(selector: &Value) -> Result<LabelSelector, String> {
        let mut tests = Vec::new();
        for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
            tests.push((key.clone(), Test::In(vec![value.as_str().unwrap_or("").to_owned()])));
        }
        for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| expression.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
            let values =
                || object::strings(expression.get("values")).into_iter().map(str::to_owned).collect();
            let test = match text("operator").as_str() {
                "In" => Test::In(values()),
                "NotIn" => Test::NotIn(values()),
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::Absent,
                other => return Err(format!("{other:?} is not a valid label selector operator")),
            };
            tests.push((text("key"), test));
        }
        LabelSelector::bounded(tests)
    }

    fn bounded(tests: Vec<(String, Test)>) -> Result<LabelSelector, String> {
        if tests.len() > MOST {
            return Err(format!("a selector has at most {MOST} requirements"));
        }
        Ok(LabelSelector { tests })
    }

    /// Matches everything?
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Does it match the labels of `object`?
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(object.pointer("/metadata/labels").unwrap_or(&Value::Null))
    }

    /// Does it match this map of labels?
    pub fn matches_labels(&self, labels: &Value) -> bool {
        self.tests.iter().all(|(key, test)| {
            let value = labels.get(key).and_then(Value::as_str);
            let number = || value.and_then(|v| v.parse::<i64>().ok());
            match test {
                Test::In(values) => value.is_some_and(|v| values.iter().any(|w| w == v)),
                Test::NotIn(values) => value.is_none_or(|v| values.iter().all(|w| w != v)),
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::Greater(than) => number().is_some_and(|n| n > *than),
                Test::Less(than) => number().is_some_and(|n| n < *than),
            }
        })
    }
}

fn requirement(part: &str) -> Option<(String, Test)> {
    if let Some(key) = part.strip_prefix('!') {
        return Some((key.trim().to_owned(), Test::Absent));
    }
    if let Some(list) = part.strip_suffix(')') {
        let (head, list) = list.split_once('(')?;
        let values = list.split(',').map(|v| v.trim().to_owned()).collect();
        let mut words = head.split_whitespace();
        let key = words.next()?.to_owned();
        let test = match (words.next()?, words.next()) {
            ("in", None) => Test::In(values),
            ("notin", None) => Test::NotIn(values),
            _ => return None,
        };
        return Some((key, test));
    }
    for (sign, make) in [
        ("!=", (|v| Test::NotIn(vec![v])) as fn(String) -> Test),
        ("==", |v| Test::In(vec![v])),
        ("=", |v| Test::In(vec![v])),
    ] {
        if let Some((key, value)) = part.split_once(sign) {
            let (key, value) = (key.trim(), value.trim());
            return is_label_value(value).then(|| (key.to_owned(), make(value.to_owned())));
        }
    }
    for (sign, make) in [('>', Test::Greater as fn(i64) -> Test), ('<', Test::Less)] {
        if let Some((key, value)) = part.split_once(sign) {
            return Some((key.trim().to_owned(), make(value.trim().parse().ok()?)));
        }
    }
    (!part.contains(char::is_whitespace)).then(|| (part.to_owned(), Test::Exists))
}

fn split_outside_parentheses(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    for c in text.chars() {
        match c {
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

/// `[prefix/]name`, the name at most 63 characters.
pub fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(p, n)| (Some(p), n));
    let prefix_ok = prefix.is_none_or(|p| !p.is_empty() && p.len() <= 253);
    prefix_ok && !name.is_empty() && is_label_value(name)
}

/// At most 63 characters, alphanumeric at both ends; may be empty.
pub fn is_label_value(value: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= 63
        && edge(value.chars().next())
        && edge(value.chars().next_back())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A field selector; the empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// Path, wanted value, and whether it must be equal (or must differ).
    tests: Vec<(String, String, bool)>,
}

impl FieldSelector {
    /// From the query syntax: `status.phase=Running,metadata.name!=x`.
    pub fn parse(text: &str) -> Result<FieldSelector, String> {
        let mut tests = Vec::new();
        for part in text.split(',').filter(|p| !p.is_empty()) {
            let (key, value, equal) = if let Some((k, v)) = part.split_once("!=") {
                (k, v, false)
            } else if let Some((k, v)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (k, v, true)
            } else {
                return Err(format!("invalid selector: '{text}'; can't understand '{part}'"));
            };
            tests.push((key.to_owned(), value.to_owned(), equal));
        }
        if tests.len() > MOST {
            return Err(format!("a selector has at most {MOST} requirements"));
        }
        Ok(FieldSelector { tests })
    }

    /// The name when the selector asks for exactly one.
    pub fn exact_name(&self) -> Option<String> {
        let found = self.tests.iter().find(|(key, _, equal)| key == "metadata.name" && *equal);
        found.map(|(_, value, _)| value.clone()).filter(|v| !v.is_empty())
    }

    /// Fails with the first field that this collection cannot be selected by.
    pub fn check(&self, id: &ResourceId) -> Result<(), String> {
        let supported = supported(id);
        let known =
            |key: &str| matches!(key, "metadata.name" | "metadata.namespace") || supported.contains(&key);
        match self.tests.iter().find(|(key, ..)| !known(key)) {
            Some((key, ..)) => Err(format!("field label not supported: {key}")),
            None => Ok(()),
        }
    }

    /// Does it match?
    pub fn matches(&self, object: &Value) -> bool {
        self.tests.iter().all(|(key, wanted, equal)| (field(object, key) == *wanted) == *equal)
    }
}

fn field(object: &Value, key: &str) -> String {
    let pointer = match key {
        // Events of the core group name their source under two fields.
        "source" => "/source/component".to_owned(),
        key => format!("/{}", key.replace('.', "/")),
    };
    match object.pointer(&pointer) {
        None | Some(Value::Null) if key == "spec.unschedulable" || key == "spec.hostNetwork" => {
            "false".into()
        }
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn supported(id: &ResourceId) -> &'static [&'static str] {
    if *id == store::PODS {
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ]
    } else if *id == store::EVENTS {
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]
    } else if *id == store::SECRETS {
        &["type"]
    } else if *id == store::NODES {
        &["spec.unschedulable"]
    } else if *id == store::NAMESPACES {
        &["status.phase"]
    } else if *id == store::SERVICES {
        &["spec.clusterIP", "spec.type"]
    } else if *id == store::JOBS {
        &["status.successful"]
    } else if *id == store::REPLICASETS {
        &["status.replicas"]
    } else {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn label_selectors_match_as_documented() {
        let object = json!({"metadata": {"labels": {"app": "api", "tier": "front", "n": "5"}}});
        let cases = [
            ("", true),
            ("app=api", true),
            ("app==api,tier=front", true),
            ("app=api,tier=back", false),
            ("app!=api", false),
            ("missing!=x", true),
            ("app in (web, api)", true),
            ("app notin (web,api)", false),
            ("missing notin (a)", true),
            ("app", true),
            ("!app", false),
            ("!missing", true),
            ("n>4", true),
            ("n<5", false),
        ];
        for (text, expected) in cases {
            assert_eq!(LabelSelector::parse(text).unwrap().matches(&object), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["a b", "=x", "a in b", "a=b=c d", "a in (", "a=-b", "(,)"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
        assert!(LabelSelector::parse(&vec!["a=b"; 65].join(",")).is_err());
    }

    #[test]
    fn field_selectors_know_what_a_collection_can_be_selected_by() {
        let pod = json!({"metadata": {"name": "x"}, "status": {"phase": "Running"}});
        let parse = |t: &str| FieldSelector::parse(t).unwrap();
        assert!(parse("status.phase=Running,metadata.name!=y").matches(&pod));
        assert!(!parse("status.phase!=Running").matches(&pod));
        assert_eq!(parse("metadata.name=x").exact_name().as_deref(), Some("x"));
        assert_eq!(
            parse("spec.foo=1").check(&store::PODS).unwrap_err(),
            "field label not supported: spec.foo"
        );
        parse("status.phase=Running").check(&store::PODS).unwrap();
    }
}
