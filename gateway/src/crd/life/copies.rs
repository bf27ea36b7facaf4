//! Parsed copies of policies. Ten thousand requests carry few different policies, and parsing one compiles its
//! expressions; so what was parsed is kept, found by its whole text: a status that somebody wrote can never be taken
//! for another one. Bounded in number and in size; a copy that is not found is parsed again.

use std::collections::HashMap;
use std::mem;
use std::sync::{LazyLock, Mutex, PoisonError};

use sallyport_policy::{Policy, PolicyError};

use crate::crd::ObservedPolicy;

/// How many copies are kept at least; twice as many at most.
const KEPT: usize = 256;
/// The longest text that is kept; longer ones are parsed each time.
const LONGEST: usize = 64 * 1024;

static COPIES: LazyLock<Mutex<Copies>> = LazyLock::new(Mutex::default);

/// Two generations: what is asked for moves to the young one, and when that is full the old one is dropped.
#[derive(Debug, Default)]
struct Copies {
    young: HashMap<String, Policy>,
    old: HashMap<String, Policy>,
}

impl Copies {
    fn get(&mut self, text: &str) -> Option<Policy> {
        if let Some(known) = self.young.get(text) {
            return Some(known.clone());
        }
        let (text, known) = self.old.remove_entry(text)?;
        self.keep(text, known.clone());
        Some(known)
    }

    fn keep(&mut self, text: String, policy: Policy) {
        if self.young.len() >= KEPT {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(text, policy);
    }
}

/// The policy that a copy says.
///
/// # Errors
/// When it is not valid.
pub(super) fn parse(name: &str, observed: &ObservedPolicy) -> Result<Policy, PolicyError> {
    let said = (name, &observed.spec, &observed.sets);
    let text = serde_json::to_string(&said).ok().filter(|text| text.len() <= LONGEST);
    let Some(text) = text else { return observed.parse(name) };
    if let Some(known) = COPIES.lock().unwrap_or_else(PoisonError::into_inner).get(&text) {
        return Ok(known);
    }
    // Parsed outside the lock: one slow policy keeps nobody else waiting.
    let policy = observed.parse(name)?;
    COPIES.lock().unwrap_or_else(PoisonError::into_inner).keep(text, policy.clone());
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_twice_the_bound_and_what_is_used_stays() {
        let policy = spec("1h").parse("a").unwrap();
        let mut copies = Copies::default();
        copies.keep("used".to_owned(), policy.clone());
        for number in 0..10 * KEPT {
            copies.keep(number.to_string(), policy.clone());
            assert!(copies.young.len() + copies.old.len() <= 2 * KEPT);
            assert!(copies.get("used").is_some(), "{number}");
        }
        assert!(copies.get("0").is_none());
    }

    #[test]
    fn another_text_is_another_policy_even_under_the_same_name() {
        assert_eq!(parse("a", &spec("1h")).unwrap().max_duration().as_secs(), 3600);
        assert_eq!(parse("a", &spec("2h")).unwrap().max_duration().as_secs(), 7200);
        assert_eq!(parse("b", &spec("2h")).unwrap().name().as_str(), "b");
        assert!(parse("a", &spec("never")).is_err());
    }

    #[test]
    fn another_content_of_a_set_is_another_policy() {
        let with = |program: &str| {
            let mut observed = spec("1h");
            observed.spec.commands =
                serde_json::from_value(serde_json::json!({ "sets": ["java-team"] })).unwrap();
            let set = serde_json::json!({
                "name": "java-team", "uid": "s", "generation": 1, "spec": { "allow": [{ "programs": [program] }] },
            });
            observed.sets = vec![serde_json::from_value(set).unwrap()];
            let policy = parse("a", &observed).unwrap();
            policy.commands().unwrap().programs().join(" ")
        };
        assert_eq!(with("jcmd"), "jcmd");
        assert_eq!(with("jstack"), "jstack");
    }

    #[test]
    fn a_copy_without_the_sets_that_it_names_is_no_policy() {
        let mut observed = spec("1h");
        observed.spec.commands =
            serde_json::from_value(serde_json::json!({ "sets": ["java-team"] })).unwrap();
        assert_eq!(parse("a", &observed).unwrap_err().field, "commands.sets[0]");
    }

    fn spec(longest: &str) -> ObservedPolicy {
        let spec = serde_json::from_value(serde_json::json!({
            "subjects": { "groups": ["oncall"] },
            "namespaces": ["payments"],
            "allow": { "shell": true },
            "clusterRole": "view",
            "maxDuration": longest,
            "approval": { "required": 0 },
        }))
        .unwrap();
        ObservedPolicy { uid: "p".to_owned(), generation: 1, spec, sets: Vec::new() }
    }
}
