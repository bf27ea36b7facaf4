//! The policies that we ship, by their own cases; and what a wrong case says.

use std::path::PathBuf;

use super::*;

fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/policies")
}

#[test]
fn the_policies_that_we_ship_pass_their_cases_and_no_rule_is_left_out() {
    let read = files::read(&[shipped()]);
    assert!(read.problems.is_empty(), "{:#?}", read.problems);
    assert_eq!((read.policies.len(), read.sets.len()), (8, 1));
    let report = trial::report(&read);
    assert!(report.failed().is_empty(), "{:#?}", report.failed());
    assert_eq!(report.percent(), 100, "{:#?}", report.never());
    let policies: Vec<_> = read.policies.clone();
    assert!(sallyport_policy::lint(&policies).is_empty(), "{:#?}", sallyport_policy::lint(&policies));
}

fn with_case(case: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(shipped().join("office-hours.yaml"), directory.path().join("p.yaml")).unwrap();
    let head = "apiVersion: sallyport.dev/v1alpha1\nkind: AccessPolicyTest\npolicy: office-hours\ngiven:\n  \
                person: {username: dave, groups: [developers]}\n  reason: x\ncases:\n";
    std::fs::write(directory.path().join("p.test.yaml"), format!("{head}  - {case}\n")).unwrap();
    let read = files::read(&[directory.path().to_owned()]);
    let problems = read.problems.iter().map(|problem| problem.what.clone());
    problems.chain(trial::report(&read).failed()).collect()
}

#[test]
fn a_case_that_does_not_hold_fails() {
    let fine = with_case("{name: one, expect: approved}");
    assert!(fine.is_empty(), "{fine:#?}");
    for case in [
        "{name: one, expect: denied}",
        "{name: one, expect: waits}",
        "{name: one, expect: approved, rule: when}",
        "{name: one, given: {duration: soon}, expect: denied}",
        "{name: one, given: {now: noon}, expect: approved}",
        "{name: one, use: {action: forward, pod: p}, expect: refused}",
        "{name: one, use: {action: exec, pod: p}, given: {duration: 9h}, expect: refused}",
        "{name: one, expct: denied}",
        "{name: one, expect: perhaps}",
    ] {
        assert!(!with_case(case).is_empty(), "{case}");
    }
}

#[test]
fn cases_of_a_mistyped_policy_name_the_nearest_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(shipped().join("office-hours.yaml"), directory.path().join("p.yaml")).unwrap();
    let test = "apiVersion: sallyport.dev/v1alpha1\nkind: AccessPolicyTest\npolicy: ofice-hours\n\
                cases: [{name: one, expect: denied}]\n";
    std::fs::write(directory.path().join("p.test.yaml"), test).unwrap();
    let failed = trial::report(&files::read(&[directory.path().to_owned()])).failed().join("\n");
    assert!(
        failed.contains("there is no policy `ofice-hours` in these files, did you mean `office-hours`"),
        "{failed}"
    );
}

const RULED: &str = "\
apiVersion: sallyport.dev/v1alpha1
kind: AccessPolicy
metadata: {name: java}
spec:
  subjects: {groups: [oncall]}
  namespaces: [payments]
  allow: {exec: true}
  clusterRole: view
  maxDuration: 1h
  approval: {required: 0}
  reasonRequired: false
  commands: {sets: [java-team]}
---
apiVersion: sallyport.dev/v1alpha1
kind: AccessPolicyTest
policy: java
given:
  person: {username: dave, groups: [oncall]}
cases:
- {name: runs, use: {action: exec, pod: p, command: jstack 1}, expect: permitted}
- {name: refused, use: {action: exec, pod: p, command: rm /x}, expect: refused, rule: no rule}
";

fn set(program: &str) -> String {
    format!(
        "apiVersion: sallyport.dev/v1alpha1\nkind: CommandSet\nmetadata: {{name: java-team}}\nspec: {{allow: [{{programs: \
         [{program}]}}]}}\n"
    )
}

/// What is read from a policy, its cases and these sets, each in a file of its own.
fn with_sets(sets: &[String]) -> files::Read {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.yaml"), RULED).unwrap();
    for (number, set) in sets.iter().enumerate() {
        std::fs::write(directory.path().join(format!("set-{number}.yaml")), set).unwrap();
    }
    files::read(&[directory.path().to_owned()])
}

#[test]
fn a_policy_has_the_sets_of_the_same_files() {
    let read = with_sets(&[set("jstack")]);
    assert!(read.problems.is_empty(), "{:#?}", read.problems);
    assert!(trial::report(&read).failed().is_empty(), "{:#?}", trial::report(&read).failed());
    // Another content of the set, and the cases fail.
    let read = with_sets(&[set("jcmd")]);
    assert_eq!(trial::report(&read).failed().len(), 1);
    // What a set lets run is a difference of each policy that names it.
    let found = sallyport_policy::diff(&with_sets(&[set("jstack")]).policies, &read.policies);
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_set_that_is_missing_wrong_or_there_twice_is_a_mistake_with_its_place() {
    for (sets, told) in [
        (vec![], "a.yaml:12:21: commands.sets[0]: there is no set `java-team`"),
        (vec![set("bash")], "set-0.yaml:4:28: allow[0].programs[0]: `bash`"),
        (vec![set("jstack"), set("jstack")], "CommandSet `java-team` is in "),
    ] {
        let problems: Vec<_> = with_sets(&sets).problems.iter().map(ToString::to_string).collect();
        assert!(problems.iter().any(|problem| problem.contains(told)), "{problems:#?}");
    }
}

#[test]
fn the_published_schemas_are_those_of_the_code() {
    let schemas = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
    crate::config::published(&schemas.join("accesspolicy.schema.json"), &crate::crd::files::schema());
    crate::config::published(&schemas.join("commandset.schema.json"), &crate::crd::files::set_schema());
    crate::config::published(&schemas.join("accesspolicytest.schema.json"), &cases::schema());
}
